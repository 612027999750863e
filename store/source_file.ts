/**
 * A file that is being sent: the one that the walk found, or none.
 *
 * Between the walk and the reading someone may put a link in the place of the
 * file, or of a folder above it. What is opened must be the very file that was
 * found, at the place where it was found.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { errorCode, ioError } from "./io_error.ts";
import { quoted } from "./paths.ts";
import type { DiskFile, Facts } from "./source_disk.ts";
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
  let file: DiskFile;
  try {
    file = await entry.disk.open(entry.local, entry.followed);
  } catch (error) {
    throw ioError(what, error);
  }
  try {
    const facts = await file.stat();
    const isAnother = !isSame(facts, entry);
    if (isAnother || !entry.followed && !await file.isAt(entry.local)) {
      const stale = Object.assign(new Error("replaced"), { code: REPLACED });
      throw new SftpxError(
        "local-io",
        `Cannot ${what}: it was replaced`,
        isAnother ? stale : undefined,
      );
    }
  } catch (error) {
    await file.close().catch(() => {});
    throw ioError(what, error);
  }
  let isOpen = true;
  return {
    async read(into, position) {
      let read = 0;
      try {
        while (read < into.length) {
          const rest = read === 0 ? into : into.subarray(read);
          const count = await file.read(rest, position + read);
          if (count === 0) {
            break;
          }
          read += count;
        }
      } catch (error) {
        throw ioError(what, error);
      }
      return read;
    },
    async changed() {
      try {
        const [opened, named] = await Promise.all([
          file.stat(),
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
        await file.close();
      }
    },
  };
}

/**
 * Reads a whole small file at once.
 *
 * @returns Whether `into` holds all of it and it is what the walk found, now
 * that it is read. If not, `openSource()` says what is the matter.
 */
export function readSmallNow(
  entry: SourceFileEntry,
  into: Uint8Array,
): boolean {
  if (entry.followed || into.length !== entry.size) return false;
  const now = entry.disk.readNow?.(entry.local, into);
  return now !== undefined && now.ino === entry.ino && now.dev === entry.dev &&
    Number(now.size) === entry.size && now.mtimeNs === entry.mtimeNs &&
    now.ctimeNs === entry.ctimeNs;
}

/** Tells whether opening failed as another file stands there: one to look at again. */
export function wasReplaced(error: SftpxError): boolean {
  return errorCode(error.cause) === REPLACED;
}

const REPLACED = "ESTALE";

/**
 * Looks again at a file that changed: the same entry with what is there now.
 *
 * @throws {SftpxError} "local-io" when there is no file any more.
 */
export async function refreshed(
  entry: SourceFileEntry,
): Promise<SourceFileEntry> {
  const what = `read ${quoted(entry.path)}`;
  let facts: Facts;
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

function look(entry: SourceFileEntry): Promise<Facts> {
  return entry.disk.look(entry.local, entry.followed);
}

function isSame(facts: Facts, entry: SourceFileEntry): boolean {
  return facts.isFile() && facts.ino === entry.ino && facts.dev === entry.dev;
}

function isLike(facts: Facts, entry: SourceFileEntry): boolean {
  return isSame(facts, entry) && Number(facts.size) === entry.size &&
    facts.mtimeNs === entry.mtimeNs && facts.ctimeNs === entry.ctimeNs;
}
