/**
 * Frames, as they follow each other on the control, manifest and status streams.
 *
 * | field  | bytes   | meaning                                      |
 * | ------ | ------- | -------------------------------------------- |
 * | type   | 1 to 8  | varint; 0x40 and above are extensions        |
 * | length | 1 to 8  | varint; how many bytes the body has          |
 * | body   | length  | what the type says                           |
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { putVarint, readVarint, varintLength } from "./varint.ts";

/** One frame; its body is a copy that belongs to whoever took the frame. */
export interface Frame {
  /** What the body means. */
  readonly type: number;
  /** The fields. */
  readonly body: Uint8Array;
}

/** Cuts a stream of bytes into frames. */
export interface FrameReader {
  /** How many bytes wait for the rest of their frame. */
  readonly buffered: number;
  /**
   * Takes the next bytes of the stream, as a copy.
   *
   * @throws {RangeError} when whole frames wait to be taken with `next()`.
   */
  push(bytes: Uint8Array): void;
  /**
   * Returns the next frame; `undefined` when it is not all there yet.
   *
   * @throws {SftpxError} `protocol` when a body is over the limit. The stream
   * is of no use after that.
   */
  next(): Frame | undefined;
}

/** Largest body on the control stream: a hello with room for extensions. */
export const MAX_CONTROL_BODY: number = 16 * 1024;
/** Largest body on the manifest stream: two paths with room for extensions. */
export const MAX_MANIFEST_BODY: number = 64 * 1024;
/** Largest body on the status stream: the digests of 32,000 chunks. */
export const MAX_STATUS_BODY: number = 1024 * 1024;
/** Types from here on may be ignored by who does not know them. */
export const FIRST_EXTENSION = 0x40;

const MAX_HEADER = 16;
/** An idle reader holds on to no more than this. */
const KEPT_BYTES = 64 * 1024;

/** Encodes one frame. */
export function encodeFrame(
  type: number,
  body: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const head = varintLength(type) + varintLength(body.length);
  const frame = new Uint8Array(head + body.length);
  putVarint(frame, putVarint(frame, 0, type), body.length);
  frame.set(body, head);
  return frame;
}

/**
 * Creates a reader that buffers no more than one frame and one push.
 *
 * @param maxBody The largest body a peer may send here.
 */
export function createFrameReader(maxBody: number): FrameReader {
  let store = new Uint8Array(256);
  let view = new DataView(store.buffer);
  let start = 0;
  let end = 0;
  const move = (to: Uint8Array<ArrayBuffer>): void => {
    store = to;
    view = new DataView(to.buffer);
  };
  /** A number at `at`, if it ends before the bytes that are there do. */
  const varintAt = (at: number): ReturnType<typeof readVarint> => {
    if (at >= end || at + (1 << (view.getUint8(at) >> 6)) > end) {
      return undefined; // what is behind is of an older frame
    }
    return readVarint(view, at);
  };
  return {
    get buffered() {
      return end - start;
    },
    push(bytes) {
      if (end - start > MAX_HEADER + maxBody) {
        throw new RangeError(
          `Cannot push bytes as frames wait to be taken: ${
            end - start
          } bytes are buffered`,
        );
      }
      const needed = end - start + bytes.length;
      if (end + bytes.length > store.length) {
        const spare = needed > store.length / 2 ? needed * 2 : store.length;
        const roomy = Math.min(spare, Math.max(needed, MAX_HEADER + maxBody));
        const larger = new Uint8Array(roomy);
        larger.set(store.subarray(start, end));
        move(larger);
        end -= start;
        start = 0;
      }
      store.set(bytes, end);
      end += bytes.length;
    },
    next() {
      const type = varintAt(start);
      if (type === undefined) return undefined;
      const length = varintAt(type.end);
      if (length === undefined) return undefined;
      if (length.value > maxBody) {
        throw new SftpxError(
          "protocol",
          `Cannot read frame 0x${
            type.value.toString(16)
          }: its body has ${length.value} bytes, ${maxBody} are allowed`,
        );
      }
      const until = length.end + length.value;
      if (until > end) return undefined;
      const body = store.slice(length.end, until);
      start = until;
      if (start === end) {
        start = end = 0;
        if (store.length > KEPT_BYTES) move(new Uint8Array(256));
      }
      return { type: type.value, body };
    },
  };
}

/**
 * Says what an unknown type means: an extension is ignored, anything else is
 * an error.
 */
export function ignoreExtension(type: number, stream: string): undefined {
  if (type >= FIRST_EXTENSION) return undefined;
  throw new SftpxError(
    "protocol",
    `Cannot decode ${stream} frame: type 0x${type.toString(16)} is unknown`,
  );
}
