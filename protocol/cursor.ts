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
  return new BytesReader(from, what);
}

/** Creates a writer; `what` names the frame in errors. */
export function createWriter(what: string, sizeHint = 64): Writer {
  return new BytesWriter(what, sizeHint);
}

// Both are classes, as there is one for every frame: closures would take more
// time to make than most frames take to read.

class BytesReader implements Reader {
  readonly #from: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  #at = 0;

  constructor(from: Uint8Array, what: string) {
    this.#from = from;
    this.#view = new DataView(from.buffer, from.byteOffset, from.length);
    this.#what = what;
  }

  get remaining(): number {
    return this.#from.length - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  u64(): number {
    const start = this.#take(8);
    const value = this.#view.getUint32(start) * 2 ** 32 +
      this.#view.getUint32(start + 4);
    return Number.isSafeInteger(value)
      ? value
      : this.fail(`value must be < 2^53: current value is ${value}`);
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8));
  }

  varint(max = Number.MAX_SAFE_INTEGER): number {
    const read = readVarint(this.#view, this.#at) ?? this.#cut();
    this.#at = read.end;
    return read.value <= max
      ? read.value
      : this.fail(`value must be <= ${max}: current value is ${read.value}`);
  }

  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#from.subarray(start, start + length);
  }

  string(max: number, min = 0): string {
    const length = this.varint();
    if (length < min || length > max) {
      this.fail(
        `a string must have ${min} to ${max} bytes: this one has ${length}`,
      );
    }
    const bytes = this.bytes(length);
    try {
      return DECODER.decode(bytes);
    } catch {
      return this.fail("a string is not UTF-8");
    }
  }

  end(): void {
    const left = this.remaining;
    if (left > 0) this.fail(`${left} bytes too many`);
  }

  fail(reason: string): never {
    throw new SftpxError("protocol", `Cannot decode ${this.#what}: ${reason}`);
  }

  #take(length: number): number {
    if (length > this.remaining) this.#cut();
    const start = this.#at;
    this.#at += length;
    return start;
  }

  #cut(): never {
    return this.fail(
      `it ends after ${this.#from.length} bytes, within a field`,
    );
  }
}

class BytesWriter implements Writer {
  readonly #what: string;
  #to: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #at = 0;

  constructor(what: string, sizeHint: number) {
    this.#what = what;
    this.#to = new Uint8Array(sizeHint);
    this.#view = new DataView(this.#to.buffer);
  }

  u8(value: number): Writer {
    const start = this.#room(1);
    this.#view.setUint8(start, this.#check(value, 0xff));
    return this;
  }

  u16(value: number): Writer {
    const start = this.#room(2);
    this.#view.setUint16(start, this.#check(value, 0xffff));
    return this;
  }

  u32(value: number): Writer {
    const start = this.#room(4);
    this.#view.setUint32(start, this.#check(value, 0xffff_ffff));
    return this;
  }

  u64(value: number): Writer {
    this.#check(value, Number.MAX_SAFE_INTEGER);
    const start = this.#room(8);
    this.#view.setUint32(start, Math.floor(value / 2 ** 32));
    this.#view.setUint32(start + 4, value % 2 ** 32);
    return this;
  }

  i64(value: bigint): Writer {
    if (value > MAX_I64 || value < -MAX_I64 - 1n) {
      throw new RangeError(
        `Cannot encode ${this.#what} as value must fit 64 bits: current value is ${value}`,
      );
    }
    const start = this.#room(8);
    this.#view.setBigInt64(start, value);
    return this;
  }

  varint(value: number): Writer {
    const start = this.#room(varintLength(value));
    writeVarint(this.#view, start, value);
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

  finish(): Uint8Array<ArrayBuffer> {
    return this.#to.slice(0, this.#at);
  }

  /** It may replace the view: call it before the view is named. */
  #room(length: number): number {
    const start = this.#at;
    const end = start + length;
    if (end > this.#to.length) {
      const larger = new Uint8Array(Math.max(this.#to.length * 2, end));
      larger.set(this.#to.subarray(0, start));
      this.#to = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#at = end;
    return start;
  }

  #check(value: number, max: number): number {
    if (!Number.isSafeInteger(value) || value < 0 || value > max) {
      throw new RangeError(
        `Cannot encode ${this.#what} as value must be an integer in 0..${max}: current value is ${value}`,
      );
    }
    return value;
  }
}
