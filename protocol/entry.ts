/**
 * Entries: one file, folder or link as the manifest and the root digest have it.
 *
 * | field      | bytes     | meaning                                        |
 * | ---------- | --------- | ---------------------------------------------- |
 * | kind       | 1         | 0 file, 1 dir, 2 dir-end, 3 link               |
 * | mode       | varint    | permission bits, at most 0o7777                |
 * | mtime      | 8         | nanoseconds since 1970, with a sign            |
 * | path       | string    | 1 to 4096 bytes, parts separated by `/`        |
 * | size       | varint    | files only                                     |
 * | chunk size | 1         | files only: its binary logarithm, 16 to 24     |
 * | target     | string    | links only: 1 to 4096 bytes                    |
 *
 * @module
 */
import { unreachable } from "../core/actor.ts";
import { createWriter, type Reader, type Writer } from "./cursor.ts";
import { writtenTime } from "./times.ts";

/** One file, folder or link. */
export type Entry =
  | FileEntry
  | {
    /** `dir` comes before what is in the folder, `dir-end` after it. */
    readonly kind: "dir" | "dir-end";
    readonly path: string;
    readonly mode: number;
    readonly mtimeNs: bigint;
  }
  | {
    readonly kind: "link";
    readonly path: string;
    readonly mode: number;
    readonly mtimeNs: bigint;
    readonly target: string;
  };

/** A file, whose content travels in chunks. */
export interface FileEntry {
  readonly kind: "file";
  readonly path: string;
  readonly mode: number;
  readonly mtimeNs: bigint;
  readonly size: number;
  /** A power of two; only the last chunk may be shorter. */
  readonly chunkSize: number;
}

/** What became of an entry. */
export type Outcome = "here" | "gone" | "refused";

/** Smallest chunk: below it the records would outweigh the data. */
export const MIN_CHUNK_BYTES: number = 2 ** 16;
/** Largest chunk: it is held in memory whole. */
export const MAX_CHUNK_BYTES: number = 2 ** 24;

const MAX_PATH_BYTES = 4096;
const MAX_MODE = 0o7777;
const KINDS = ["file", "dir", "dir-end", "link"] as const;
const OUTCOMES = ["here", "gone", "refused"] as const;
const NO_DIGEST = new Uint8Array(32);

/** Returns how many chunks an entry has; only files have any. */
export function chunkCount(entry: Entry): number {
  return entry.kind === "file" ? Math.ceil(entry.size / entry.chunkSize) : 0;
}

/**
 * Returns how many bytes a chunk of a file has.
 *
 * @throws {RangeError} when the file has no such chunk.
 */
export function chunkLength(
  entry: Pick<FileEntry, "size" | "chunkSize">,
  chunk: number,
): number {
  const rest = entry.size - chunk * entry.chunkSize;
  if (!Number.isSafeInteger(chunk) || chunk < 0 || rest <= 0) {
    throw new RangeError(
      `Cannot measure chunk as it must lie within ${entry.size} bytes: current value is ${chunk}`,
    );
  }
  return Math.min(rest, entry.chunkSize);
}

/**
 * Returns what an entry adds to the root digest.
 *
 * @param digest The content digest of a file that is here, and only of that.
 * @throws {RangeError} when there is a digest too many or one too few.
 */
export function rootRecord(
  entry: Entry,
  outcome: Outcome,
  digest: Uint8Array | undefined,
): Uint8Array<ArrayBuffer> {
  const to = createWriter("ROOT");
  writeRootRecord(to, entry, outcome, digest);
  return to.finish();
}

/** As `rootRecord()`, behind what was written already. */
export function writeRootRecord(
  to: Writer,
  entry: Entry,
  outcome: Outcome,
  digest: Uint8Array | undefined,
): void {
  const needed = entry.kind === "file" && outcome === "here";
  if (needed !== (digest !== undefined)) {
    throw new RangeError(
      `Cannot record ${entry.kind} that is ${outcome} as a digest must ${
        needed ? "" : "not "
      }be given`,
    );
  }
  writeEntry(to, entry);
  to.u8(OUTCOMES.indexOf(outcome)).bytes(digest ?? NO_DIGEST, 32);
}

/** Writes the body of an entry. */
export function writeEntry(to: Writer, entry: Entry): void {
  if (entry.mode > MAX_MODE) {
    throw new RangeError(
      `Cannot encode ENTRY as mode must be <= 0o7777: current value is ${entry.mode}`,
    );
  }
  to.u8(KINDS.indexOf(entry.kind)).varint(entry.mode)
    .i64(writtenTime(entry.mtimeNs))
    .string(entry.path, MAX_PATH_BYTES, 1);
  switch (entry.kind) {
    case "file":
      to.varint(entry.size).u8(logOf(entry.chunkSize));
      return;
    case "link":
      to.string(entry.target, MAX_PATH_BYTES, 1);
      return;
    case "dir":
    case "dir-end":
      return;
    default:
      unreachable(entry);
  }
}

/** Reads the body of an entry. */
export function decodeEntry(from: Reader): Entry {
  const code = from.u8();
  const kind = KINDS[code] ?? from.fail(`kind ${code} is unknown`);
  const mode = from.varint(MAX_MODE);
  const mtimeNs = from.i64();
  const path = from.string(MAX_PATH_BYTES, 1);
  switch (kind) {
    case "file": {
      const size = from.varint();
      const log = from.u8();
      if (log < 16 || log > 24) {
        from.fail(`the chunk size must be 2^16 to 2^24: it is 2^${log}`);
      }
      return { kind, path, mode, mtimeNs, size, chunkSize: 2 ** log };
    }
    case "link": {
      const target = from.string(MAX_PATH_BYTES, 1);
      return { kind, path, mode, mtimeNs, target };
    }
    case "dir":
    case "dir-end":
      return { kind, path, mode, mtimeNs };
    default:
      return unreachable(kind);
  }
}

function logOf(chunkSize: number): number {
  const log = Math.log2(chunkSize);
  if (!Number.isInteger(log) || log < 16 || log > 24) {
    throw new RangeError(
      `Cannot encode ENTRY as chunk size must be a power of two in 2^16..2^24: current value is ${chunkSize}`,
    );
  }
  return log;
}
