/**
 * Dials a peer over QUIC and makes sure that it is the expected one, by the
 * SHA-256 of its certificate.
 *
 * A name may have several addresses. They are tried in turn, IPv6 and IPv4 by
 * turns, each a little after the one before or when that one failed; the first
 * that answers wins. The platform cannot give up a dial: one that comes through
 * too late is closed.
 *
 * @module
 */
import { type Clock, systemClock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { nextTurn } from "../core/turn.ts";
import {
  type Family,
  familyOf,
  formatAddress,
  withoutBrackets,
} from "./address.ts";
import { addressesOf, firstOf, systemLookup } from "./happy_eyeballs.ts";
import { quicConn } from "./quic_conn.ts";
import type { Endpoint, EndpointPool } from "./quic_endpoint.ts";
import { dialError, isSocketDead } from "./quic_errors.ts";
import { type QuicOptions, transportOptions } from "./quic_options.ts";
import { seedTls } from "./seed.ts";
import type { Conn, Dialer } from "./transport.ts";

/** Whom to dial, and from where. */
export interface QuicDialerOptions extends QuicOptions {
  /** Where to dial from: one endpoint, or a pool that knows both families. */
  readonly endpoint: Endpoint | EndpointPool;
  /** A name or an address. */
  readonly hostname: string;
  readonly port: number;
  /** SHA-256 of the peer's certificate, DER; any of several. */
  readonly fingerprint: Uint8Array | readonly Uint8Array[];
  /** The protocol that is spoken, such as `sftpx/1`. */
  readonly alpn: string;
  /** How long a dial may take in all, in milliseconds. @default {10000} */
  readonly dialTimeoutMs?: number;
  /** How long one address has to itself, in milliseconds. @default {250} */
  readonly staggerMs?: number;
  /** Leaves the socket as small as it is: whoever has much to send enlarges it. @default {false} */
  readonly isLittle?: boolean;
  /** The addresses of a name. @default the system's */
  readonly lookup?: (hostname: string) => Promise<readonly string[]>;
  readonly clock?: Clock;
}

/** See {@linkcode QuicDialerOptions}. */
export const DEFAULT_QUIC_DIALER_OPTIONS = Object.freeze({
  dialTimeoutMs: 10_000,
  staggerMs: 250,
});

/** Makes a dialer for one peer. */
export function quicDialer(options: QuicDialerOptions): Dialer {
  const { port, clock = systemClock } = options;
  const hostname = withoutBrackets(options.hostname);
  const remote = formatAddress({ hostname, port });
  const { dialTimeoutMs, staggerMs } = {
    ...DEFAULT_QUIC_DIALER_OPTIONS,
    ...options,
  };
  const pins = fingerprints(options);
  const find = options.lookup ?? systemLookup;
  const transport = transportOptions(options);

  const connect = async (address: string, family: Family): Promise<Conn> => {
    const endpoint = "take" in options.endpoint
      ? take(options.endpoint, family)
      : options.endpoint;
    const dial: PinnedConnectOptions = {
      endpoint: endpoint.raw,
      hostname: address,
      port,
      serverName: SERVER_NAME,
      alpnProtocols: [options.alpn],
      serverCertificateHashes: pins,
      ...transport,
    };
    await seedTls(); // this thread would stand still for it
    try {
      const dialling = Deno.connectQuic(dial);
      dialling.catch(() => {}); // heard of below
      await nextTurn(); // it is on its way
      if (options.isLittle !== true) endpoint.enlarge();
      return quicConn(await dialling, endpoint);
    } catch (error) {
      if (isSocketDead(error)) endpoint.close(); // the pool makes another
      throw error;
    }
  };

  const dialAll = async (signal: AbortSignal): Promise<Conn> => {
    const addresses = await addressesOf(hostname, find);
    const usable = "take" in options.endpoint || options.endpoint.family === 6
      ? addresses
      : addresses.filter((address) => familyOf(address) === 4);
    return await firstOf(
      usable,
      async (address) => {
        try {
          return await connect(address, familyOf(address) ?? 4);
        } catch (error) {
          throw dialError(formatAddress({ hostname: address, port }), error);
        }
      },
      { remote, staggerMs, clock, signal },
    );
  };

  return {
    async dial(signal) {
      signal.throwIfAborted();
      const over = new AbortController();
      const both = AbortSignal.any([signal, over.signal]);
      const dialing = dialAll(both);
      try {
        return await Promise.race([
          dialing,
          clock.delay(dialTimeoutMs, both).then(() => {
            throw new SftpxError(
              "unreachable",
              `Cannot reach "${remote}": no answer`,
            );
          }),
        ]);
      } catch (error) {
        dialing.then((conn) => conn.close(), () => {}); // just too late
        throw error;
      } finally {
        over.abort();
      }
    },
  };
}

/** What goes in clear in the first packet; the pin alone decides, so it tells nothing. */
const SERVER_NAME = "sftpx";

/** The platform takes pins, though its types do not say so. */
interface PinnedConnectOptions extends Deno.ConnectQuicOptions<false> {
  readonly serverCertificateHashes: readonly {
    readonly algorithm: "sha-256";
    readonly value: Uint8Array;
  }[];
}

/** An endpoint of `family`; having none is no mistake of configuration here, as the other family may do. */
function take(pool: EndpointPool, family: Family): Endpoint {
  try {
    return pool.take(family);
  } catch (error) {
    throw new SftpxError(
      "unreachable",
      `Cannot dial as this machine has no socket for IPv${family}: ${
        error instanceof Error ? error.message : error
      }`,
      error,
    );
  }
}

function fingerprints(
  { fingerprint }: QuicDialerOptions,
): PinnedConnectOptions["serverCertificateHashes"] {
  const all = fingerprint instanceof Uint8Array ? [fingerprint] : fingerprint;
  if (all.length === 0 || all.some((value) => value.length !== 32)) {
    throw new RangeError(
      "Cannot dial as each fingerprint must have 32 bytes, and there must be one",
    );
  }
  return all.map((value) => ({ algorithm: "sha-256", value: value.slice() }));
}
