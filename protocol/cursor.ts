/**
 * Reads and writes the fields of one frame body, one after the other.
 *
 * A body is whole when it is read, so that running out of bytes is the peer's
 * mistake and not a reason to wait.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { writeAscii } from "./text.ts";
import { putVarint, takeVarint, varintLength } from "./varint.ts";

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
export function createWriter(what: string): Writer {
  return new BytesWriter(what);
}

// Both are classes, as there is one for every frame: closures would take more
// time to make than most frames take to read. And neither makes a `DataView` of
// a frame: short arrays live where all objects do, and a view would move each to
// a place of its own.

/** Eight bytes at a time, as a number. */
const WORD = new DataView(new ArrayBuffer(8));

class BytesReader implements Reader {
  readonly #from: Uint8Array;
  readonly #what: string;
  #at = 0;

  constructor(from: Uint8Array, what: string) {
    this.#from = from;
    this.#what = what;
  }

  get remaining(): number {
    return this.#from.length - this.#at;
  }

  u8(): number {
    return this.#byte(this.#take(1));
  }

  u16(): number {
    const start = this.#take(2);
    return this.#byte(start) * 0x100 + this.#byte(start + 1);
  }

  u32(): number {
    return this.u16() * 0x1_0000 + this.u16();
  }

  u64(): number {
    const start = this.#take(8);
    this.#at = start;
    const value = this.u32() * 2 ** 32 + this.u32();
    return Number.isSafeInteger(value)
      ? value
      : this.fail(`value must be < 2^53: current value is ${value}`);
  }

  i64(): bigint {
    const start = this.#take(8);
    for (let at = 0; at < 8; at++) WORD.setUint8(at, this.#byte(start + at));
    return WORD.getBigInt64(0);
  }

  varint(max = Number.MAX_SAFE_INTEGER): number {
    const read = takeVarint(this.#from, this.#at) ?? this.#cut();
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

  #byte(at: number): number {
    return this.#from[at] ?? 0; // it was taken, so it is there
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

/** Where writers write, one after the other: what they return is a copy. */
let spare: Uint8Array<ArrayBuffer> | undefined;
const SPARE_BYTES = 8192;

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
    return this.#number(value, 1, 0xff);
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
