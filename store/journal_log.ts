/**
 * The journal as a chain of records: what waits to be appended, and reading
 * what is in a file.
 *
 * @module
 */
import {
  CHECK_BYTES,
  decodeRecord,
  type Digest,
  HEAD_BYTES,
  type JournalRecord,
  MAX_BODY_BYTES,
  sameBytes,
} from "./journal_codec.ts";
import type { JournalFile } from "./journal_fs.ts";
import { HEADER_BYTES } from "./journal_header.ts";

/** Records that have their place in the file but are not in it yet. */
export interface LogBuffer {
  /** Where the file ends that these records follow. */
  readonly start: number;
  /** Where it will end. */
  readonly end: number;
  /** The records' bytes. What is pushed later is not in them. */
  readonly bytes: Uint8Array;
  /** Adds what `encodeRecord()` made; returns its offset in the file. */
  push(record: Uint8Array): number;
  /** Forgets the first `count` bytes, which are now in the file. */
  written(count: number): void;
  /** A record by its offset, when it is one of these. */
  at(offset: number): JournalRecord | undefined;
  /** Adds all of these records to another buffer. */
  moveTo(other: LogBuffer, moved: (from: number, to: number) => void): void;
}

/** A capacity that is kept when the buffer is emptied. */
const KEPT_BYTES = 1 << 16;

/** Creates a buffer that follows the record whose check is given. */
export function logBuffer(
  start: number,
  check: Uint8Array,
  digest: Digest,
): LogBuffer {
  // The check before the first record is kept in front: a record's own check
  // is of bytes that then lie side by side.
  let store = new Uint8Array(KEPT_BYTES);
  let length = CHECK_BYTES;
  store.set(check);

  const room = (needed: number): void => {
    if (needed <= store.length) return;
    const larger = new Uint8Array(Math.max(needed, store.length * 2));
    larger.set(store.subarray(0, length));
    store = larger;
  };

  const buffer: LogBuffer = {
    get start() {
      return start;
    },
    get end() {
      return start + length - CHECK_BYTES;
    },
    get bytes() {
      return store.subarray(CHECK_BYTES, length);
    },
    push(record) {
      const offset = buffer.end;
      room(length + record.length + CHECK_BYTES);
      store.set(record, length);
      const chained = store.subarray(
        length - CHECK_BYTES,
        length + record.length,
      );
      length += record.length;
      const check = digest(chained);
      for (let at = 0; at < CHECK_BYTES; at++) store[length++] = check[at] ?? 0;
      return offset;
    },
    written(count) {
      store.copyWithin(0, count, length);
      length -= count;
      start += count;
      if (length <= KEPT_BYTES && store.length > KEPT_BYTES) {
        store = store.slice(0, KEPT_BYTES);
      }
    },
    at(offset) {
      const at = offset - start;
      if (at < 0) return undefined;
      return readRecord(store.subarray(at, length), digest)?.record;
    },
    moveTo(other, moved) {
      let at = CHECK_BYTES;
      while (at < length) {
        const end = bodyEnd(store, at);
        const offset = other.push(store.subarray(at, end));
        moved(start + at - CHECK_BYTES, offset);
        at = end + CHECK_BYTES;
      }
    },
  };
  return buffer;
}

/** A record found in a file. Its bytes are valid until the next batch. */
export interface FoundRecord {
  readonly record: JournalRecord;
  readonly offset: number;
  /** The record without its check. */
  readonly bytes: Uint8Array;
}

/** Some hundred records: a few milliseconds of work between two reads. */
const READ_BYTES = 1 << 16;

/** Where the good part of a log ends, and the last check in it. */
export interface LogEnd {
  readonly end: number;
  readonly check: Uint8Array;
}

/**
 * Reads the records of a file, a batch at a time, up to `end` or the first that
 * is not what was written.
 */
export async function readLog(
  file: JournalFile,
  end: number,
  digest: Digest,
  visit: (batch: readonly FoundRecord[]) => Promise<void> | void,
): Promise<LogEnd> {
  const buffer = new Uint8Array(READ_BYTES);
  let at = HEADER_BYTES; // all before it is good
  for (;;) {
    const from = at - CHECK_BYTES;
    const want = Math.min(READ_BYTES, end - from);
    const got = await file.read(buffer.subarray(0, want), from);
    const batch: FoundRecord[] = [];
    let used = 0;
    for (;;) {
      const next = readRecord(buffer.subarray(used, got), digest);
      if (next === undefined) break;
      const { record, bytes } = next;
      batch.push({ record, offset: from + used + CHECK_BYTES, bytes });
      used += bytes.length + CHECK_BYTES;
    }
    if (used === 0) return { end: at, check: buffer.slice(0, CHECK_BYTES) };
    at += used;
    await visit(batch);
  }
}

/** Reads single records at random; those that follow each other cost one read. */
export interface RecordReader {
  /** The record at `offset`, if it was read along with another. */
  peek(offset: number): JournalRecord | undefined;
  /** The record at `offset`, if it and its check are below `end`. */
  read(offset: number, end: number): Promise<JournalRecord | undefined>;
  /** Closes the file, after the reads that have begun. */
  close(): Promise<void>;
}

/** Several hundred records, or four of the longest. */
const BLOCK_BYTES = 1 << 16;

/** Creates a reader of a file whose content below any `end` never changes. */
export function recordReader(file: JournalFile, digest: Digest): RecordReader {
  let block: { from: number; bytes: Uint8Array } = {
    from: 0,
    bytes: new Uint8Array(0),
  };
  const reading = new Set<Promise<unknown>>();

  const load = async (from: number, end: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(Math.min(BLOCK_BYTES, end - from));
    const got = await file.read(bytes, from);
    block = { from, bytes: bytes.subarray(0, got) };
    return block.bytes;
  };

  const peek = (offset: number): JournalRecord | undefined => {
    const skip = offset - CHECK_BYTES - block.from;
    return skip >= 0 && skip < block.bytes.length
      ? readRecord(block.bytes.subarray(skip), digest)?.record
      : undefined;
  };

  return {
    peek,
    async read(offset, end) {
      const known = peek(offset);
      if (known !== undefined) return known;
      const loading = load(offset - CHECK_BYTES, end);
      reading.add(loading);
      try {
        return readRecord(await loading, digest)?.record;
      } finally {
        reading.delete(loading);
      }
    },
    async close() {
      await Promise.allSettled(reading);
      await file.close();
    },
  };
}

/** The record after the check that `bytes` begins with; `undefined` if it is not whole and right. */
function readRecord(
  bytes: Uint8Array,
  digest: Digest,
): { record: JournalRecord; bytes: Uint8Array } | undefined {
  if (bytes.length < CHECK_BYTES + HEAD_BYTES + CHECK_BYTES) return undefined;
  const end = bodyEnd(bytes, CHECK_BYTES);
  if (
    end - CHECK_BYTES - HEAD_BYTES > MAX_BODY_BYTES ||
    end + CHECK_BYTES > bytes.length || bytes[CHECK_BYTES + 1] !== 0
  ) {
    return undefined;
  }
  const check = digest(bytes.subarray(0, end)).subarray(0, CHECK_BYTES);
  if (!sameBytes(check, bytes.subarray(end, end + CHECK_BYTES))) {
    return undefined;
  }
  const own = bytes.subarray(CHECK_BYTES, end);
  const record = decodeRecord(own);
  return record === undefined ? undefined : { record, bytes: own };
}

function bodyEnd(bytes: Uint8Array, at: number): number {
  return at + HEAD_BYTES + ((bytes[at + 2] ?? 0) << 8 | (bytes[at + 3] ?? 0));
}
