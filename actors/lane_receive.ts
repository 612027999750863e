/**
 * The receiving half of the data path: reads frames from one stream, checks
 * each chunk against its digest and puts it where it belongs.
 *
 * A chunk that is not what its digest says never reaches the disk. What was
 * put in place is told in one message a frame.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { sameDigestAt } from "../protocol/digests.ts";
import type { FileEntry } from "../protocol/entry.ts";
import {
  digestBefore,
  LANE_HEADER_BYTES,
  type LaneRecord,
  readLaneHeader,
  readRecords,
  RECORD_HEADER_BYTES,
} from "../protocol/lane.ts";
import type { Stopwatch } from "../core/stopwatch.ts";
import type { PlacedStamp } from "../store/journal_codec.ts";
import type { BytesElsewhere } from "../store/root_file.ts";
import type { ReceiveStream } from "../transport/transport.ts";
import type { FileMaker } from "../workers/file_maker.ts";
import type { Hashed, HashPool } from "../workers/hash_pool.ts";
import { type Arrival, makeFiles } from "./lane_make.ts";
import type { Rooms } from "../workers/rooms.ts";

/** A file that takes chunks. */
export interface Target {
  /** The run that it is open in. */
  readonly run: number;
  readonly gen: number;
  readonly entry: FileEntry;
  /** Writes one chunk where it belongs. Not yet durable. False: the file is closed. */
  write(chunk: number, bytes: Uint8Array | BytesElsewhere): Promise<boolean>;
  /** As `write()`, at once; `undefined` when that must be called. */
  writeNow?(
    chunk: number,
    bytes: Uint8Array<ArrayBuffer>,
  ): boolean | undefined;
  /** As those of `Incoming`: another thread writes all of it. */
  beginWrite(): number;
  readonly name: string;
  endWrite(made: PlacedStamp | undefined): boolean | undefined;
  /** True when the candidate that was offered for `chunk` has this digest. */
  confirm(chunk: number, digest: Uint8Array): boolean;
}

/** A chunk that was judged. */
export interface CheckedChunk {
  /** The run whose file it was put into. */
  readonly run: number;
  readonly index: number;
  readonly gen: number;
  readonly chunk: number;
  readonly digest: Uint8Array;
  readonly bytes: number;
  readonly verdict: "written" | "same" | "corrupt";
}

/** What a receive lane needs. */
export interface ReceiveLaneDeps {
  readonly stream: ReceiveStream;
  readonly pool: HashPool;
  /** Makes small files on another thread. @default {they are made here} */
  readonly maker?: FileMaker | undefined;
  /** Where frames are read into. */
  readonly rooms: Rooms;
  /** Says whether a record may come now; throws `protocol` when it may not. */
  readonly judge: (record: LaneRecord) => "take" | "drop";
  /** The file that has this number; `undefined` when it takes no chunks now. */
  readonly target: (index: number) => Target | undefined;
  /** The largest body that can make sense now, bytes. */
  readonly maxBody: () => number;
  /** Told of every frame; slows the lane down by waiting. */
  readonly checked: (chunks: readonly CheckedChunk[]) => Promise<void>;
  /** Told how many bytes of content came. */
  readonly received: (bytes: number) => void;
  /** Told how many bytes of whatever came, as they come. */
  readonly arrived: (bytes: number) => void;
  /** Told when a frame that there is memory for is waited for, and when that is over. */
  readonly waiting?: (isWaiting: boolean) => void;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** Counts what is waited for. @default {nobody} */
  readonly watch?: ReceiveWatch;
}

/** What a receiver's lanes wait for. */
export type ReceiveWatch = Stopwatch<"net" | "disk">;

/** A frame that takes longer is read in pieces of as much time, so that what comes is seen to come; ms. */
const SLOW_MS = 10;
const LEAST_PIECE_BYTES = 8 * 1024;
const MOST_PIECE_BYTES = 64 * 1024;

/** Files of one frame that are written at once. */
const WRITES_AT_ONCE = 8;

/**
 * Receives until the sender ends the stream.
 *
 * @throws {SftpxError} `connection-lost` when it ends within a frame, `protocol`
 * when the peer breaks the rules, `local-io` when the disk refuses.
 */
export async function receiveLane(
  deps: ReceiveLaneDeps,
  signal: AbortSignal,
): Promise<void> {
  let head = new Uint8Array(LANE_HEADER_BYTES);
  let piece = LEAST_PIECE_BYTES; // nothing is known yet
  /** Counts a wait, also one that a lost connection ends. */
  const timed = <T>(kind: "net" | "disk", work: Promise<T>): Promise<T> =>
    deps.watch === undefined ? work : deps.watch.time(kind, work);
  for (;;) {
    head = await timed("net", deps.stream.readFully(head));
    if (head.length === 0) return;
    if (head.length < LANE_HEADER_BYTES) throw cut();
    const { length, count } = readLaneHeader(head);
    if (length > deps.maxBody()) {
      throw new SftpxError(
        "protocol",
        `Cannot accept a frame of ${length} bytes: no chunk is that large`,
      );
    }
    // Others have the rooms until the disk has what is in them.
    const room = await timed("disk", deps.rooms.take(length, signal));
    const capacity = room.bytes.length; // 0 once its buffer has moved
    let back: Uint8Array<ArrayBuffer> | undefined;
    let checked: readonly CheckedChunk[];
    try {
      const begun = deps.now();
      const view = room.bytes.subarray(0, length);
      deps.waiting?.(true);
      const body = await timed("net", readBody(deps, view, piece))
        .finally(() => deps.waiting?.(false));
      piece = pieceOf(length, deps.now() - begun);
      signal.throwIfAborted();
      const taken = await takeFrame(deps, body, count);
      const { buffer, byteOffset } = taken.bytes;
      back = new Uint8Array(buffer, byteOffset, capacity);
      checked = taken.checked;
    } finally {
      room.release(back);
    }
    if (checked.length > 0) await timed("disk", deps.checked(checked));
  }
}

