/**
 * What a transfer tells the one who started it. These are the events of
 * `--json` as well: every value is plain JSON, names are escaped only when shown.
 *
 * @module
 */
import type { ErrorCode } from "./errors.ts";

/** What became of one entry. */
export type EntryOutcome = "received" | "skipped" | "refused" | "gone";

/** Where the time goes. */
export type Limiter = "none" | "link" | "peer-disk" | "disk" | "cpu" | "rate";

/** How a connection reaches the other: by its address, within one network, through a hole in a NAT, by way of a relay, or of a router that stores. */
export type Path = "direct" | "lan" | "punched" | "relayed" | "router";

/** Numbers that both ends have confirmed, or, before the end, as they stand. */
export interface Totals {
  /** Files, folders and links, each once. */
  readonly entries: number;
  /** Bytes of file content in all of them. */
  readonly bytes: number;
  /** Bytes of content that crossed the network in this run. */
  readonly sent: number;
  /** Bytes that were already there, verified. */
  readonly reused: number;
  /** Entries that were already in place. */
  readonly skipped: number;
  /** Entries that could not be sent or were refused. */
  readonly failed: number;
}

/** Something that happened to a transfer. */
export type TransferEvent =
  | {
    readonly type: "listening";
    readonly address: string;
    readonly fingerprint: string;
  }
  | {
    readonly type: "connecting";
    readonly address: string;
    readonly attempt: number;
  }
  | {
    readonly type: "connected";
    readonly session: string;
    readonly remote: string;
    readonly path: Path;
    /** How it crosses the network. */
    readonly carrier: "quic" | "tcp";
    /** True when this goes on with what an earlier connection or run began. */
    readonly resumed: boolean;
  }
  | {
    readonly type: "reconnecting";
    readonly session: string;
    readonly code: ErrorCode;
    readonly reason: string;
  }
  | {
    readonly type: "moved";
    readonly session: string;
    readonly side: "local" | "peer";
    readonly from: string;
    readonly to: string;
  }
  | {
    readonly type: "started";
    readonly session: string;
    readonly label: string;
    readonly remote: string;
  }
  | {
    readonly type: "paused";
    readonly session: string;
    readonly code: ErrorCode;
    readonly reason: string;
  }
  | {
    readonly type: "progress";
    readonly session: string;
    /** Bytes that are verified and on the receiver's disk. */
    readonly bytes: number;
    /** Bytes found so far; final when `counted`. */
    readonly total: number;
    readonly counted: boolean;
    readonly entries: number;
    /** Bytes of content that crossed the network in this run so far. */
    readonly sent: number;
    /** Bytes a second, over the last seconds. */
    readonly rate: number;
    readonly limiter: Limiter;
  }
  | {
    readonly type: "entry";
    readonly session: string;
    readonly path: string;
    readonly kind: "file" | "dir" | "link";
    readonly outcome: EntryOutcome;
    readonly bytes: number;
    /** The file's own BLAKE3, as `b3sum` prints it, where it was asked for. */
    readonly b3sum?: string;
    /** Where it stands, below the upload directory, when that is not `path`. */
    readonly finalPath?: string;
    readonly reason?: string;
  }
  | { readonly type: "warning"; readonly message: string }
  | {
    readonly type: "done";
    readonly session: string;
    readonly totals: Totals;
    /** The digest that both ends confirmed, 64 hex digits. */
    readonly root: string;
    readonly ms: number;
  }
  | {
    readonly type: "failed";
    readonly session: string;
    readonly code: ErrorCode;
    readonly message: string;
  };

/** Who listens to events. It must not throw. */
export type EventSink = (event: TransferEvent) => void;
