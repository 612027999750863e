/**
 * What the parts of the rendezvous know of each other: candidates and who finds
 * them, the paths that are raced, and what a helper lets an extension do.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Metrics } from "../core/metrics.ts";
import type { RandomBytes } from "../crypto/random.ts";
import type { Endpoint } from "../transport/quic.ts";
import type { Carrier } from "../transport/transport.ts";

/** The sender dials in the transfer, the receiver listens; whoever opened the connection. */
export type Role = "sender" | "receiver";

/** Where an address of a peer comes from; earlier ones are the better ones. */
export const CANDIDATE_KINDS = [
  /** An address of one of its interfaces that only its own network reaches. */
  "lan",
  /** An address of one of its interfaces that all may reach. */
  "host",
  /** A port that a router forwards to it. */
  "mapped",
  /** Its address as somebody outside has seen it. */
  "reflexive",
  /** A port of a helper that passes on what comes. */
  "relay",
] as const;

/** See {@linkcode CANDIDATE_KINDS}. */
export type CandidateKind = typeof CANDIDATE_KINDS[number];

/** An address at which a peer may be reached. */
export interface Candidate {
  readonly kind: CandidateKind;
  readonly carrier: Carrier;
  /** A literal address, never a name; IPv6 without brackets and zone. */
  readonly hostname: string;
  /** 1 to 65535. */
  readonly port: number;
}

/** What a source of candidates may use of us. */
export interface GatherContext {
  readonly role: Role;
  /**
   * The sockets that listen and dial, one for each family that this machine has.
   * Their ports are the ones to be mapped and asked for.
   */
  readonly endpoints: readonly Endpoint[];
  /** Where TLS is listened for over TCP; `undefined` when it is not. */
  readonly tcpPort: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly randomBytes: RandomBytes;
}

/**
 * Finds addresses at which *we* may be reached. They go to the peer as they are
 * found, encrypted, and the race does not wait for the slow ones.
 */
export interface CandidateSource {
  /** For the log. */
  readonly name: string;
  /**
   * Yields addresses until there are no more or `signal` aborts. A failure is
   * logged and ends this source only. What was made outside (a mapped port) is
   * given back when `signal` aborts, which is when the whole transfer is over.
   */
  gather(
    context: GatherContext,
    signal: AbortSignal,
  ): AsyncIterable<Candidate>;
}

/**
 * What a helper grants two introduced peers when it relays: to each its own port
 * for UDP and its own cookie for TCP.
 */
export interface RelayGrant {
  /** The port of the helper that stands for the peer; `undefined` without UDP. */
  readonly udpPort: number | undefined;
  /** Where to connect to be spliced; `undefined` without TCP. */
  readonly tcpPort: number | undefined;
  /** What to say first on that connection, 16 bytes. */
  readonly cookie: Uint8Array;
}

/** What the relay's client half may use of us. */
export interface RelayContext extends GatherContext {
  /** The helper's address, a literal one, as we reached it. */
  readonly helper: string;
}

/**
 * The client half of the relay: makes addresses for *us* to dial of a grant. The
 * sender dials them; the receiver sends into UDP ones, so that the relay learns
 * where it is, and pipes TCP ones into its own listener (`tcpPort`).
 */
export interface RelayClient {
  targets(
    grant: RelayGrant,
    context: RelayContext,
    signal: AbortSignal,
  ): AsyncIterable<Candidate>;
}

/** One of two peers, as the helper sees it. */
export interface RelaySide {
  /** `host:port` of the peer's connection to the helper; the port says nothing when `carrier` is TCP. */
  readonly remote: string;
  readonly carrier: Carrier;
}

/** What a helper's relay half needs. */
export interface RelayHostContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly randomBytes: RandomBytes;
}

/** The helper's half of the relay. Made with a {@linkcode RelayHostContext}. */
export interface RelayHost {
  /**
   * Opens ports for two peers that were introduced; `undefined` when it is full.
   * They are closed when the pair is idle, over its volume, or `signal` aborts.
   */
  open(
    pair: { readonly sender: RelaySide; readonly receiver: RelaySide },
    signal: AbortSignal,
  ): Promise<
    { readonly sender: RelayGrant; readonly receiver: RelayGrant } | undefined
  >;
  /** Frees everything. */
  close(): void;
}

/** Which paths may be used. */
export type PathPolicy = "any" | "direct-only" | "relay-only" | "lan-only";

/** What a user is told of the path in use. */
export type { Path } from "../core/events.ts";
