/**
 * Writing a journal anew: only what still counts, under a temporary name.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import {
  CHECK_BYTES,
  type Digest,
  encodeRecord,
  type JournalRecord,
} from "./journal_codec.ts";
import type { JournalFile, JournalFs } from "./journal_fs.ts";
import type { DoneIndex } from "./journal_index.ts";
import { logBuffer, type LogEnd, readLog } from "./journal_log.ts";

/** A journal and what of it shall be kept. */
export interface CompactSource {
  readonly file: JournalFile;
  /** Where the part of the file ends that is read. */
  readonly end: number;
  /** Which done records count. Changed as they move. */
  readonly index: DoneIndex;
  /** Everything that is not a done record. */
  readonly parts: Iterable<JournalRecord>;
}

/** A journal that was written, synced and not yet renamed. */
export interface CompactResult extends LogEnd {
  readonly file: JournalFile;
  readonly doneBytes: number;
}

/** What is written at once, and so about what is in memory. */
const WRITE_BYTES = 1 << 18;

/** Writes and syncs a journal at `path`; leaves nothing there when it fails. */
export async function writeCompacted(
  fs: JournalFs,
  path: string,
  header: Uint8Array,
  source: CompactSource | undefined,
  digest: Digest,
): Promise<CompactResult> {
  const file = await fs.create(path);
  try {
    await file.write(header, 0);
    const check = header.slice(header.length - CHECK_BYTES);
    const log = logBuffer(header.length, check, digest);
    const drain = async (least: number): Promise<void> => {
      const { bytes, start } = log;
      if (bytes.length < least) return;
      if (bytes.length >= CHECK_BYTES) check.set(bytes.subarray(-CHECK_BYTES));
      await file.write(bytes, start);
      log.written(bytes.length);
    };
    const doneBytes = source === undefined
      ? 0
      : await copyDone(source, log.push, drain, digest);
    for (const record of source?.parts ?? []) {
      log.push(encodeRecord(record));
      await drain(WRITE_BYTES);
    }
    await drain(0);
    await file.sync();
    return { file, end: log.end, check, doneBytes };
  } catch (error) {
    await discard(fs, file, path);
    throw error;
  }
}

/** Closes and removes a file that did not come to be a journal. */
export async function discard(
  fs: JournalFs,
  file: JournalFile,
  path: string,
): Promise<void> {
  // What went wrong before is what is reported; opening removes what is left.
  await Promise.allSettled([file.close()]);
  await Promise.allSettled([fs.remove(path)]);
}

async function copyDone(
  source: CompactSource,
  push: (record: Uint8Array) => number,
  drain: (least: number) => Promise<void>,
  digest: Digest,
): Promise<number> {
  const { file, end, index } = source;
  let doneBytes = 0;
  const read = await readLog(file, end, digest, async (batch) => {
    for (const { record, offset, bytes } of batch) {
      if (record.type !== "done") continue;
      const key = index.keyOf(record.path);
      // Only the last of a path is in the index, so none is taken twice.
      if (index.get(key) !== offset) continue;
      index.set(key, push(bytes));
      doneBytes += bytes.length + CHECK_BYTES;
    }
    await drain(WRITE_BYTES);
  });
  if (read.end !== end) {
    throw new SftpxError(
      "local-io",
      `Cannot compact journal: it is damaged at byte ${read.end}`,
    );
  }
  return doneBytes;
}
