/**
 * The sending half of the data path: reads the chunks of a lease, hashes them
 * and writes them to one stream, many small ones in a frame.
 *
 * A chunk that the receiver turned out to hold goes as its digest alone. A file
 * that is not what it was when it was announced is reported, and nothing
 * of it that could be a mixture is sent as finished.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { SenderWaits } from "../core/limiter.ts";
import type { RateLimiter } from "../core/rate.ts";
import type { Stopwatch } from "../core/stopwatch.ts";
import { chunkLength, type FileEntry } from "../protocol/entry.ts";
import {
  LANE_HEADER_BYTES,
  RECORD_HEADER_BYTES,
  writeLaneHeader,
  writeRecord,
} from "../protocol/lane.ts";
import type { OutEntry, Outgoing, Work } from "../protocol/outgoing.ts";
import {
  type SourceEntry,
  type SourceFile,
  wasReplaced,
} from "../store/source.ts";
import type { SendStream } from "../transport/transport.ts";
import type { HashPool } from "./hash_pool.ts";

/** A file that the ledger knows, and how to read it. */
export interface Readable {
  /** What was scanned. @default {not known: no other thread can read it} */
  readonly facts?: SourceEntry;
  /** Opens what was scanned; refuses anything that took its place. */
  open(): Promise<SourceFile>;
  /** Reads all of a small file, at once; false when it must be opened. */
  readNow?(into: Uint8Array): boolean;
}

/** What a send lane asks and tells the ledger. */
export type SendLedger = Pick<
  Outgoing<Readable>,
  "get" | "chunkRead" | "isRead" | "wasRead"
>;

/** What a send lane needs. */
export interface SendLaneDeps {
  readonly stream: SendStream;
  readonly ledger: SendLedger;
  readonly pool: HashPool;
  readonly limiter: RateLimiter | undefined;
  /** Makes room for frames. @default {any memory} */
  readonly room?: RoomMaker;
  /** Counts what is waited for. @default {nobody} */
  readonly watch?: SendWatch;
  /** Told of every frame that was handed to the stream, also where the lane is lost later. */
  readonly wrote: (payload: Payload) => void;
}

/** Makes room for so many bytes, of which the one at `at` begins a page; `undefined` if it cannot. */
export type RoomMaker = (
  bytes: number,
  at: number,
) => Uint8Array<ArrayBuffer> | undefined;

/** What a sender's lanes wait for. */
export type SendWatch = Stopwatch<keyof SenderWaits>;

/** What a frame carries, bytes. */
export interface Payload {
  readonly sent: number;
  /** What the receiver held already. */
  readonly same: number;
  /** All of its records, as the receiver counts them. */
  readonly body: number;
}

/** What became of a lease. */
export interface LeaseReport {
  /** Files that are not what was announced. */
  readonly changed: readonly { readonly index: number; readonly gen: number }[];
  /** Files that cannot be read. */
  readonly failed: readonly {
    readonly index: number;
    readonly gen: number;
    readonly reason: string;
  }[];
}

/** One stream and its buffer. */
export interface SendLane {
  /**
   * Sends what `items` name; resolves when the last byte is handed to the stream.
   * Once `over` aborts, what is not begun is left to others.
   *
   * @throws {SftpxError} `connection-lost`.
   */
  send(
    items: readonly Work[],
    signal: AbortSignal,
    over?: AbortSignal,
  ): Promise<LeaseReport>;
  close(): Promise<void>;
}

/** Records of one frame at most. */
const FRAME_RECORDS = 1024;
/** A frame is written when it holds this much content, bytes: larger writes gain nothing. */
const FRAME_BYTES = 1024 * 1024;
/** The first one, which the receiver waits for; the others grow. */
const FIRST_FRAME_BYTES = 32 * 1024;

