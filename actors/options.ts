/**
 * What `send()` and `receive()` can be told.
 *
 * @module
 */
import type { EventSink, Totals } from "../core/events.ts";
import type { Log } from "../core/log.ts";
import type { Secret } from "../core/secret.ts";
import type { CarrierMode } from "../transport/carrier.ts";
import type { Dialer, Listener } from "../transport/transport.ts";

/** A receiver, and how we know that it is the right one. */
export interface Peer {
  /** `host:port`, `[v6]:port`. */
  readonly address: string;
  /** SHA-256 of the certificate (DER), 32 bytes: the only certificate that is accepted. */
  readonly fingerprint: Uint8Array;
  /** The receiver's access token; none for one that takes anyone. */
  readonly token?: Secret;
  /** Who it is across runs, where its certificate does not last that long. @default {fingerprint} */
  readonly identity?: Uint8Array;
  /** How to reach it, where its address alone does not lead there. @default {dials the address} */
  readonly dialers?: PeerDialers;
}

/** Gets one receiver; each connection must be with the certificate of the fingerprint. */
export interface PeerDialers {
  /** For connections whose congestion control is CUBIC, or TCP's. */
  readonly cubic: Dialer;
  /** For connections that go by BBR, where the path has it. */
  readonly bbr: Dialer;
  /** Over TCP, for chunks beside QUIC. @default {none} */
  readonly tcp?: Dialer;
}

/** Bytes that are sent under a name as they come; they can be read once. */
export interface StreamSource {
  /** What the receiver calls it. */
  readonly name: string;
  /** What it holds. */
  readonly stream: ReadableStream<Uint8Array>;
}

/** What to send, to whom, and how. */
export interface SendOptions {
  /** Files and folders, or one stream. */
  readonly paths: readonly (string | StreamSource)[];
  /** Who is to have it. */
  readonly to: Peer;
  /** Sends what symbolic links point to. @default {false} */
  readonly follow?: boolean;
  /** Glob patterns of what stays here, as .gitignore has them. @default {[]} */
  readonly exclude?: readonly string[];
  /** Name of the files in the tree that hold more such patterns (".gitignore"). @default {none} */
  readonly ignoreFile?: string;
  /** Bytes a second at most. @default {no limit} */
  readonly limitRate?: number;
  /** Data streams of one connection, 1 to 64. @default {8} */
  readonly lanes?: number;
  /** Connections at most, 1 to 16; as many as the path needs are used. @default {4} */
  readonly connections?: number;
  /**
   * Further connections on threads of their own, 0 to 15; `auto` has none on
   * fewer than 4 cores, and elsewhere as many as it takes. @default {"auto"}
   */
  readonly threads?: number | "auto";
  /** What decides how fast to send; `auto` tries BBR where loss holds CUBIC down. @default {"auto"} */
  readonly congestion?: "auto" | "cubic" | "bbr";
  /** How to cross the network; `auto` takes TCP where UDP does not pass. @default {"auto"} */
  readonly carrier?: CarrierMode;
  /** Bytes of a chunk, a power of two from 64 KiB to 16 MiB. @default {1 MiB; 4 MiB for files over 64 GiB} */
  readonly chunkSize?: number;
  /** Gives up after this long without progress, ms. @default {600000} */
  readonly giveUpAfterMs?: number;
  /** Forgets what an earlier run left at the receiver. @default {false} */
  readonly fresh?: boolean;
  /** Compares files that look unchanged by content. @default {false} */
  readonly checksum?: boolean;
  /** Gives and checks each file's own BLAKE3 too. @default {false} */
  readonly b3sum?: boolean;
  /** Where this machine's part of the state is. @default {"sftpx_resume"} */
  readonly resumeDir?: string;
  /** Ends the transfer in order; the same call again goes on. */
  readonly signal?: AbortSignal;
  /** Told of all that happens. @default {nobody} */
  readonly onEvent?: EventSink;
  /** Told what the parts of the program do, for those who look for a fault. @default {nobody} */
  readonly log?: Log;
}

/** What a finished transfer says of itself. */
export interface SendResult {
  /** What this send is called, across runs: 64 hex digits. */
  readonly session: string;
  /** Counts that both ends agree on. */
  readonly totals: Totals;
  /** The digest that both ends confirmed, 64 hex digits. */
  readonly root: string;
  /** How long it took, ms. */
  readonly ms: number;
  /** What could not be sent, at most the first 100. */
  readonly failures: readonly {
    readonly path: string;
    readonly reason: string;
  }[];
}

/** What to do with a name that is taken by other content. */
export type ConflictPolicy = "rename" | "skip" | "overwrite" | "fail";

/** Which symbolic links a receiver makes: those that stay inside what was sent, all, or none. */
export type LinkPolicy = "inside" | "all" | "none";

/** Where to listen, what to take, where to put it. */
export interface ReceiveOptions {
  /** Host and port to bind. @default {"0.0.0.0:4443"} */
  readonly bind?: string;
  /** What to listen on; `auto` is UDP, and TCP if it can be had. @default {"auto"} */
  readonly carrier?: CarrierMode;
  /**
   * Where senders come in, in place of `bind` and `carrier`. What comes in must
   * have met `certificate`. It is closed with the receiver.
   */
  readonly listener?: Listener;
  /** Where senders come in as well; it must show the same certificate, and is closed with the receiver. */
  readonly alsoAt?: Listener;
  /** Certificate chain and private key, PEM. */
  readonly certificate: { readonly cert: string; readonly key: Secret };
  /** Senders prove that they hold it. `"open"` takes anyone. */
  readonly token: Secret | "open";
  /** Where it goes. @default {"uploads"} */
  readonly uploadDir?: string;
  /** Where the journals are. @default {"sftpx_resume"} */
  readonly resumeDir?: string;
  /** Ends after the first transfer that is complete. @default {false} */
  readonly once?: boolean;
  /** What to do with a name that is taken. @default {"rename"} */
  readonly onConflict?: ConflictPolicy;
  /** Which symbolic links to make. @default {"inside"} */
  readonly links?: LinkPolicy;
  /** Takes top-level names that begin with a dot. @default {false} */
  readonly allowHidden?: boolean;
  /** Bytes of one transfer at most. @default {no limit but the disk} */
  readonly maxSize?: number;
  /** Entries of one transfer at most. @default {no limit} */
  readonly maxFiles?: number;
  /**
   * Threads for further connections of senders, 0 to 15; `auto` has none on
   * fewer than 4 cores. @default {"auto"}
   */
  readonly threads?: number | "auto";
  /** Transfers at once. @default {128} */
  readonly maxSessions?: number;
  /** Bytes of disk that stay free. @default {64 MiB} */
  readonly keepFree?: number;
  /** Ends the receiver in order. */
  readonly signal?: AbortSignal;
  /** Told of all that happens. @default {nobody} */
  readonly onEvent?: EventSink;
  /** Told what the parts of the program do, for those who look for a fault. @default {nobody} */
  readonly log?: Log;
}

/** A receiver at work. */
export interface Receiver {
  /** What is bound, `host:port`. */
  readonly address: string;
  /** SHA-256 of the certificate, 32 bytes. */
  readonly fingerprint: Uint8Array;
  /** Resolves when it has stopped; with `once`, after the first complete transfer. */
  readonly finished: Promise<void>;
  /** Stops in order. */
  close(): Promise<void>;
}
