/**
 * What both sides of a rendezvous have in common.
 *
 * @module
 */
import { type Clock, systemClock } from "../core/clock.ts";
import { type Log, nullLog } from "../core/log.ts";
import type { Secret } from "../core/secret.ts";
import { type RandomBytes, systemRandomBytes } from "../crypto/random.ts";
import type { QuicOptions } from "../transport/quic.ts";
import type { TlsOptions } from "../transport/tls.ts";
import type { HelperClient } from "./client.ts";
import type { Station } from "./station.ts";
import type { CandidateSource, PathPolicy, RelayClient } from "./types.ts";

/** What either side of a rendezvous can be told. */
export interface PeerOptions {
  /** Our certificate, which the peer pins. */
  readonly certificate: { readonly cert: string; readonly key: Secret };
  /** SHA-256 of it. */
  readonly fingerprint: Uint8Array;
  /** Makes a client of the helper that dials from these sockets. */
  readonly helper: (station: Station) => HelperClient;
  /** Which paths may be used. @default {"any"} */
  readonly policy?: PathPolicy;
  /** What finds our addresses, besides interfaces and helper. @default {[]} */
  readonly sources?: readonly CandidateSource[];
  /** Uses what a helper passes on. @default {no relay} */
  readonly relay?: RelayClient;
  /** Addresses of this machine. @default {those of its interfaces} */
  readonly addresses?: () => readonly string[];
  /** What is bound. @default {any address and port} */
  readonly bind?: { readonly hostname?: string; readonly port?: number };
  readonly quic?: QuicOptions;
  readonly tls?: TlsOptions;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly random?: RandomBytes;
}

/** Options with everything that has a default. */
export function settle(options: PeerOptions): SettledPeerOptions {
  return {
    policy: "any",
    addresses: () => Deno.networkInterfaces().map(({ address }) => address),
    clock: systemClock,
    log: nullLog,
    random: systemRandomBytes,
    ...options,
  };
}

/** See {@linkcode settle}. */
export type SettledPeerOptions =
  & PeerOptions
  & Required<
    Pick<PeerOptions, "policy" | "addresses" | "clock" | "log" | "random">
  >;