/** Creates a lane that writes to `deps.stream`, whose preamble is written. */
export function sendLane(deps: SendLaneDeps): SendLane {
  const frameBytes = LANE_HEADER_BYTES + FRAME_RECORDS * RECORD_HEADER_BYTES +
    FRAME_BYTES;
  let buffer =
    deps.room?.(frameBytes, LANE_HEADER_BYTES + RECORD_HEADER_BYTES) ??
      new Uint8Array(frameBytes);
  let at = LANE_HEADER_BYTES;
  let records = 0;
  let fullBytes = FIRST_FRAME_BYTES;
  let [sent, same] = [0, 0]; // in the frame that is being filled
  let open: { index: number; gen: number; file: SourceFile } | undefined;

  const closeFile = async (): Promise<void> => {
    const file = open?.file;
    open = undefined;
    await file?.close();
  };
  const fileOf = async (item: OutEntry<Readable>): Promise<SourceFile> => {
    if (open?.index === item.index && open.gen === item.gen) return open.file;
    await closeFile();
    const file = await item.source.open();
    open = { index: item.index, gen: item.gen, file };
    return file;
  };
  const flush = async (signal: AbortSignal): Promise<void> => {
    if (records === 0) return;
    writeLaneHeader(buffer, 0, {
      length: at - LANE_HEADER_BYTES,
      count: records,
    });
    const piece = deps.limiter?.pieceBytes ?? Infinity;
    for (let from = 0; from < at; from += piece) {
      const bytes = buffer.subarray(from, Math.min(from + piece, at));
      // The receiver counts bodies: what is taken and what arrives must match.
      const counted = from === 0
        ? bytes.length - LANE_HEADER_BYTES
        : bytes.length;
      await deps.limiter?.take(counted, signal);
      const written = deps.watch?.begin("write");
      try {
        await deps.stream.write(bytes);
      } finally {
        written?.(); // also of a lane that is lost
      }
    }
    deps.wrote({ sent, same, body: at - LANE_HEADER_BYTES });
    at = LANE_HEADER_BYTES;
    records = sent = same = 0;
    fullBytes = Math.min(2 * fullBytes, FRAME_BYTES);
  };
  /** True when a record of `length` bytes belongs in the next frame. */
  const isFull = (length: number): boolean =>
    sent + same + length > fullBytes || records >= FRAME_RECORDS ||
    at + RECORD_HEADER_BYTES + length > buffer.length;
  /** Makes room for one record of `length` bytes behind what is there. */
  const room = async (length: number, signal: AbortSignal): Promise<void> => {
    const needed = RECORD_HEADER_BYTES + length;
    if (isFull(length)) await flush(signal);
    if (at + needed > buffer.length) buffer = new Uint8Array(at + needed);
  };

  /** Puts a header before a chunk that is in place, and counts both in. */
  const addRecord = (
    index: number,
    gen: number,
    chunk: number,
    length: number,
    kind: "data" | "same",
    digest: Uint8Array,
  ): void => {
    const record = { kind, gen: gen & 0xffff, length, index, chunk, digest };
    writeRecord(buffer, at, record);
    at += RECORD_HEADER_BYTES + (kind === "data" ? length : 0);
    records++;
    if (kind === "data") sent += length;
    else same += length;
  };

  return {
    async send(items, signal, over) {
      const report = {
        changed: [] as { index: number; gen: number }[],
        failed: [] as { index: number; gen: number; reason: string }[],
      };
      /** Reads one chunk into the frame; false when the file is of no use any more. */
      const addChunk = async (
        item: OutEntry<Readable>,
        entry: FileEntry,
        chunk: number,
      ): Promise<boolean> => {
        const { index, gen } = item;
        const length = chunkLength(entry, chunk);
        await room(length, signal);
        const from = at + RECORD_HEADER_BYTES;
        const file = await fileOf(item);
        const got = deps.watch?.begin("read");
        let count: number;
        try {
          count = await file.read(
            buffer.subarray(from, from + length),
            chunk * entry.chunkSize,
          );
        } finally {
          got?.();
        }
        if (count !== length) {
          report.changed.push({ index, gen });
          return false;
        }
        const { byteOffset: start, length: size } = buffer;
        const hashed = await deps.pool.digest(
          buffer.subarray(from, from + length),
        );
        buffer = new Uint8Array(hashed.bytes.buffer, start, size);
        const use = deps.ledger.chunkRead(index, gen, chunk, hashed.digest);
        if (use === "stale") return false;
        const isLast = deps.ledger.isRead(index, gen);
        if (use === "changed" || (isLast && await file.changed())) {
          report.changed.push({ index, gen });
          return false;
        }
        if (isLast) deps.ledger.wasRead(index, gen);
        addRecord(index, gen, chunk, length, use, hashed.digest);
        return true;
      };

      /** Puts a file of one chunk into the frame, at once; false when it must be opened. */
      const addSmall = (
        item: OutEntry<Readable>,
        { size, chunkSize }: FileEntry,
      ): boolean => {
        const { index, gen } = item;
        const from = at + RECORD_HEADER_BYTES;
        const end = from + size;
        if (size > chunkSize || end > buffer.length) return false;
        const bytes = buffer.subarray(from, end);
        if (item.source.readNow?.(bytes) !== true) return false;
        const digest = deps.pool.digestNow?.(bytes);
        if (digest === undefined) return false;
        const use = deps.ledger.chunkRead(index, gen, 0, digest);
        if (use === "stale") return true;
        if (use === "changed") {
          report.changed.push({ index, gen });
          return true;
        }
        if (deps.ledger.isRead(index, gen)) deps.ledger.wasRead(index, gen);
        addRecord(index, gen, 0, size, use, digest);
        return true;
      };

      for (const work of items) {
        const item = deps.ledger.get(work.index);
        if (item?.gen !== work.gen || item.entry.kind !== "file") continue;
        if (isFull(item.entry.size)) await flush(signal);
        if (addSmall(item, item.entry)) continue;
        for (let n = 0; n < work.count; n++) {
          signal.throwIfAborted();
          if (over?.aborted) break;
          try {
            if (!await addChunk(item, item.entry, work.first + n)) break;
          } catch (error) {
            if (!(error instanceof SftpxError) || error.code !== "local-io") {
              throw error;
            }
            const { index, gen } = work;
            if (wasReplaced(error)) report.changed.push({ index, gen });
            else report.failed.push({ index, gen, reason: error.message });
            break;
          }
        }
      }
      await flush(signal);
      await closeFile();
      return report;
    },
    async close() {
      await closeFile();
      await deps.stream.end();
    },
  };
}
