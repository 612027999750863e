/**
 * Dials a peer over TLS and TCP, and makes sure that it is the expected one, by
 * the SHA-256 of its certificate.
 *
 * A connection for control goes first; with it, so that no round trip is lost,
 * go some for streams: those that we will open, and those that we lend the peer,
 * which cannot dial us. Each is replaced when it is used.
 *
 * @module
 */
import { type Clock, systemClock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { formatAddress, withoutBrackets } from "./address.ts";
import { addressesOf, firstOf, systemLookup } from "./happy_eyeballs.ts";
import { closeCode } from "./quic_errors.ts";
import { tlsGroup } from "./tls_conn.ts";
import { controlSocket } from "./tls_control.ts";
import { tlsDialError } from "./tls_errors.ts";
import { encodeHello, GROUP_BYTES, type SocketKind } from "./tls_frames.ts";
import { type TlsOptions, tlsOptions } from "./tls_options.ts";
import {
  checkPins,
  fetchCertificate,
  type Peer,
  pemIfPinned,
  type Pins,
  secure,
} from "./tls_pin.ts";
import { type TlsSocket, tlsSocket } from "./tls_socket.ts";
import { tlsSpares } from "./tls_spares.ts";
import type { Conn, Dialer } from "./transport.ts";
import { limitUnsent } from "./unsent.ts";

/** Whom to dial. */
export interface TlsDialerOptions extends TlsOptions {
  /** A name or an address. */
  readonly hostname: string;
  readonly port: number;
  /** SHA-256 of the peer's certificate, DER; any of several. */
  readonly fingerprint: Uint8Array | readonly Uint8Array[];
  /** The protocol that is spoken, such as `sftpx/1`. */
  readonly alpn: string;
  /** Names groups, so that nobody else can join them. */
  readonly randomBytes: (count: number) => Uint8Array;
  /** What is known of the peer, for all who dial it. @default {nothing} */
  readonly known?: KnownPeer;
  /** Connections that the peer has to begin streams on. @default {2} */
  readonly lent?: number;
  /** How many streams there will be from our side. @default {two are kept ready} */
  readonly streams?: number;
  /** How long a dial may take in all, in milliseconds. @default {10000} */
  readonly dialTimeoutMs?: number;
  /** How long one address has to itself, in milliseconds. @default {250} */
  readonly staggerMs?: number;
  /** The addresses of a name. @default the system's */
  readonly lookup?: (hostname: string) => Promise<readonly string[]>;
  readonly clock?: Clock;
}

/** What was learnt of a peer; it is the same by whichever of its ports. */
export interface KnownPeer {
  /** Its certificate, PEM, which is the pinned one. */
  certificate?: string | undefined;
  /** What somebody said that it is, DER. */
  shown?: Uint8Array | undefined;
}

/** See {@linkcode TlsDialerOptions}. */
export const DEFAULT_TLS_DIALER_OPTIONS = Object.freeze({
  dialTimeoutMs: 10_000,
  staggerMs: 250,
});

/** Makes a dialer for one peer. */
export function tlsDialer(options: TlsDialerOptions): Dialer {
  const { port, alpn, clock = systemClock } = options;
  const hostname = withoutBrackets(options.hostname);
  const remote = formatAddress({ hostname, port });
  const { dialTimeoutMs, staggerMs } = {
    ...DEFAULT_TLS_DIALER_OPTIONS,
    ...options,
  };
  const pins: Pins = { fingerprints: checkPins(options.fingerprint), alpn };
  const find = options.lookup ?? systemLookup;
  const settings = tlsOptions(options);
  const { known = {} } = options;

  /** Its certificate: what was said that it is, or what it shows. */
  const learn = async (peer: Peer, signal: AbortSignal): Promise<string> => {
    const { shown } = known;
    const said = shown && await pemIfPinned(shown, pins);
    if (said !== undefined) return said;
    known.shown = undefined;
    return await fetchCertificate(peer, pins, signal);
  };

  /** Opens one connection of a group, and says what it is for. */
  const open = async (
    peer: Peer,
    kind: SocketKind,
    group: Uint8Array,
    signal: AbortSignal,
  ): Promise<TlsSocket> => {
    const isKnown = known.certificate !== undefined;
    const certificate = known.certificate ??= await learn(peer, signal);
    const tcp = await connectTcp(peer, signal);
    if (kind === "client-stream") limitUnsent(tcp.localAddr as Deno.NetAddr);
    let tls: Deno.TlsConn;
    try {
      tls = await secure(tcp, certificate, pins, peer.remote, signal);
    } catch (error) {
      const isRefused = error instanceof SftpxError &&
        error.code === "unauthorized";
      if (isRefused) known.certificate = known.shown = undefined;
      // It may have another of the certificates now.
      if (isRefused && isKnown) return await open(peer, kind, group, signal);
      throw error;
    }
    const socket = tlsSocket(tls);
    try {
      await socket.write(encodeHello({ kind, group }));
      return socket;
    } catch (error) {
      socket.close();
      throw error;
    }
  };

  const connect = async (peer: Peer, signal: AbortSignal): Promise<Conn> => {
    // Fetched before the rest is dialed, which all need it.
    known.certificate ??= await learn(peer, signal);
    const group = options.randomBytes(GROUP_BYTES);
    const spares = tlsSpares({
      open: (kind, signal) =>
        limited(
          clock,
          dialTimeoutMs,
          peer.remote,
          signal,
          (signal) => open(peer, kind, group, signal),
        ),
      clock,
      ...(options.lent !== undefined && { lent: options.lent }),
      ...(options.streams !== undefined && { streams: options.streams }),
    });
    try {
      spares.prepare();
      const socket = await open(peer, "control", group, signal);
      const control = controlSocket(socket);
      const abort = (): void => control.close();
      signal.addEventListener("abort", abort, { once: true });
      try {
        const answer = await control.hear();
        if (answer?.type === "close") {
          throw new SftpxError(
            closeCode(answer.code) ?? "peer-busy",
            `Cannot reach "${peer.remote}": ${answer.reason}`,
          );
        }
        if (answer?.type !== "welcome") {
          throw new Error("unexpected end of file");
        }
      } catch (error) {
        control.close();
        signal.throwIfAborted();
        throw tlsDialError(peer.remote, unwrapped(error));
      } finally {
        signal.removeEventListener("abort", abort);
      }
      const made = tlsGroup({
        control,
        side: "client",
        take: spares.take,
        over: spares.close,
        options: settings,
        clock,
      });
      spares.lend(made);
      return made.conn;
    } catch (error) {
      spares.close();
      throw error;
    }
  };

  return {
    dial: (signal) =>
      limited(
        clock,
        dialTimeoutMs,
        remote,
        signal,
        async (signal) =>
          await firstOf(
            await addressesOf(hostname, find),
            (address) =>
              connect({
                hostname: address,
                port,
                remote: formatAddress({ hostname: address, port }),
              }, signal),
            { remote, staggerMs, clock, signal },
          ),
      ),
  };
}

/** What a reading failed for. */
function unwrapped(error: unknown): unknown {
  return error instanceof SftpxError && error.code === "connection-lost"
    ? error.cause ?? error
    : error;
}

/** Runs `dial` for `ms` at most; a connection that comes too late is closed. */
async function limited<T extends { close(): void }>(
  clock: Clock,
  ms: number,
  remote: string,
  signal: AbortSignal,
  dial: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const dialing = dial(both);
  try {
    return await Promise.race([
      dialing,
      clock.delay(ms, both).then(() => {
        throw new SftpxError(
          "unreachable",
          `Cannot reach "${remote}" over TCP: no answer`,
        );
      }),
    ]);
  } catch (error) {
    dialing.then((late) => late.close(), () => {});
    throw error;
  } finally {
    over.abort();
  }
}

/** The platform cannot give up a dial: one that comes through too late is closed. */
async function connectTcp(
  { hostname, port, remote }: Peer,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const dialing = Deno.connect({ hostname, port });
  try {
    const tcp = await Promise.race([dialing, promise]);
    tcp.setNoDelay(true);
    tcp.setKeepAlive(true);
    return tcp;
  } catch (error) {
    dialing.then((late) => late.close(), () => {});
    signal.throwIfAborted();
    throw tlsDialError(remote, error);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
