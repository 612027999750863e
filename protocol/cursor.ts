/**
 * Reads and writes the fields of one frame body, one after the other.
 *
 * A body is whole when it is read, so that running out of bytes is the peer's
 * mistake and not a reason to wait.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { readVarint, varintLength, writeVarint } from "./varint.ts";

/** Reads fields from bytes; what does not fit throws `protocol`. */
export interface Reader {
  /** How many bytes are left. */
  readonly remaining: number;
  /** Reads one byte. */
  u8(): number;
  /** Reads two bytes. */
  u16(): number;
  /** Reads four bytes. */
  u32(): number;
  /** Reads eight bytes, no more than 2^53-1. */
  u64(): number;
  /** Reads eight bytes with a sign. */
  i64(): bigint;
  /** Reads a varint of at most `max`. */
  varint(max?: number): number;
  /** Takes `length` bytes, as a view. */
  bytes(length: number): Uint8Array;
  /** Reads a string of `min` to `max` bytes of UTF-8. */
  string(max: number, min?: number): string;
  /** Makes sure that nothing is left. */
  end(): void;
  /** Throws `protocol` for a field that reads well and means nothing. */
  fail(reason: string): never;
}

/** Writes fields into bytes that grow. */
export interface Writer {
  /** Writes one byte. */
  u8(value: number): Writer;
  /** Writes two bytes. */
  u16(value: number): Writer;
  /** Writes four bytes. */
  u32(value: number): Writer;
  /** Writes eight bytes. */
  u64(value: number): Writer;
  /** Writes eight bytes with a sign. */
  i64(value: bigint): Writer;
  /** Writes a varint. */
  varint(value: number): Writer;
  /** Writes `value` as it is, and makes sure of its length when one is given. */
  bytes(value: Uint8Array, length?: number): Writer;
  /** Writes a string that must be whole: `min` to `max` bytes of UTF-8. */
  string(value: string, max: number, min?: number): Writer;
  /** Writes a string for people, cut at a character to at most `max` bytes. */
  text(value: string, max: number): Writer;
  /** Returns what was written. */
  finish(): Uint8Array<ArrayBuffer>;
}

// A byte order mark is part of a name: without ignoreBOM two names would be one.
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();
const MAX_I64 = 2n ** 63n - 1n;

/**
 * Creates a reader of `from`; `what` names the frame in errors.
 */
export function createReader(from: Uint8Array, what: string): Reader {
  const view = new DataView(from.buffer, from.byteOffset, from.length);
  let at = 0;
  const fail = (reason: string): never => {
    throw new SftpxError("protocol", `Cannot decode ${what}: ${reason}`);
  };
  const take = (length: number): number => {
    if (length > from.length - at) {
      fail(`it ends after ${from.length} bytes, within a field`);
    }
    const start = at;
    at += length;
    return start;
  };
  const reader: Reader = {
    get remaining() {
      return from.length - at;
    },
    u8: () => view.getUint8(take(1)),
    u16: () => view.getUint16(take(2)),
    u32: () => view.getUint32(take(4)),
    u64() {
      const start = take(8);
      const value = view.getUint32(start) * 2 ** 32 + view.getUint32(start + 4);
      return Number.isSafeInteger(value)
        ? value
        : fail(`value must be < 2^53: current value is ${value}`);
    },
    i64: () => view.getBigInt64(take(8)),
    varint(max = Number.MAX_SAFE_INTEGER) {
      const read = readVarint(view, at) ??
        fail(`it ends after ${from.length} bytes, within a field`);
      at = read.end;
      return read.value <= max
        ? read.value
        : fail(`value must be <= ${max}: current value is ${read.value}`);
    },
    bytes(length) {
      const start = take(length);
      return from.subarray(start, start + length);
    },
    string(max, min = 0) {
      const length = reader.varint();
      if (length < min || length > max) {
        fail(
          `a string must have ${min} to ${max} bytes: this one has ${length}`,
        );
      }
      const bytes = reader.bytes(length);
      try {
        return DECODER.decode(bytes);
      } catch {
        return fail("a string is not UTF-8");
      }
    },
    end() {
      if (at < from.length) fail(`${from.length - at} bytes too many`);
    },
    fail,
  };
  return reader;
}

/** Creates a writer; `what` names the frame in errors. */
export function createWriter(what: string, sizeHint = 128): Writer {
  let to = new Uint8Array(sizeHint);
  let view = new DataView(to.buffer);
  let at = 0;
  // It may replace the view: call it before the view is named.
  const room = (length: number): number => {
    if (at + length > to.length) {
      const larger = new Uint8Array(Math.max(to.length * 2, at + length));
      larger.set(to.subarray(0, at));
      to = larger;
      view = new DataView(to.buffer);
    }
    const start = at;
    at += length;
    return start;
  };
  const check = (value: number, max: number): number => {
    if (!Number.isSafeInteger(value) || value < 0 || value > max) {
      throw new RangeError(
        `Cannot encode ${what} as value must be an integer in 0..${max}: current value is ${value}`,
      );
    }
    return value;
  };
  const writer: Writer = {
    u8(value) {
      const start = room(1);
      view.setUint8(start, check(value, 0xff));
      return writer;
    },
    u16(value) {
      const start = room(2);
      view.setUint16(start, check(value, 0xffff));
      return writer;
    },
    u32(value) {
      const start = room(4);
      view.setUint32(start, check(value, 0xffff_ffff));
      return writer;
    },
    u64(value) {
      check(value, Number.MAX_SAFE_INTEGER);
      const start = room(8);
      view.setUint32(start, Math.floor(value / 2 ** 32));
      view.setUint32(start + 4, value % 2 ** 32);
      return writer;
    },
    i64(value) {
      if (value > MAX_I64 || value < -MAX_I64 - 1n) {
        throw new RangeError(
          `Cannot encode ${what} as value must fit 64 bits: current value is ${value}`,
        );
      }
      const start = room(8);
      view.setBigInt64(start, value);
      return writer;
    },
    varint(value) {
      const start = room(varintLength(value));
      writeVarint(view, start, value);
      return writer;
    },
    bytes(value, length = value.length) {
      if (value.length !== length) {
        throw new RangeError(
          `Cannot encode ${what} as a field must have ${length} bytes: current length is ${value.length}`,
        );
      }
      const start = room(length);
      to.set(value, start);
      return writer;
    },
    string(value, max, min = 0) {
      const bytes = ENCODER.encode(value);
      if (bytes.length < min || bytes.length > max || !value.isWellFormed()) {
        throw new RangeError(
          `Cannot encode ${what} as a string must be ${min} to ${max} bytes of UTF-8: current value is ${
            JSON.stringify(value)
          }`,
        );
      }
      return writer.varint(bytes.length).bytes(bytes);
    },
    text(value, max) {
      const bytes = new Uint8Array(max);
      const { written } = ENCODER.encodeInto(value, bytes);
      return writer.varint(written).bytes(bytes.subarray(0, written));
    },
    finish: () => to.slice(0, at),
  };
  return writer;
}
