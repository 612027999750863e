/**
 * What little of HTTP/2 (RFC 9113) and HPACK (RFC 7541) an XFTP client needs:
 * one request at a time, no priorities, no push, no table of headers.
 *
 * ```text
 * 3 bytes length | 1 type | 1 flags | 4 stream | payload
 * ```
 *
 * @module
 */
import { concatBytes } from "../core/bytes.ts";
import type { Bytes } from "./encoding.ts";

/** Types of frames. */
export const FRAME = {
  data: 0x0,
  headers: 0x1,
  reset: 0x3,
  settings: 0x4,
  push: 0x5,
  ping: 0x6,
  goAway: 0x7,
  window: 0x8,
  continuation: 0x9,
} as const;

/** Flags of frames. `ack` is of settings and pings. */
export const FLAG = {
  ack: 0x1,
  endStream: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
  priority: 0x20,
} as const;

/** Bytes in front of each frame. */
export const FRAME_HEAD = 9;

/** The largest payload that everyone takes. */
export const MAX_FRAME = 16_384;

/** Window of a stream or connection before anything is said. */
export const FIRST_WINDOW = 65_535;

/** The largest window that there can be. */
export const MAX_WINDOW = 2 ** 31 - 1;

/** What the client says first. */
export const PREFACE = new TextEncoder().encode(
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
);

/** The head of a frame. */
export interface FrameHead {
  readonly length: number;
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
}

/** Writes the head of a frame at `offset`. */
export function writeFrameHead(
  to: Uint8Array,
  offset: number,
  head: FrameHead,
): void {
  const view = new DataView(to.buffer, to.byteOffset + offset, FRAME_HEAD);
  view.setUint32(0, head.length << 8 | head.type);
  view.setUint8(4, head.flags);
  view.setUint32(5, head.stream);
}

/** Reads the head of a frame. */
export function readFrameHead(from: Uint8Array): FrameHead {
  const view = new DataView(from.buffer, from.byteOffset, FRAME_HEAD);
  const first = view.getUint32(0);
  return {
    length: first >>> 8,
    type: first & 0xff,
    flags: view.getUint8(4),
    stream: view.getUint32(5) & 0x7fffffff,
  };
}

/** Writes a whole frame. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array,
): Bytes {
  const head = new Uint8Array(FRAME_HEAD);
  writeFrameHead(head, 0, { length: payload.length, type, flags, stream });
  return concatBytes(head, payload);
}

/** Writes settings, as pairs of an id and a value. */
export function settingsFrame(
  settings: readonly (readonly [number, number])[],
): Bytes {
  const payload = new Uint8Array(settings.length * 6);
  const view = new DataView(payload.buffer);
  settings.forEach(([id, value], index) => {
    view.setUint16(index * 6, id);
    view.setUint32(index * 6 + 2, value);
  });
  return frame(FRAME.settings, 0, 0, payload);
}

/** Writes that `bytes` more may come. */
export function windowFrame(stream: number, bytes: number): Bytes {
  return frame(FRAME.window, 0, stream, word(bytes));
}

/** Writes that a stream is given up. */
export function resetFrame(stream: number, code: number): Bytes {
  return frame(FRAME.reset, 0, stream, word(code));
}

/** Writes the headers of `POST /`. Names in lower case, all of it ASCII. */
export function requestHeaders(
  authority: string,
  headers: Readonly<Record<string, string>>,
): Bytes {
  return concatBytes(
    // Of the table that everyone has: POST, https, /; and the name :authority.
    Uint8Array.of(0x83, 0x87, 0x84, 0x01),
    text(authority),
    ...Object.entries(headers).flatMap(([name, value]) => [
      Uint8Array.of(0x00),
      text(name),
      text(value),
    ]),
  );
}

/**
 * The status in the headers of an answer; `undefined` if it cannot be read,
 * which it can be where it is one of the table, as 200 is.
 */
export function statusOf(block: Uint8Array): number | undefined {
  let at = 0;
  const integer = (prefixBits: number): number | undefined => {
    const mask = 2 ** prefixBits - 1;
    let value = (block[at++] ?? 0) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = block[at++];
      if (byte === undefined) return undefined;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return undefined;
  };
  while (at < block.length) {
    const first = block[at] ?? 0;
    if (first >= 0x80) {
      const status = STATUSES[(integer(7) ?? 0) - FIRST_STATUS];
      if (status !== undefined) return status;
      continue;
    }
    if (first >= 0x20 && first < 0x40) {
      if (integer(5) === undefined) return undefined; // a table's size
      continue;
    }
    const name = integer(first >= 0x40 ? 6 : 4);
    for (let strings = name === 0 ? 2 : 1; strings > 0; strings--) {
      const isPacked = (block[at] ?? 0) >= 0x80;
      const length = integer(7);
      if (length === undefined || at + length > block.length) return undefined;
      const isStatus = name !== undefined && name >= FIRST_STATUS &&
        name < FIRST_STATUS + STATUSES.length;
      if (isStatus && !isPacked) {
        return Number(String.fromCharCode(...block.subarray(at, at + length)));
      }
      at += length;
    }
  }
  return undefined;
}

/** Where `:status` stands in the table that everyone has. */
const FIRST_STATUS = 8;
const STATUSES = [200, 204, 206, 304, 400, 404, 500];

function text(value: string): Bytes {
  const bytes = new TextEncoder().encode(value);
  if (bytes.length > 126) {
    throw new RangeError(
      "Cannot write a header as it is longer than 126 bytes",
    );
  }
  return concatBytes(Uint8Array.of(bytes.length), bytes);
}

function word(value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
