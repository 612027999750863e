/**
 * As much of DER as signed keys and certificates of routers need: lengths of up
 * to 65535, and tags of one byte.
 *
 * @module
 */
import { concatBytes } from "../core/bytes.ts";
import { type Bytes, unreadable } from "./encoding.ts";

/** Tags that are met here. */
export const DER = Object.freeze({
  integer: 0x02,
  bitString: 0x03,
  oid: 0x06,
  sequence: 0x30,
  version: 0xa0,
});

/** One value, as it stands. */
export interface DerValue {
  /** What kind it is. */
  readonly tag: number;
  /** All of it, with tag and length. */
  readonly whole: Uint8Array;
  /** What it holds. */
  readonly content: Uint8Array;
}

/** Writes a value. */
export function writeDer(tag: number, ...contents: Uint8Array[]): Bytes {
  const content = concatBytes(...contents);
  const { length } = content;
  const head = length < 0x80
    ? [tag, length]
    : length < 0x100
    ? [tag, 0x81, length]
    : [tag, 0x82, length >>> 8, length & 0xff];
  if (length > 0xffff) {
    throw new RangeError(`Cannot write DER of ${length} bytes: it is too long`);
  }
  return concatBytes(Uint8Array.from(head), content);
}

/**
 * Reads the values that stand one after the other in `bytes`.
 *
 * @throws {SftpxError} `protocol`, when they do not fill it.
 */
export function readDer(bytes: Uint8Array, what: string): DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < bytes.length;) {
    const value = readOne(bytes, at, what);
    values.push(value);
    at += value.whole.length;
  }
  return values;
}

/**
 * Reads the values of the one sequence that `bytes` is.
 *
 * @throws {SftpxError} `protocol`, when it is not one.
 */
export function readSequence(bytes: Uint8Array, what: string): DerValue[] {
  const [only, ...others] = readDer(bytes, what);
  if (only?.tag !== DER.sequence || others.length > 0) {
    throw unreadable(what, "it is not one sequence");
  }
  return readDer(only.content, what);
}

function readOne(bytes: Uint8Array, at: number, what: string): DerValue {
  const tag = bytes[at] ?? 0;
  const first = bytes[at + 1];
  let head = 2;
  let length = first ?? 0;
  if (length === 0x81) {
    length = bytes[at + 2] ?? 0;
    head = 3;
  } else if (length === 0x82) {
    length = (bytes[at + 2] ?? 0) << 8 | (bytes[at + 3] ?? 0);
    head = 4;
  } else if (length >= 0x80) {
    throw unreadable(what, "a length in it has a form that is not known");
  }
  const end = at + head + length;
  if (first === undefined || end > bytes.length) {
    throw unreadable(what, "it ends early");
  }
  return {
    tag,
    whole: bytes.subarray(at, end),
    content: bytes.subarray(at + head, end),
  };
}
