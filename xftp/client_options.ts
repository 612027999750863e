/**
 * What the client can be told, and what it answers.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { EventSink } from "../core/events.ts";
import type { RandomBytes } from "../crypto/random.ts";
import type { RouterAddress } from "./address.ts";
import type { Description } from "./description.ts";

/** What everything that the client does can be told. */
export interface ClientOptions {
  /** Attempts of each thing, 1 or more. @default {3} */
  readonly attempts?: number;
  /** Connections to each router, and so chunks on their way at once. @default {1} */
  readonly connections?: number;
  readonly signal?: AbortSignal;
  readonly onEvent?: EventSink;
  /** @default {the machine's} */
  readonly clock?: Clock;
  /** @default {the system's} */
  readonly randomBytes?: RandomBytes;
  /** Chooses routers. @default {the system's} */
  readonly random?: () => number;
  /** The addresses of a router's name. @default {the system's} */
  readonly lookup?: (hostname: string) => Promise<readonly string[]>;
  /** Authorities that are trusted beside the system's, PEM. @default {[]} */
  readonly webAuthorities?: readonly string[];
}

/** What is to be stored, and where. */
export interface StoreOptions extends ClientOptions {
  /** Files and folders. */
  readonly paths: readonly string[];
  /** Chunks are spread over them. At least one. */
  readonly routers: readonly RouterAddress[];
  /** How many may fetch it, each with a description of their own. @default {1} */
  readonly recipients?: number;
  /** What it is called. @default {as the path is} */
  readonly name?: string;
  /** Stores what links point to. @default {false} */
  readonly follow?: boolean;
  /** Patterns of what stays here. @default {[]} */
  readonly exclude?: readonly string[];
  /** Name of files that hold more such patterns. @default {none} */
  readonly ignoreFile?: string;
  /** Where the state of interrupted uploads is. @default {"sftpx_resume"} */
  readonly resumeDir?: string;
  /** Forgets what an interrupted run has left. @default {false} */
  readonly fresh?: boolean;
  /**
   * Keeps what was stored, before the state is removed that could make it again.
   * @default {nothing}
   */
  readonly keep?: (result: StoreResult) => Promise<void>;
}

/** What was stored. */
export interface StoreResult {
  /** What it is called. */
  readonly name: string;
  /** Removes it: a secret of the sender. */
  readonly sender: Description;
  /** One for each recipient: secrets too. */
  readonly recipients: readonly Description[];
  /** One for each recipient, with the same in it. */
  readonly links: readonly string[];
  /** Of links that lead to a description on a router: they remove that one. */
  readonly linkSenders: readonly Description[];
}

/** What is to be fetched, and whereto. */
export interface FetchOptions extends ClientOptions {
  readonly description: Description;
  /** Where it goes. @default {"uploads"} */
  readonly uploadDir?: string;
  /** When a name is taken. @default {"rename"} */
  readonly onConflict?: "rename" | "skip" | "overwrite" | "fail";
  /** What it is called. @default {as the sender says} */
  readonly name?: string;
  /** Takes names that begin with a dot. @default {false} */
  readonly allowHidden?: boolean;
  /** Unpacks our archives. @default {true} */
  readonly unpack?: boolean;
  /** Links in archives to make. @default {"inside"} */
  readonly links?: "inside" | "all" | "none";
  /** Bytes at most. @default {no limit} */
  readonly maxSize?: number;
  /** Entries of an archive at most. @default {no limit} */
  readonly maxFiles?: number;
  /** Disk space to leave free. @default {64 MiB} */
  readonly keepFree?: number;
  /** Where locks are. @default {"sftpx_resume"} */
  readonly resumeDir?: string;
}

/** What was fetched. */
export interface FetchResult {
  /**
   * What came, by the names at the top of the upload directory; nothing if it
   * was there already.
   */
  readonly places: readonly string[];
  readonly bytes: number;
  /** How much is left out; the routers are then told of nothing, and keep all. */
  readonly failed: number;
  /** What is left out, the first of it by name. */
  readonly failures: readonly FetchFailure[];
}

/** Something that is left out: its name is taken, or the options refuse it. */
export interface FetchFailure {
  readonly path: string;
  readonly reason: string;
}

/** What is to be removed. */
export interface RemoveOptions extends ClientOptions {
  /** A sender's. */
  readonly description: Description;
}

/** What of it is for dialling. */
export function dialOptions(
  { lookup, webAuthorities }: ClientOptions,
): Pick<ClientOptions, "lookup" | "webAuthorities"> {
  return {
    ...lookup && { lookup },
    ...webAuthorities && { webAuthorities },
  };
}
