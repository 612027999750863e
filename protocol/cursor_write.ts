/**
 * Writes the fields of frame bodies, and frames, one after the other.
 *
 * @module
 */
import { writeAscii } from "./text.ts";
import { putVarint, varintLength } from "./varint.ts";

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
  /** Bytes that were written. */
  readonly length: number;
  /** Writes a frame whose body is all of `body`, which is empty then. */
  frame(type: number, body: Writer): Writer;
  /** Returns what was written. */
  finish(): Uint8Array<ArrayBuffer>;
  /** As `finish()`, of a writer that is used on: it is empty then. */
  take(): Uint8Array<ArrayBuffer>;
}

const ENCODER = new TextEncoder();
const MAX_I64 = 2n ** 63n - 1n;

/** Creates a writer; `what` names the frame in errors. */
export function createWriter(what: string): Writer {
  return new BytesWriter(what);
}

/** Eight bytes at a time, as a number. */
const WORD = new DataView(new ArrayBuffer(8));

/** Where writers write, one after the other: what they return is a copy. */
let spare: Uint8Array<ArrayBuffer> | undefined;
const SPARE_BYTES = 8192;
/** What is copied sooner byte by byte than by a call. */
const SHORT_BYTES = 128;

class BytesWriter implements Writer {
  readonly #what: string;
  #to: Uint8Array<ArrayBuffer>;
  #at = 0;

  constructor(what: string) {
    this.#what = what;
    this.#to = spare ?? new Uint8Array(SPARE_BYTES);
    spare = undefined; // until this one has finished
  }

  u8(value: number): Writer {
    if (value !== (value & 0xff)) return this.#number(value, 1, 0xff);
    const start = this.#room(1);
    this.#to[start] = value;
    return this;
  }

  u16(value: number): Writer {
    return this.#number(value, 2, 0xffff);
  }

  u32(value: number): Writer {
    return this.#number(value, 4, 0xffff_ffff);
  }

  u64(value: number): Writer {
    return this.#number(value, 8, Number.MAX_SAFE_INTEGER);
  }

  i64(value: bigint): Writer {
    if (value > MAX_I64 || value < -MAX_I64 - 1n) {
      throw new RangeError(
        `Cannot encode ${this.#what} as value must fit 64 bits: current value is ${value}`,
      );
    }
    WORD.setBigInt64(0, value);
    const start = this.#room(8);
    for (let at = 0; at < 8; at++) this.#to[start + at] = WORD.getUint8(at);
    return this;
  }

  varint(value: number): Writer {
    if (value === (value & 0x3f)) return this.u8(value);
    const start = this.#room(varintLength(value));
    putVarint(this.#to, start, value);
    return this;
  }

  bytes(value: Uint8Array, length: number = value.length): Writer {
    if (value.length !== length) {
      throw new RangeError(
        `Cannot encode ${this.#what} as a field must have ${length} bytes: current length is ${value.length}`,
      );
    }
    const start = this.#room(length);
    this.#to.set(value, start);
    return this;
  }

  string(value: string, max: number, min = 0): Writer {
    const { length } = value;
    if (length >= min && length <= max) {
      const before = this.#at;
      this.varint(length);
      const start = this.#room(length);
      if (writeAscii(this.#to, start, value)) return this;
      this.#at = before;
    }
    const bytes = ENCODER.encode(value);
    if (bytes.length < min || bytes.length > max || !value.isWellFormed()) {
      throw new RangeError(
        `Cannot encode ${this.#what} as a string must be ${min} to ${max} bytes of UTF-8: current value is ${
          JSON.stringify(value)
        }`,
      );
    }
    return this.varint(bytes.length).bytes(bytes);
  }

  text(value: string, max: number): Writer {
    const bytes = new Uint8Array(max);
    const { written } = ENCODER.encodeInto(value, bytes);
    return this.varint(written).bytes(bytes.subarray(0, written));
  }

  get length(): number {
    return this.#at;
  }

  frame(type: number, body: Writer): Writer {
    if (!(body instanceof BytesWriter)) {
      throw new TypeError("Cannot write a frame: its body is not ours");
    }
    const length = body.#at;
    this.varint(type).varint(length);
    const start = this.#room(length);
    const [from, to] = [body.#to, this.#to];
    if (length > SHORT_BYTES) to.set(from.subarray(0, length), start);
    else for (let at = 0; at < length; at++) to[start + at] = from[at] ?? 0;
    body.#at = 0;
    return this;
  }

  take(): Uint8Array<ArrayBuffer> {
    const written = this.#to.slice(0, this.#at);
    this.#at = 0;
    return written;
  }

  finish(): Uint8Array<ArrayBuffer> {
    const written = this.#to.slice(0, this.#at);
    if (this.#to.length === SPARE_BYTES) spare = this.#to;
    this.#to = written; // what comes later is no other writer's concern
    return written;
  }

  /** It may replace the bytes: call it before they are named. */
  #room(length: number): number {
    const start = this.#at;
    const end = start + length;
    if (end > this.#to.length) {
      const larger = new Uint8Array(Math.max(this.#to.length * 2, end));
      larger.set(this.#to.subarray(0, start));
      this.#to = larger;
    }
    this.#at = end;
    return start;
  }

  #number(value: number, length: number, max: number): Writer {
    if (!Number.isSafeInteger(value) || value < 0 || value > max) {
      throw new RangeError(
        `Cannot encode ${this.#what} as value must be an integer in 0..${max}: current value is ${value}`,
      );
    }
    const start = this.#room(length);
    let rest = value;
    for (let at = start + length - 1; at >= start; at--) {
      this.#to[at] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    return this;
  }
}
