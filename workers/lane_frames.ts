/**
 * Frames in a lane Worker: reads them, hashes what they carry, and writes it
 * where it is told. What may be written, and where, is not decided here.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { MIN_CHUNK_BYTES } from "../protocol/entry.ts";
import {
  forEachRecord,
  LANE_HEADER_BYTES,
  readLaneHeader,
  RECORD_HEADER_BYTES,
} from "../protocol/lane.ts";
import { isAligned } from "../store/root_direct.ts";
import type { OpenPlace } from "../store/root_file.ts";
import type { Native } from "../store/root_native.ts";
import type { ReceiveStream } from "../transport/transport.ts";
import type { HashPool, Part } from "./hash_pool.ts";
import type { FarFrame } from "./lane_calls.ts";
import type { Room, Rooms } from "./rooms.ts";

/** What such a lane needs. */
export interface FrameLaneDeps {
  readonly stream: ReceiveStream;
  readonly pool: HashPool;
  readonly rooms: Rooms;
  readonly native: Native | undefined;
  readonly clock: Clock;
  /**
   * True when this thread may wait for the disk, as the system takes in what
   * comes meanwhile. It costs a fifth less than to have another thread wait.
   */
  readonly mayWait: boolean;
  /** Told of what comes of a frame that takes long. */
  readonly arrived: (bytes: number) => void;
}

/** One lane: one frame at a time. */
export interface FrameLane {
  /** The next frame; that before is forgotten. `undefined` at the end of the stream. */
  next(maxBody: number): Promise<FarFrame | undefined>;
  /** Writes `start..end` of the frame; says how many of these bytes it wrote. */
  place(start: number, end: number, place: OpenPlace): Promise<number>;
  /** A copy of `start..end` of the frame. */
  bring(start: number, end: number): Uint8Array<ArrayBuffer>;
  /** Lets go of the frame. */
  close(): void;
}

/** A frame that takes longer is read in pieces, so that what comes is seen to come; ms. */
const SLOW_MS = 200;
const PIECE_BYTES = 16 * 1024;

/** Creates a lane that reads from a stream, whose preamble was read. */
export function frameLane(deps: FrameLaneDeps): FrameLane {
  const { stream, pool, rooms, native, clock, mayWait } = deps;
  const ended = new AbortController();
  let head = new Uint8Array(LANE_HEADER_BYTES);
  let isSlow = true; // nothing is known yet
  let held: { room: Room; bytes: Uint8Array<ArrayBuffer> } | undefined;

  const letGo = (): void => {
    if (held === undefined) return;
    const { room, bytes } = held;
    held = undefined;
    room.release(bytes.length > 0 ? bytes : undefined);
  };
  const part = (start: number, end: number): Uint8Array<ArrayBuffer> => {
    const bytes = held?.bytes.subarray(start, end);
    if (bytes?.length === end - start) return bytes;
    throw new SftpxError("internal", "Cannot write a frame: it is gone");
  };
  /** Fills `view`; returns it, and how much of it was not told of. */
  const fill = async (
    view: Uint8Array<ArrayBuffer>,
  ): Promise<{ view: Uint8Array<ArrayBuffer>; arrived: number }> => {
    const { length, byteOffset } = view;
    const piece = isSlow ? PIECE_BYTES : length;
    const begun = clock.now();
    let told = begun;
    let arrived = 0;
    for (let at = 0; at < length;) {
      const end = Math.min(at + piece, length);
      const got = await stream.readFully(view.subarray(at, end));
      if (got.length < end - at) throw cut();
      view = new Uint8Array(got.buffer, byteOffset, length);
      at = end;
      arrived += got.length;
      if (at === length || clock.now() - told < TELL_MS) continue;
      deps.arrived(arrived);
      arrived = 0;
      told = clock.now();
    }
    isSlow = clock.now() - begun > SLOW_MS;
    return { view, arrived };
  };

  return {
    async next(maxBody) {
      letGo();
      head = await stream.readFully(head);
      if (head.length === 0) return undefined;
      if (head.length < LANE_HEADER_BYTES) throw cut();
      const { length, count } = readLaneHeader(head);
      if (length > maxBody) {
        throw new SftpxError(
          "protocol",
          `Cannot accept a frame of ${length} bytes: no chunk is that large`,
        );
      }
      const room = await rooms.take(length, ended.signal);
      const capacity = room.bytes.length; // 0 once its buffer has moved
      held = { room, bytes: new Uint8Array(0) };
      const { view, arrived } = await fill(room.bytes.subarray(0, length));
      const parts: Part[] = [];
      const heads = new Uint8Array(count * RECORD_HEADER_BYTES);
      let isLarge = true;
      let at = 0;
      forEachRecord(view, count, (record, payload) => {
        const start = payload.byteOffset - view.byteOffset;
        const header = start - RECORD_HEADER_BYTES;
        heads.set(view.subarray(header, start), at);
        at += RECORD_HEADER_BYTES;
        if (record.kind === "same") return;
        isLarge &&= payload.length >= MIN_CHUNK_BYTES;
        parts.push([start, start + payload.length]);
      });
      const frame = { count, arrived, length, heads };
      if (!isLarge || native === undefined) {
        return { ...frame, digests: new Uint8Array(0), body: view };
      }
      const { digests, bytes } = await pool.digestParts(view, parts);
      const { buffer, byteOffset } = bytes;
      held = { room, bytes: new Uint8Array(buffer, byteOffset, capacity) };
      return { ...frame, digests, body: undefined };
    },
    async place(start, end, { fd, directFd, directAlign, position }) {
      const bytes = part(start, end);
      if (native === undefined) return 0;
      const write = mayWait ? native.writeNow : native.write;
      let done = 0;
      while (done < bytes.length) {
        const left = bytes.subarray(done);
        const at = position + done;
        const isDirect = directFd >= 0 && isAligned(left, at, directAlign);
        let count = isDirect ? await write(directFd, left, at) : -1;
        if (count <= 0) count = await write(fd, left, at);
        if (count <= 0) break;
        done += count;
      }
      return done;
    },
    bring: (start, end) => part(start, end).slice(),
    close() {
      ended.abort();
      letGo();
    },
  };
}

/** What comes of a frame is told this often at most, ms. */
const TELL_MS = 50;

function cut(): SftpxError {
  return new SftpxError(
    "connection-lost",
    "Cannot read frame: the stream ended within it",
  );
}
