/**
 * What is said on the connections of a group, beside what streams carry.
 *
 * A group stands for one connection of `transport.ts`: one TLS connection for
 * control, and one for each stream. The client opens all of them, and begins
 * each with a hello.
 *
 * | hello   | bytes | what                                            |
 * | ------- | ----- | ----------------------------------------------- |
 * | magic   | 4     | `SFTG`                                          |
 * | version | 1     | 1                                               |
 * | kind    | 1     | 0 control, 1 client's stream, 2 server's stream |
 * | zero    | 2     | 0                                               |
 * | group   | 32    | the client's choice, which nobody can guess     |
 *
 * A stream begins when its opener writes a header, on a connection of its kind:
 * `u8` 1 for one direction or 2 for both, `u32` id: even ones are the client's, and
 * they count up in the order in which streams begin, which is that of `accept`.
 * What follows are the stream's bytes, and its end is the end of TLS.
 *
 * On the control connection both sides write frames, `u8` type, `u16` length:
 *
 * | type      | body                                                   |
 * | --------- | ------------------------------------------------------ |
 * | 0 welcome | empty; the server's answer to the hello                |
 * | 1 ping    | empty; a sign of life                                  |
 * | 2 stop    | `u32` id: nobody reads on what the other one writes    |
 * | 3 close   | `u8` code, UTF-8 reason: the group ends                |
 * | 4 done    | `u32` id: a stream of both directions is done with     |
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";

/** What a TLS connection of a group is for. */
export type SocketKind = "control" | "client-stream" | "server-stream";

/** How a connection introduces itself. */
export interface GroupHello {
  readonly kind: SocketKind;
  /** The name of the group, 32 bytes. */
  readonly group: Uint8Array;
}

/** How a stream begins. */
export interface StreamHeader {
  readonly bidi: boolean;
  readonly id: number;
}

/** What is said on the control connection. */
export type GroupFrame =
  | { readonly type: "welcome" }
  | { readonly type: "ping" }
  | { readonly type: "stop" | "done"; readonly id: number }
  | { readonly type: "close"; readonly code: number; readonly reason: string };

/** Bytes of a hello. */
export const HELLO_BYTES = 40;
/** Bytes of a stream's header. */
export const HEADER_BYTES = 5;
/** Bytes of a group's name. */
export const GROUP_BYTES = 32;
/** Bytes before a frame's body. */
export const FRAME_HEAD_BYTES = 3;
/** A frame's body at most: a code and a reason. */
export const FRAME_BODY_BYTES = 1025;

const MAGIC = Uint8Array.of(0x53, 0x46, 0x54, 0x47);
const GROUP_VERSION = 1;
const KINDS: readonly SocketKind[] = [
  "control",
  "client-stream",
  "server-stream",
];

/** Writes a hello. */
export function encodeHello({ kind, group }: GroupHello): Uint8Array {
  if (group.length !== GROUP_BYTES) {
    throw new RangeError(
      `Cannot name a group as it takes ${GROUP_BYTES} bytes: current value has ${group.length}`,
    );
  }
  const bytes = new Uint8Array(HELLO_BYTES);
  bytes.set(MAGIC);
  bytes[4] = GROUP_VERSION;
  bytes[5] = KINDS.indexOf(kind);
  bytes.set(group, 8);
  return bytes;
}

/**
 * Reads a hello, all of it.
 *
 * @throws {SftpxError} `protocol` if it is none of this version.
 */
export function decodeHello(bytes: Uint8Array): GroupHello {
  const kind = KINDS[bytes[5] ?? KINDS.length];
  const isOurs = bytes.length === HELLO_BYTES && kind !== undefined &&
    MAGIC.every((byte, i) => bytes[i] === byte) &&
    bytes[4] === GROUP_VERSION && bytes[6] === 0 && bytes[7] === 0;
  if (!isOurs) throw broken("it did not say hello");
  return { kind, group: bytes.slice(8) };
}

/** Writes the header of a stream. */
export function encodeHeader({ bidi, id }: StreamHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  bytes[0] = bidi ? 2 : 1;
  new DataView(bytes.buffer).setUint32(1, id);
  return bytes;
}

/**
 * Reads the header of a stream, all of it.
 *
 * @throws {SftpxError} `protocol` if it is none.
 */
export function decodeHeader(bytes: Uint8Array): StreamHeader {
  const [kind] = bytes;
  if (bytes.length !== HEADER_BYTES || kind !== 1 && kind !== 2) {
    throw broken("a stream does not begin as one");
  }
  return { bidi: kind === 2, id: viewOf(bytes).getUint32(1) };
}

/** Writes a frame. A reason that is too long is cut. */
export function encodeFrame(frame: GroupFrame): Uint8Array {
  switch (frame.type) {
    case "welcome":
      return Uint8Array.of(0, 0, 0);
    case "ping":
      return Uint8Array.of(1, 0, 0);
    case "stop":
    case "done": {
      const type = frame.type === "stop" ? 2 : 4;
      const bytes = Uint8Array.of(type, 0, 4, 0, 0, 0, 0);
      new DataView(bytes.buffer).setUint32(FRAME_HEAD_BYTES, frame.id);
      return bytes;
    }
    case "close": {
      const body = new Uint8Array(FRAME_BODY_BYTES);
      body[0] = frame.code;
      const { written } = new TextEncoder()
        .encodeInto(frame.reason, body.subarray(1));
      const bytes = new Uint8Array(FRAME_HEAD_BYTES + 1 + written);
      bytes[0] = 3;
      new DataView(bytes.buffer).setUint16(1, 1 + written);
      bytes.set(body.subarray(0, 1 + written), FRAME_HEAD_BYTES);
      return bytes;
    }
  }
}

/**
 * Reads the first frame of `bytes`; `undefined` when it is not all there yet.
 *
 * @throws {SftpxError} `protocol` if it is none.
 */
export function readFrame(
  bytes: Uint8Array,
): { readonly frame: GroupFrame; readonly end: number } | undefined {
  if (bytes.length < FRAME_HEAD_BYTES) return undefined;
  const view = viewOf(bytes);
  const type = view.getUint8(0);
  const length = view.getUint16(1);
  const [least, most] = LENGTHS[type] ?? [1, 0];
  if (length < least || length > most) {
    throw broken(`frame ${type} of ${length} bytes is not one`);
  }
  const end = FRAME_HEAD_BYTES + length;
  if (bytes.length < end) return undefined;
  const body = bytes.subarray(FRAME_HEAD_BYTES, end);
  switch (type) {
    case 0:
      return { frame: { type: "welcome" }, end };
    case 1:
      return { frame: { type: "ping" }, end };
    case 2:
      return { frame: { type: "stop", id: viewOf(body).getUint32(0) }, end };
    case 4:
      return { frame: { type: "done", id: viewOf(body).getUint32(0) }, end };
    default: {
      const [code = 0] = body;
      const reason = new TextDecoder().decode(body.subarray(1));
      return { frame: { type: "close", code, reason }, end };
    }
  }
}

/** Bytes of a body, at least and at most, by type. */
const LENGTHS: readonly (readonly [number, number])[] = [
  [0, 0],
  [0, 0],
  [4, 4],
  [1, FRAME_BODY_BYTES],
  [4, 4],
];

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function broken(why: string): SftpxError {
  return new SftpxError("protocol", `Cannot understand the peer: ${why}`);
}
