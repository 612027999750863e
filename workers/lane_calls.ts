/**
 * What is asked of a lane Worker, and what it answers.
 *
 * The Worker holds connections and their streams, by numbers that it gives them.
 * What is small, the first words and preambles, goes over as bytes. What is
 * large stays there: a lease goes over as a list of what to read and send, and
 * of a frame that has come only what it says of itself.
 *
 * @module
 */
import type { ErrorCode } from "../core/errors.ts";
import type { PortCarrier } from "../protocol/control.ts";
import type { FileEntry } from "../protocol/entry.ts";
import type { OpenPlace } from "../store/root_file.ts";
import type { SourceFileEntry } from "../store/source.ts";
import type { QuicOptions } from "../transport/quic.ts";
import type { TlsOptions } from "../transport/tls.ts";
import type { CloseInfo } from "../transport/transport.ts";
import type { LeaseReport } from "./lane_send.ts";

/** The name that a lane Worker is started under. */
export const LANE_WORKER_NAME = "sftpx-lanes";

/**
 * Frames that all lanes of a thread hold at a time, bytes: 6 lanes have one of
 * 1 MiB each. It is taken off what a session has.
 */
export const THREAD_ROOM_BYTES: number = 8 * 1024 * 1024;

/** Whom to dial. */
export interface FarPeer {
  readonly hostname: string;
  readonly port: number;
  readonly fingerprint: Uint8Array;
  readonly alpn: string;
  readonly quic: QuicOptions;
}

/** Where to listen, and who we are. */
export interface FarEntrance {
  readonly carrier: PortCarrier;
  readonly hostname: string;
  /** Which are tried, one after the other; 0 is any. */
  readonly ports: readonly number[];
  readonly cert: string;
  /** The private key, PEM, as bytes that are moved over. */
  readonly key: Uint8Array<ArrayBuffer>;
  readonly alpn: string;
  /** How many may be on their way in, and may wait there. */
  readonly limits: {
    readonly maxHandshakes: number;
    readonly maxWaiting: number;
  };
  readonly quic: QuicOptions;
  readonly tls: TlsOptions;
}

/** A connection that the Worker holds. */
export interface FarConnInfo {
  readonly conn: number;
  readonly carrier: PortCarrier;
  readonly remote: string;
}

/** Chunks of one file, and all that it takes to send them. */
export interface FarWork {
  readonly index: number;
  readonly gen: number;
  readonly first: number;
  readonly count: number;
  readonly entry: FileEntry;
  /** What the walk found: it has to be that very file. */
  readonly facts: Omit<SourceFileEntry, "disk">;
  /** Whether it was found the quick way, which knows times better. */
  readonly isQuick: boolean;
  /** The digests that these chunks had when they were read before, 32 bytes each, or zeros. */
  readonly known: Uint8Array;
  /** Those that the receiver says it holds. */
  readonly offered: Uint8Array;
}

/** What became of a lease. */
export interface FarReport extends LeaseReport {
  /** The digests of what was read of each work, from its first chunk on. */
  readonly digests: readonly Uint8Array[];
  /** What was written, as `Payload` has it. */
  readonly sent: number;
  readonly same: number;
  readonly body: number;
  /** How long it waited, ms. */
  readonly readMs: number;
  readonly writeMs: number;
  /** Why it is not all of the lease. */
  readonly failure: FarFailure | undefined;
}

/** A frame that is there. */
export interface FarFrame {
  readonly count: number;
  /** Bytes of it that have come and were not told of before. */
  readonly arrived: number;
  /** Bytes of all records. */
  readonly length: number;
  /** The headers of the records, one after the other. */
  readonly heads: Uint8Array<ArrayBuffer>;
  /** The digests that the records of data have, 32 bytes each; none where they come over. */
  readonly digests: Uint8Array<ArrayBuffer>;
  /** The frame itself, where that is better hashed and written by who asked: small files. */
  readonly body: Uint8Array<ArrayBuffer> | undefined;
}

/** What can be asked. */
export interface LaneCalls {
  /** Answers. */
  ping(): Promise<void>;
  dial(peer: FarPeer): Promise<FarConnInfo>;
  listen(entrance: FarEntrance): Promise<{ readonly address: string }>;
  accept(): Promise<FarConnInfo | undefined>;
  closed(conn: number): Promise<CloseInfo>;
  close(
    conn: number,
    code: ErrorCode | undefined,
    reason: string,
  ): Promise<void>;
  openBidi(conn: number): Promise<number>;
  openUni(conn: number, priority: number): Promise<number>;
  acceptBidi(conn: number): Promise<number | undefined>;
  acceptUni(conn: number): Promise<number | undefined>;
  write(stream: number, bytes: Uint8Array): Promise<void>;
  end(stream: number): Promise<void>;
  read(
    stream: number,
    bytes: number,
    isAll: boolean,
  ): Promise<Uint8Array<ArrayBuffer>>;
  cancel(stream: number): Promise<void>;
  /** Reads, hashes and sends; of a connection that is lost the report tells. */
  lease(
    stream: number,
    id: string,
    works: readonly FarWork[],
  ): Promise<FarReport>;
  /** What is not begun of a lease is left to others. */
  leave(id: string): Promise<void>;
  /** Reads the next frame, once that before was let go of; `undefined` at the end of the stream. */
  frame(stream: number, maxBody: number): Promise<FarFrame | undefined>;
  /** Writes bytes of the frame that is there; says how many, from the first on. */
  place(
    stream: number,
    start: number,
    end: number,
    place: OpenPlace,
  ): Promise<number>;
  /** Brings bytes of the frame that is there. */
  bring(
    stream: number,
    start: number,
    end: number,
  ): Promise<Uint8Array<ArrayBuffer>>;
}

/** Why a call failed. */
export interface FarFailure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** One call. */
export interface LaneCall {
  readonly id: number;
  readonly call: keyof LaneCalls;
  readonly args: readonly unknown[];
}

/** What a Worker says. */
export type LaneAnswer =
  | { readonly type: "ready" }
  | { readonly type: "done"; readonly id: number; readonly value: unknown }
  /** Some of the next frame has come. */
  | {
    readonly type: "arrived";
    readonly stream: number;
    readonly bytes: number;
  }
  | {
    readonly type: "failed";
    readonly id: number;
    readonly failure: FarFailure;
  };
