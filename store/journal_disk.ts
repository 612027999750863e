/**
 * The journal's file while it is open: appending, looking up, writing it anew.
 *
 * Work on the file is done one piece at a time, in the order it was asked for.
 * What is added waits in memory, with its place in the file already known.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { ioError } from "./io_error.ts";
import {
  type Digest,
  type DoneRecord,
  encodeRecord,
  type JournalRecord,
  recordRoom,
} from "./journal_codec.ts";
import { discard, writeCompacted } from "./journal_compact.ts";
import type { JournalFs } from "./journal_fs.ts";
import { logBuffer, recordReader } from "./journal_log.ts";
import { type Loaded, temporaryName } from "./journal_open.ts";
import { quoted } from "./paths.ts";

/** A journal's file, and the records that are not in it yet. */
export interface JournalDisk {
  /** Bytes of the log, with those that wait. */
  readonly size: number;
  readonly doneCount: number;
  readonly indexBytes: number;
  /** Takes a record's effect, and keeps it to be written. */
  add(record: JournalRecord): void;
  doneFor(path: string): Promise<DoneRecord | undefined>;
  doneNow(path: string): DoneRecord | undefined;
  flush(): Promise<void>;
  compact(): Promise<void>;
  close(keepBlank?: boolean): Promise<void>;
  /** Whether less than half of a log of `least` bytes or more still counts. */
  wasteful(least: number): boolean;
}

/** What a journal's file needs. */
export interface JournalDiskDeps {
  readonly name: string;
  readonly digest: Digest;
  readonly fs: JournalFs;
}

/** A log shorter than this is not worth writing anew while it is in use. */
const COMPACT_BYTES = 1 << 20;

/** Takes over a journal that was opened. */
export function journalDisk(
  deps: JournalDiskDeps,
  loaded: Loaded,
): JournalDisk {
  const { digest, fs } = deps;
  const name = quoted(deps.name);
  const temporary = temporaryName(deps.name);
  const { parts, lock, header } = loaded;
  let { file, index, doneBytes, doneLogged } = loaded;
  let reader = recordReader(file, digest);
  let log = logBuffer(loaded.end, loaded.check, digest);
  let tail: Promise<void> = Promise.resolve(); // of the queue of disk work
  let waiting: Promise<void> | undefined; // a flush that has not begun
  let closing: Promise<void> | undefined;
  let closed = false;
  let torn = false; // the file may go on after the last good record
  let renamed = false; // and the directory is not synced since
  let nextLook = COMPACT_BYTES;
  const room = recordRoom();

  const enqueue = (work: () => Promise<void>): Promise<void> => {
    const run = tail.then(work);
    tail = run.catch(() => {}); // whoever asked for it hears of it
    return run;
  };

  const add = (record: JournalRecord): void => {
    if (closed) {
      throw new SftpxError(
        "internal",
        `Cannot write journal ${name}: it is closed`,
      );
    }
    const at = log.push(encodeRecord(record, room)); // which copies it
    parts.apply(record);
    if (record.type !== "done") return;
    index.set(index.keyOf(record.path), at);
    doneBytes += log.end - at;
    doneLogged++;
  };

  /** Writes what waits now; what is added meanwhile waits for the next. */
  const append = async (): Promise<void> => {
    const bytes = log.bytes;
    try {
      if (renamed) await fs.syncDir(loaded.dir);
      renamed = false;
      if (bytes.length === 0) return;
      if (torn) await file.truncate(log.start);
      torn = true;
      await file.write(bytes, log.start);
      await file.sync();
      log.written(bytes.length);
      torn = false;
    } catch (error) {
      // A failed sync may have dropped what was written, so all of it is
      // written again the next time.
      if (torn) {
        await file.truncate(log.start).then(() => torn = false, () => {});
      }
      throw ioError(`write journal ${name}`, error);
    }
  };

  const wasteful = (least: number): boolean => {
    if (log.end < least) return false;
    const share = doneLogged === 0 ? 0 : index.size / doneLogged;
    return log.end >
      2 * (header.length + doneBytes * share + parts.liveBytes());
  };

  const rewrite = async (): Promise<void> => {
    // All three are taken at one moment, the one that append() writes up to.
    const end = log.end;
    const live = index.clone();
    const snapshot = parts.snapshot();
    const logged = doneLogged;
    await append();
    try {
      const source = { file, end, index: live, parts: snapshot };
      const next = await writeCompacted(fs, temporary, header, source, digest);
      try {
        await fs.rename(temporary, deps.name);
      } catch (error) {
        await discard(fs, next.file, temporary);
        throw error;
      }
      // No await from here until all of it belongs to the new file.
      const old = reader;
      const moved = logBuffer(next.end, next.check, digest);
      doneBytes = next.doneBytes;
      doneLogged = live.size + doneLogged - logged;
      log.moveTo(moved, (_, offset) => {
        const record = moved.at(offset);
        if (record?.type !== "done") return;
        live.set(live.keyOf(record.path), offset);
        doneBytes += moved.end - offset;
      });
      [file, index, log] = [next.file, live, moved];
      reader = recordReader(file, digest);
      torn = false;
      renamed = true;
      nextLook = log.end + COMPACT_BYTES;
      await old.close().catch(() => {}); // nothing in it is needed
      await fs.syncDir(loaded.dir);
      renamed = false;
    } catch (error) {
      throw ioError(`compact journal ${name}`, error);
    }
  };

  const disk: JournalDisk = {
    get size() {
      return log.end;
    },
    get doneCount() {
      return index.size;
    },
    get indexBytes() {
      return index.byteLength;
    },
    add,
    async doneFor(path) {
      const offset = index.get(index.keyOf(path));
      if (offset === undefined) return undefined;
      const waits = log.at(offset);
      const record = waits ??
        await reader.read(offset, log.start).catch((error) => {
          throw ioError(`read journal ${name}`, error);
        });
      return doneOf(record, path);
    },
    doneNow(path) {
      const offset = index.get(index.keyOf(path));
      if (offset === undefined) return undefined;
      return doneOf(log.at(offset) ?? reader.peek(offset), path);
    },
    flush() {
      return waiting ??= enqueue(async () => {
        waiting = undefined;
        await append();
        if (closing !== undefined || log.end < nextLook) return;
        nextLook = log.end + COMPACT_BYTES;
        // Nobody waits for it, and when it fails the log is only longer.
        if (wasteful(COMPACT_BYTES)) enqueue(rewrite).catch(() => {});
      });
    },
    compact: () => enqueue(rewrite),
    close(keepBlank = true) {
      return closing ??= (async () => {
        try {
          await disk.flush();
        } finally {
          await tail;
          closed = true;
          await Promise.allSettled([reader.close()]);
          const isBlank = loaded.state === "fresh" && log.end === loaded.end;
          if (isBlank && !keepBlank) {
            await fs.remove(deps.name).catch(() => {}); // it is no worse there
          }
          await lock.release();
        }
      })();
    },
    wasteful,
  };
  return disk;
}

/** A done record of this very path: two may have the same key. */
function doneOf(
  record: JournalRecord | undefined,
  path: string,
): DoneRecord | undefined {
  if (record?.type !== "done" || record.path !== path) return undefined;
  const { type: _, ...done } = record;
  return { ...done, digest: done.digest.slice() };
}
