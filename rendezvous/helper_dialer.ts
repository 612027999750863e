/**
 * Dials a helper: `HOST`, `HOST:PORT`, or either with `/FINGERPRINT` after it.
 *
 * A helper needs no trust: it introduces, and can read nothing. So one whose
 * fingerprint is not known is taken for the certificate that it shows, which is
 * asked for once over TCP and pinned from then on. With a fingerprint no other
 * is taken, and nothing is asked for.
 *
 * @module
 */
import { type Clock, systemClock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { parseFingerprint } from "../crypto/fingerprint.ts";
import type { RandomBytes } from "../crypto/random.ts";
import {
  formatAddress,
  type HostAndPort,
  parseAddress,
} from "../protocol/address.ts";
import { carrierDialer, type CarrierMode } from "../transport/carrier.ts";
import {
  type EndpointPool,
  quicDialer,
  type QuicOptions,
} from "../transport/quic.ts";
import { shownCertificate, tlsDialer } from "../transport/tls.ts";
import type { Dialer } from "../transport/transport.ts";
import { within } from "./channel.ts";
import { HELPER_ALPN, HELPER_PORT } from "./messages.ts";

/** Where a helper is, and how it is known. */
export interface HelperAddress extends HostAndPort {
  /** SHA-256 of its certificate; none for one that is taken as it is. */
  readonly fingerprint?: Uint8Array;
}

/** What the dialer needs. */
export interface HelperDialerOptions {
  readonly helper: HelperAddress;
  /** Where to dial from: the sockets that the peer is to reach. */
  readonly pool: EndpointPool;
  /** @default {"auto"} */
  readonly carrier?: CarrierMode;
  readonly quic?: QuicOptions;
  readonly random: RandomBytes;
  readonly clock?: Clock;
}

/** A mapping in a router lives 30 s at least; more often only wakes machines. */
const KEEP_ALIVE_MS = 12_000;
const IDLE_MS = 45_000;
const ASK_MS = 10_000;

/**
 * Reads where a helper is.
 *
 * @throws {SftpxError} `usage` when it cannot be read.
 */
export function parseHelper(text: string): HelperAddress {
  const [address = "", fingerprint] = text.trim().split(/\/(.*)/s);
  const where = parseAddress(address, HELPER_PORT);
  if (fingerprint === undefined) return where;
  try {
    return { ...where, fingerprint: parseFingerprint(fingerprint) };
  } catch (error) {
    throw new SftpxError(
      "usage",
      "Cannot read helper: what follows its / must be a fingerprint",
      error,
    );
  }
}

/** Writes where a helper is, as {@linkcode parseHelper} reads it. */
export function formatHelper({ fingerprint, ...where }: HelperAddress): string {
  const address = formatAddress(where);
  return fingerprint === undefined
    ? address
    : `${address}/${fingerprint.toHex()}`;
}

/** Makes a dialer of a helper. */
export function helperDialer(options: HelperDialerOptions): Dialer {
  const { helper, pool, random, clock = systemClock } = options;
  let known = helper.fingerprint;
  const dialerOf = (fingerprint: Uint8Array): Dialer => {
    const to = {
      hostname: helper.hostname,
      port: helper.port,
      fingerprint,
      alpn: HELPER_ALPN,
      clock,
    };
    const kept = {
      keepAliveMs: KEEP_ALIVE_MS,
      idleTimeoutMs: IDLE_MS,
      ...options.quic,
    };
    return carrierDialer({
      quic: quicDialer({ ...to, endpoint: pool, ...kept }),
      tls: tlsDialer({ ...to, randomBytes: random }),
      mode: options.carrier ?? "auto",
      clock,
    });
  };
  const learn = async (signal: AbortSignal): Promise<Uint8Array> => {
    const peer = { ...helper, remote: formatAddress(helper) };
    const der = await within(
      shownCertificate(peer, HELPER_ALPN, signal),
      ASK_MS,
      `Cannot reach helper "${peer.remote}": no answer`,
      clock,
      signal,
    );
    const hash = await crypto.subtle.digest("SHA-256", new Uint8Array(der));
    return new Uint8Array(hash);
  };
  return {
    async dial(signal) {
      try {
        return await dialerOf(known ??= await learn(signal)).dial(signal);
      } catch (error) {
        // It may have been set up anew since.
        if (helper.fingerprint === undefined) known = undefined;
        throw error;
      }
    },
  };
}
