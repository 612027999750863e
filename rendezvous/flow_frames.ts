/**
 * A flow: bytes of one file or pipe from one peer to the other, in order, over
 * as many connections, one after the other, as it takes.
 *
 * The sender opens a control stream. Each message is a length u8, a type u8 and
 * a body:
 *
 * | type | name  | from     | body                                                |
 * | ---- | ----- | -------- | --------------------------------------------------- |
 * | 1    | HELLO | sender   | version u8, start u64, size u64 (2^53-1: not known) |
 * | 2    | START | receiver | base u64, from u64, running digest[32] of base..from |
 * | 3    | GO    | sender   | 1, or 0 when that is not what the source has        |
 * | 4    | ACK   | receiver | written up to u64                                   |
 * | 5    | END   | sender   | total u64, digest[32] of from..total                |
 * | 6    | DONE  | receiver | nothing: all of it is safe                          |
 * | 7    | WRONG | receiver | why u8                                              |
 *
 * Data goes over streams of its own, up to 8, in frames: offset u64, length u32
 * (at most 256 KiB), bytes. No more than 16 MiB are sent beyond what was
 * acknowledged.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { createReader, createWriter, type Reader } from "../protocol/cursor.ts";
import type { ReceiveStream, SendStream } from "../transport/transport.ts";

/** A message. */
export type FlowMessage =
  | {
    readonly type: "hello";
    /** The first byte that there is. */
    readonly start: number;
    /** `undefined` for a pipe. */
    readonly size: number | undefined;
  }
  | {
    readonly type: "start";
    /** Where the receiver's file begins in the source. */
    readonly base: number;
    /** The byte that is wanted next. */
    readonly from: number;
    readonly digest: Uint8Array;
  }
  | { readonly type: "go"; readonly ok: boolean }
  | { readonly type: "ack"; readonly written: number }
  | {
    readonly type: "end";
    readonly total: number;
    readonly digest: Uint8Array;
  }
  | { readonly type: "done" }
  | { readonly type: "wrong"; readonly why: FlowWrong };

/** Why a receiver will not have it. */
export type FlowWrong = typeof WRONGS[number];

const WRONGS = ["skip", "digest", "disk"] as const;
const TYPES = ["hello", "start", "go", "ack", "end", "done", "wrong"] as const;
const VERSION = 1;
const UNKNOWN = Number.MAX_SAFE_INTEGER;

/** Bytes that may be under way. */
export const FLOW_WINDOW = 16 << 20;
/** Bytes of a frame at most. */
export const FLOW_FRAME = 256 << 10;
/** Streams of data. */
export const FLOW_LANES = 8;
/** Bytes before those of a frame. */
export const FLOW_HEADER = 12;

/** Writes a message. */
export function encodeFlow(message: FlowMessage): Uint8Array<ArrayBuffer> {
  const body = createWriter("flow");
  switch (message.type) {
    case "hello":
      body.u8(VERSION).u64(message.start).u64(message.size ?? UNKNOWN);
      break;
    case "start":
      body.u64(message.base).u64(message.from).bytes(message.digest, 32);
      break;
    case "go":
      body.u8(message.ok ? 1 : 0);
      break;
    case "ack":
      body.u64(message.written);
      break;
    case "end":
      body.u64(message.total).bytes(message.digest, 32);
      break;
    case "done":
      break;
    case "wrong":
      body.u8(WRONGS.indexOf(message.why));
      break;
  }
  const bytes = body.finish();
  return createWriter("flow").u8(bytes.length)
    .u8(TYPES.indexOf(message.type) + 1).bytes(bytes).finish();
}

/**
 * Reads a message's body.
 *
 * @throws {SftpxError} "protocol" when it is none.
 */
export function decodeFlow(number: number, bytes: Uint8Array): FlowMessage {
  const body = createReader(bytes, "flow");
  const message = fieldsOf(TYPES[number - 1], body);
  body.end();
  return message;
}

function fieldsOf(
  type: FlowMessage["type"] | undefined,
  body: Reader,
): FlowMessage {
  switch (type) {
    case "hello": {
      const version = body.u8();
      if (version !== VERSION) body.fail(`its version is ${version}`);
      const start = body.u64();
      const size = body.u64();
      return { type, start, size: size === UNKNOWN ? undefined : size };
    }
    case "start": {
      const [base, from] = [body.u64(), body.u64()];
      if (from < base) body.fail("it ends before it begins");
      return { type, base, from, digest: body.bytes(32).slice() };
    }
    case "go":
      return { type, ok: body.u8() === 1 };
    case "ack":
      return { type, written: body.u64() };
    case "end":
      return { type, total: body.u64(), digest: body.bytes(32).slice() };
    case "done":
      return { type };
    case "wrong":
      return { type, why: WRONGS[body.u8()] ?? body.fail("no such reason") };
    default:
      return body.fail("there is no such type");
  }
}

/** Reads the next message; `undefined` when the stream has ended. */
export async function readFlow(
  from: ReceiveStream,
): Promise<FlowMessage | undefined> {
  const head = await from.readFully(new Uint8Array(2));
  const [length = 0, type = 0] = head;
  if (head.length < 2) return undefined;
  const body = length === 0
    ? new Uint8Array()
    : await from.readFully(new Uint8Array(length));
  return body.length === length ? decodeFlow(type, body) : undefined;
}

/** Writes a frame. */
export async function writeFrame(
  to: SendStream,
  offset: number,
  bytes: Uint8Array,
): Promise<void> {
  const head = createWriter("frame").u64(offset).u32(bytes.length);
  await to.write(head.finish());
  await to.write(bytes);
}

/** A frame. */
export interface FlowFrame {
  readonly offset: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Reads a frame; `undefined` when the stream has ended.
 *
 * @param room Waits until there is room for a frame, and throws where there never will be.
 * @throws {SftpxError} "protocol" when it is too long.
 */
export async function readFrame(
  from: ReceiveStream,
  room: (offset: number, length: number) => Promise<void>,
): Promise<FlowFrame | undefined> {
  const head = await from.readFully(new Uint8Array(FLOW_HEADER));
  if (head.length < FLOW_HEADER) return undefined;
  const reader = createReader(head, "frame");
  const [offset, length] = [reader.u64(), reader.u32()];
  if (length === 0 || length > FLOW_FRAME) {
    throw new SftpxError(
      "protocol",
      `Cannot read frame: it has ${length} bytes`,
    );
  }
  await room(offset, length);
  const bytes = await from.readFully(new Uint8Array(length));
  return bytes.length === length ? { offset, bytes } : undefined;
}