/** What to read at once after a frame of `length` bytes took `ms`. */
function pieceOf(length: number, ms: number): number {
  if (ms <= SLOW_MS) return Infinity;
  const worth = Math.round(length * SLOW_MS / ms);
  return Math.min(Math.max(worth, LEAST_PIECE_BYTES), MOST_PIECE_BYTES);
}

/** Fills `view`, a piece at a time. */
async function readBody(
  { stream, arrived }: ReceiveLaneDeps,
  view: Uint8Array<ArrayBuffer>,
  piece: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const { length, byteOffset } = view;
  for (let at = 0; at < length;) {
    const end = Math.min(at + piece, length);
    const got = await stream.readFully(view.subarray(at, end));
    if (got.length < end - at) throw cut();
    view = new Uint8Array(got.buffer, byteOffset, length);
    arrived(got.length);
    at = end;
  }
  return view;
}

/** Judges the records of one frame and writes those that are right. */
export async function takeFrame(
  deps: ReceiveLaneDeps,
  body: Uint8Array<ArrayBuffer>,
  count: number,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; checked: CheckedChunk[] }> {
  const checked: CheckedChunk[] = [];
  const records: LaneRecord[] = [];
  const targets: Target[] = [];
  const parts: [start: number, end: number][] = [];
  let start = 0;
  for (const record of readRecords(body, count)) {
    start += RECORD_HEADER_BYTES;
    const from = start;
    if (record.kind === "data") start += record.length;
    const target = targetOf(deps, record);
    if (target === undefined) continue;
    if (record.kind === "same") {
      // The body is used again.
      checked.push(same(target, record, record.digest.slice()));
      continue;
    }
    records.push(record);
    targets.push(target);
    parts.push([from, start]);
  }
  if (records.length === 0) return { bytes: body, checked };

  const hashed = await deps.pool.digestParts(body, parts);
  const good = arrivalsOf(hashed, records, targets, parts, checked);
  let received = 0;
  for (const [from, end] of parts) received += end - from;
  deps.received(received);
  const made = await makeFiles(deps.maker, hashed.bytes, good);
  const bytesOf = ({ start, end }: Arrival): Uint8Array<ArrayBuffer> =>
    made.bytes.subarray(start, end);
  checked.push(...made.written);
  const slow: Arrival[] = [];
  for (const arrival of made.left) {
    const isDone = arrival.target.writeNow?.(arrival.chunk, bytesOf(arrival));
    if (isDone === undefined) slow.push(arrival);
    else if (isDone) checked.push(arrival);
  }
  const next = slow.values();
  const work = async (): Promise<void> => {
    for (const arrival of next) {
      const { target, chunk } = arrival;
      const put = deps.watch?.begin("disk");
      let isDone: boolean;
      try {
        isDone = await target.write(chunk, bytesOf(arrival));
      } finally {
        put?.();
      }
      if (isDone) checked.push(arrival);
    }
  };
  if (slow.length > 0) {
    await Promise.all(Array.from({ length: WRITES_AT_ONCE }, work));
  }
  return { bytes: made.bytes, checked };
}

/** The chunks that are what their digests say; the others go to `checked`. */
function arrivalsOf(
  { bytes: body, digests }: Hashed,
  records: readonly LaneRecord[],
  targets: readonly Target[],
  parts: readonly (readonly [start: number, end: number])[],
  checked: CheckedChunk[],
): Arrival[] {
  const good: Arrival[] = [];
  for (let at = 0; at < records.length; at++) {
    const [record, target, part] = [records[at], targets[at], parts[at]];
    if (!record || !target || !part) break;
    const [start, end] = part;
    const isRight = sameDigestAt(body, digestBefore(start), digests, 32 * at);
    const arrival: Arrival = {
      run: target.run,
      index: record.index,
      gen: target.gen,
      chunk: record.chunk,
      digest: digests.subarray(32 * at, 32 * at + 32),
      bytes: end - start,
      verdict: isRight ? "written" : "corrupt", // once it is
      target,
      start,
      end,
    };
    (isRight ? good : checked).push(arrival);
  }
  return good;
}

/** The target of a record; `undefined` for one that comes too late to matter. */
export function targetOf(
  deps: ReceiveLaneDeps,
  record: LaneRecord,
): Target | undefined {
  if (deps.judge(record) === "drop") return undefined;
  const target = deps.target(record.index);
  return target !== undefined && (target.gen & 0xffff) === record.gen
    ? target
    : undefined;
}

/** A record that says that what is here is right. */
export function same(
  target: Target,
  record: LaneRecord,
  digest: Uint8Array,
): CheckedChunk {
  if (!target.confirm(record.chunk, digest)) {
    throw new SftpxError(
      "protocol",
      `Cannot accept that chunk ${record.chunk} of entry ${record.index} is the same: no such digest was offered`,
    );
  }
  const { index, chunk, length: bytes } = record;
  const { run, gen } = target;
  return { run, index, gen, chunk, digest, bytes, verdict: "same" };
}

function cut(): SftpxError {
  return new SftpxError(
    "connection-lost",
    "Cannot read frame: the stream ended within it",
  );
}
