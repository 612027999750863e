/**
 * The primitive encoding of XFTP: what blocks, commands and hellos are made of.
 * All integers are big-endian.
 *
 * | type              | bytes                                          |
 * | ----------------- | ---------------------------------------------- |
 * | word16 32, int64  | 2, 4, 8                                        |
 * | short string      | length in 1 byte, then that many               |
 * | large             | length in 2 bytes, then that many              |
 * | maybe             | `0`, or `1` and the value                      |
 * | bool              | `T` or `F`                                     |
 * | list              | count in 1 byte, then the items                |
 *
 * What is written is bytes, to be joined with `concatBytes()`; what is read is
 * taken from a `Reader`, which throws `SftpxError("protocol")` when it is not
 * there or not so.
 *
 * @module
 */
import { concatBytes } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";

/** Bytes that own their memory, as all that is written here. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** The most that a short string or a list can hold. */
export const MAX_SHORT = 255;

/** The most that a large string can hold. */
export const MAX_LARGE = 65_535;

/** Writes an integer of 0 to 65535 in 2 bytes. */
export function word16(value: number): Bytes {
  checkRange("word16", value, 0xffff);
  return Uint8Array.of(value >>> 8, value & 0xff);
}

/** Writes an integer of 0 to 4294967295 in 4 bytes. */
export function word32(value: number): Bytes {
  checkRange("word32", value, 0xffff_ffff);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** Writes an integer of -2^63 to 2^63 - 1 in 8 bytes. */
export function int64(value: bigint): Bytes {
  if (BigInt.asIntN(64, value) !== value) {
    throw new RangeError(
      `Cannot write int64 as it has more than 64 bits: current value is ${value}`,
    );
  }
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, value);
  return bytes;
}

/** Writes up to 255 bytes, or a text in UTF-8, with the length before them. */
export function shortString(value: Uint8Array | string): Bytes {
  const bytes = typeof value === "string" ? encoder.encode(value) : value;
  checkRange("short string of length", bytes.length, MAX_SHORT);
  return concatBytes(Uint8Array.of(bytes.length), bytes);
}

/** Writes up to 65535 bytes with the length before them. */
export function large(bytes: Uint8Array): Bytes {
  checkRange("large string of length", bytes.length, MAX_LARGE);
  return concatBytes(word16(bytes.length), bytes);
}

/** Writes a value that may be missing; `written` is its own encoding. */
export function maybe(written: Uint8Array | undefined): Bytes {
  return written === undefined
    ? Uint8Array.of(NOTHING)
    : concatBytes(Uint8Array.of(JUST), written);
}

/** Writes true or false. */
export function bool(value: boolean): Bytes {
  return Uint8Array.of(value ? TRUE : FALSE);
}

/** Writes up to 255 items, each in its own encoding, with their count before them. */
export function list(items: readonly Uint8Array[]): Bytes {
  checkRange("list of length", items.length, MAX_SHORT);
  return concatBytes(Uint8Array.of(items.length), ...items);
}

/** Writes 1 to 255 items, as `list()` does. */
export function nonEmpty(items: readonly Uint8Array[]): Bytes {
  if (items.length === 0) {
    throw new RangeError("Cannot write a list that must not be empty: it is");
  }
  return list(items);
}

/** Writes a word of ASCII, as tags and errors are. */
export function ascii(text: string): Bytes {
  return encoder.encode(text);
}

/** Takes values from the front of bytes. What it gives are views of them. */
export interface Reader {
  /** Bytes that were not taken yet. */
  readonly left: number;
  /** Takes 1 byte as an integer. */
  word8(): number;
  /** Takes 2 bytes as an integer. */
  word16(): number;
  /** Takes 4 bytes as an integer. */
  word32(): number;
  /** Takes 8 bytes as an integer with a sign. */
  int64(): bigint;
  /** Takes `count` bytes as they are. */
  bytes(count: number): Uint8Array;
  /** Takes a short string. */
  shortString(): Uint8Array;
  /** Takes a short string that must be UTF-8. */
  shortText(): string;
  /** Takes a large string. */
  large(): Uint8Array;
  /** Takes a value that may be missing. */
  maybe<T>(take: () => T): T | undefined;
  /** Takes true or false. */
  bool(): boolean;
  /** Takes items with their count before them. */
  list<T>(take: () => T): T[];
  /** Takes at least one item. */
  nonEmpty<T>(take: () => T): T[];
  /** Takes all that is left. */
  rest(): Uint8Array;
  /** Makes sure that nothing is left. */
  end(): void;
}

/**
 * Creates a reader of `bytes`.
 *
 * @param what What errors are to call it: `command`.
 */
export function createReader(bytes: Uint8Array, what: string): Reader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 0;
  const take = (count: number): number => {
    if (count > bytes.length - offset) {
      throw unreadable(
        what,
        `it ends early, ${bytes.length - offset} bytes of ${count} are left`,
      );
    }
    const from = offset;
    offset += count;
    return from;
  };
  const tag = (): number => view.getUint8(take(1));
  const reader: Reader = {
    get left() {
      return bytes.length - offset;
    },
    word8: tag,
    word16: () => view.getUint16(take(2)),
    word32: () => view.getUint32(take(4)),
    int64: () => view.getBigInt64(take(8)),
    bytes(count) {
      const from = take(count);
      return bytes.subarray(from, from + count);
    },
    shortString: () => reader.bytes(tag()),
    shortText() {
      try {
        return utf8.decode(reader.shortString());
      } catch (cause) {
        if (cause instanceof SftpxError) throw cause;
        throw unreadable(what, "a text in it is not UTF-8", cause);
      }
    },
    large: () => reader.bytes(reader.word16()),
    maybe<T>(takeValue: () => T): T | undefined {
      const is = tag();
      if (is === NOTHING) return undefined;
      if (is === JUST) return takeValue();
      throw unreadable(what, `0x${is.toString(16)} stands where 0 or 1 must`);
    },
    bool() {
      const is = tag();
      if (is === TRUE || is === FALSE) return is === TRUE;
      throw unreadable(what, `0x${is.toString(16)} stands where T or F must`);
    },
    list<T>(takeItem: () => T): T[] {
      // Not allocated ahead: a count costs its sender one byte.
      const items: T[] = [];
      for (let count = tag(); count > 0; count--) items.push(takeItem());
      return items;
    },
    nonEmpty<T>(takeItem: () => T): T[] {
      const items = reader.list(takeItem);
      if (items.length === 0) {
        throw unreadable(what, "a list in it is empty and must not be");
      }
      return items;
    },
    rest: () => reader.bytes(reader.left),
    end() {
      if (reader.left > 0) {
        throw unreadable(what, `${reader.left} bytes stand after its end`);
      }
    },
  };
  return reader;
}

/** The error of bytes that are not what they are to be. */
export function unreadable(
  what: string,
  reason: string,
  cause?: unknown,
): SftpxError {
  return new SftpxError("protocol", `Cannot read ${what}: ${reason}`, cause);
}

const encoder = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const NOTHING = 0x30; // "0"
const JUST = 0x31; // "1"
const TRUE = 0x54; // "T"
const FALSE = 0x46; // "F"

function checkRange(what: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new RangeError(
      `Cannot write ${what} ${value}: it must be an integer in 0..${max}`,
    );
  }
}
