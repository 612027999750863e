/**
 * A file that is being sent: the one that the walk found, or none.
 *
 * Between the walk and the reading someone may put a link in the place of the
 * file, or of a folder above it. What is opened must be the very file that was
 * found, at the place where it was found.
 *
 * @module
 */
import { constants } from "node:fs";
import { type FileHandle, lstat, open, stat } from "node:fs/promises";
import type { BigIntStats } from "node:fs";
import { SftpxError } from "../core/errors.ts";
import { errorCode, ioError } from "./io_error.ts";
import { quoted } from "./paths.ts";
import type { SourceFileEntry } from "./source_entry.ts";

/** A file open for reading. */
export interface SourceFile {
  /**
   * Reads into `into` from `position` on.
   *
   * @returns How many bytes there were: fewer than asked means that the file
   * ends there.
   * @throws {SftpxError} "local-io" when the disk fails.
   */
  read(into: Uint8Array, position: number): Promise<number>;
  /**
   * Says what the file is now when it is not what the walk found.
   *
   * @throws {SftpxError} "local-io" when it is not there any more.
   */
  changed(): Promise<
    { readonly size: number; readonly mtimeNs: bigint } | undefined
  >;
  /** Closes it; again does nothing. */
  close(): Promise<void>;
}

/**
 * Opens a file that a walk found.
 *
 * @throws {SftpxError} "local-io" when it cannot be read, or something else is
 * in its place.
 */
export async function openSource(entry: SourceFileEntry): Promise<SourceFile> {
  const what = `read ${quoted(entry.path)}`;
  let handle: FileHandle;
  try {
    handle = await open(entry.local, entry.followed ? FOLLOW : NO_FOLLOW);
  } catch (error) {
    throw ioError(what, error);
  }
  try {
    const facts = await handle.stat(BIGINT);
    if (!isSame(facts, entry) || !await isInPlace(handle, entry)) {
      throw new SftpxError("local-io", `Cannot ${what}: it was replaced`);
    }
  } catch (error) {
    await handle.close().catch(() => {});
    throw ioError(what, error);
  }
  let isOpen = true;
  return {
    async read(into, position) {
      let read = 0;
      try {
        while (read < into.length) {
          const { bytesRead } = await handle.read(
            into,
            read,
            into.length - read,
            position + read,
          );
          if (bytesRead === 0) {
            break;
          }
          read += bytesRead;
        }
      } catch (error) {
        throw ioError(what, error);
      }
      return read;
    },
    async changed() {
      try {
        const [opened, named] = await Promise.all([
          handle.stat(BIGINT),
          look(entry),
        ]);
        const other = [named, opened].find((facts) => !isLike(facts, entry));
        return other && { size: Number(other.size), mtimeNs: other.mtimeNs };
      } catch (error) {
        throw ioError(what, error);
      }
    },
    async close() {
      if (isOpen) {
        isOpen = false;
        await handle.close();
      }
    },
  };
}

/**
 * Looks again at a file that changed: the same entry with what is there now.
 *
 * @throws {SftpxError} "local-io" when there is no file any more.
 */
export async function refreshed(
  entry: SourceFileEntry,
): Promise<SourceFileEntry> {
  const what = `read ${quoted(entry.path)}`;
  let facts: BigIntStats;
  try {
    facts = await look(entry);
  } catch (error) {
    throw ioError(what, error);
  }
  if (!facts.isFile()) {
    throw new SftpxError("local-io", `Cannot ${what}: it is no file any more`);
  }
  const { mtimeNs, ctimeNs, ino, dev } = facts;
  const mode = Number(facts.mode & 0o7777n);
  const size = Number(facts.size);
  return { ...entry, size, mode, mtimeNs, ctimeNs, ino, dev };
}

/** Not to wait for a writer when a pipe has taken the file's place. */
const FOLLOW = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
const NO_FOLLOW = FOLLOW | (constants.O_NOFOLLOW ?? 0);
const BIGINT = { bigint: true } as const;

function look(entry: SourceFileEntry): Promise<BigIntStats> {
  return (entry.followed ? stat : lstat)(entry.local, BIGINT);
}

function isSame(facts: BigIntStats, entry: SourceFileEntry): boolean {
  return facts.isFile() && facts.ino === entry.ino && facts.dev === entry.dev;
}

function isLike(facts: BigIntStats, entry: SourceFileEntry): boolean {
  return isSame(facts, entry) && Number(facts.size) === entry.size &&
    facts.mtimeNs === entry.mtimeNs && facts.ctimeNs === entry.ctimeNs;
}

/**
 * Makes sure that no link led to what is open. Linux knows the path of an open
 * file; elsewhere we ask for the path again, which leaves a small gap.
 */
async function isInPlace(
  handle: FileHandle,
  entry: SourceFileEntry,
): Promise<boolean> {
  if (entry.followed) {
    return true;
  }
  if (Deno.build.os === "linux") {
    try {
      return await Deno.readLink(`/proc/self/fd/${handle.fd}`) === entry.local;
    } catch (error) {
      if (errorCode(error) !== "ENOENT") {
        throw error;
      }
    }
  }
  return await Deno.realPath(entry.local) === entry.local;
}
