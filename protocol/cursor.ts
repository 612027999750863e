/**
 * Reads the fields of one frame body, one after the other; `cursor_write.ts`
 * writes them.
 *
 * A body is whole when it is read, so that running out of bytes is the peer's
 * mistake and not a reason to wait.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { takeVarint } from "./varint.ts";

export { createWriter, type Writer } from "./cursor_write.ts";

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

// A byte order mark is part of a name: without ignoreBOM two names would be one.
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Creates a reader of `from`; `what` names the frame in errors.
 */
export function createReader(from: Uint8Array, what: string): Reader {
  return new BytesReader(from, what);
}

// A class, as is what writes, as there is one for every frame: closures would
// take more time to make than most frames take to read. And neither makes a
// `DataView` of a frame: short arrays live where all objects do, and a view would
// move each to a place of its own.

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
    const first = this.#from[this.#at];
    if (first !== undefined && first < 0x40 && first <= max) { // as most are
      this.#at++;
      return first;
    }
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
    throw new SftpxError(
      "protocol",
      `Cannot decode ${this.#what.toUpperCase()}: ${reason}`,
    );
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
