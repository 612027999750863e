/**
 * STUN messages, as RFC 8489 has them: what a server writes back about where a
 * request came from.
 *
 * | offset | length | field                                                     |
 * | ------ | ------ | --------------------------------------------------------- |
 * | 0      | 2      | two zero bits, method and class                           |
 * | 2      | 2      | bytes after the header, a multiple of 4                   |
 * | 4      | 4      | `21 12 a4 42`                                             |
 * | 8      | 12     | transaction                                               |
 * | 20     |        | attributes: type u16, length u16, value, padding to 4     |
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { crc32 } from "node:zlib";
import { concatBytes, equalBytes } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";

/** What a message is. */
export type StunClass = "request" | "indication" | "success" | "error";

/** A message. */
export interface StunMessage {
  /** 1 is Binding, the only one that is used here. */
  readonly method: number;
  readonly class: StunClass;
  /** 12 bytes that an answer repeats. */
  readonly transaction: Uint8Array;
  /** In the order of the message; integrity and fingerprint are not among them when written. */
  readonly attributes: readonly StunAttribute[];
}

/** An attribute, its value as it is. */
export interface StunAttribute {
  readonly type: number;
  readonly value: Uint8Array;
}

/** The method that asks where a request came from. */
export const BINDING = 1;

/** The types of attributes that are known here. */
export const STUN = {
  mappedAddress: 0x0001,
  changeRequest: 0x0003,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  unknownAttributes: 0x000a,
  xorMappedAddress: 0x0020,
  software: 0x8022,
  fingerprint: 0x8028,
  responseOrigin: 0x802b,
  otherAddress: 0x802c,
} as const;

/** How a message is protected. */
export interface EncodeStunOptions {
  /** Adds MESSAGE-INTEGRITY with this key. */
  readonly integrityKey?: Uint8Array;
  /** Adds FINGERPRINT. @default {false} */
  readonly fingerprint?: boolean;
}

/** Bytes of a message before its attributes. */
export const STUN_HEADER_BYTES = 20;

/** More is neither a question nor an answer of ours, and would not pass every path. */
export const MAX_STUN_BYTES = 1232;

/** Writes a message. */
export function encodeStun(
  message: StunMessage,
  options: EncodeStunOptions = {},
): Uint8Array<ArrayBuffer> {
  if (message.transaction.length !== 12) {
    throw new RangeError(
      `Cannot encode STUN message as its transaction must have 12 bytes: current value has ${message.transaction.length}`,
    );
  }
  let bytes = concatBytes(
    new Uint8Array(STUN_HEADER_BYTES),
    ...message.attributes.map(attributeBytes),
  );
  const view = new DataView(bytes.buffer);
  view.setUint16(0, typeOf(message));
  view.setUint32(4, COOKIE);
  bytes.set(message.transaction, 8);
  setLength(bytes, bytes.length);
  if (options.integrityKey !== undefined) {
    const value = integrityOf(bytes, bytes.length, options.integrityKey);
    bytes = concatBytes(
      bytes,
      attributeBytes({ type: STUN.messageIntegrity, value }),
    );
    setLength(bytes, bytes.length);
  }
  if (options.fingerprint) {
    const value = fingerprintOf(bytes, bytes.length);
    bytes = concatBytes(
      bytes,
      attributeBytes({ type: STUN.fingerprint, value }),
    );
    setLength(bytes, bytes.length);
  }
  return bytes;
}

/**
 * Reads a message. A FINGERPRINT that is there must be right and last; of
 * MESSAGE-INTEGRITY see `isStunIntegral`.
 *
 * @throws {SftpxError} "protocol" when it is none.
 */
export function decodeStun(bytes: Uint8Array): StunMessage {
  if (bytes.length < STUN_HEADER_BYTES) throw bad("it is too short");
  if (bytes.length > MAX_STUN_BYTES) throw bad("it is too long");
  const view = viewOf(bytes);
  const type = view.getUint16(0);
  if (type >= 0x4000) throw bad("it does not begin with two zero bits");
  if (view.getUint32(4) !== COOKIE) throw bad("it has no magic cookie");
  const length = view.getUint16(2);
  if (length % 4 !== 0 || length !== bytes.length - STUN_HEADER_BYTES) {
    throw bad("its length is wrong");
  }
  const attributes: StunAttribute[] = [];
  for (let at = STUN_HEADER_BYTES; at < bytes.length;) {
    // Lengths are multiples of 4, so 4 bytes are there.
    const size = view.getUint16(at + 2);
    const end = at + 4 + padded(size);
    if (end > bytes.length) throw bad("an attribute does not end");
    const attribute = {
      type: view.getUint16(at),
      value: bytes.slice(at + 4, at + 4 + size),
    };
    if (attribute.type === STUN.fingerprint) {
      if (end !== bytes.length) throw bad("its fingerprint is not last");
      if (!equalBytes(attribute.value, fingerprintOf(bytes, at))) {
        throw bad("its fingerprint is wrong");
      }
    }
    attributes.push(attribute);
    at = end;
  }
  return {
    method: (type & 0x000f) | (type & 0x00e0) >> 1 | (type & 0x3e00) >> 2,
    class: CLASSES[(type & 0x0010) >> 4 | (type & 0x0100) >> 7] ?? "request",
    transaction: bytes.slice(8, STUN_HEADER_BYTES),
    attributes,
  };
}

/** Tells at a glance whether a datagram may be STUN, and not QUIC or anything else. */
export function looksLikeStun(bytes: Uint8Array): boolean {
  return bytes.length >= STUN_HEADER_BYTES && (bytes[0] ?? 0xff) < 0x40 &&
    viewOf(bytes).getUint32(4) === COOKIE;
}

/** Tells whether a message that `decodeStun` takes was protected with `key`; false when it was not protected. */
export function isStunIntegral(bytes: Uint8Array, key: Uint8Array): boolean {
  const view = viewOf(bytes);
  for (let at = STUN_HEADER_BYTES; at + 4 <= bytes.length;) {
    const size = view.getUint16(at + 2);
    if (view.getUint16(at) === STUN.messageIntegrity) {
      const value = bytes.subarray(at + 4, at + 4 + size);
      return equalBytes(value, integrityOf(bytes, at, key));
    }
    at += 4 + padded(size);
  }
  return false;
}

/** The value of the first attribute of a type. */
export function stunAttribute(
  message: StunMessage,
  type: number,
): Uint8Array | undefined {
  return message.attributes.find((attribute) => attribute.type === type)?.value;
}

const COOKIE = 0x2112a442;
const CLASSES: readonly StunClass[] = [
  "request",
  "indication",
  "success",
  "error",
];

function typeOf({ method, class: kind }: StunMessage): number {
  if (!(Number.isInteger(method) && method >= 0 && method < 0x1000)) {
    throw new RangeError(
      `Cannot encode STUN message as its method must have 12 bits: current value is ${method}`,
    );
  }
  const index = CLASSES.indexOf(kind);
  return (method & 0x000f) | (method & 0x0070) << 1 | (method & 0x0f80) << 2 |
    (index & 1) << 4 | (index & 2) << 7;
}

function attributeBytes({ type, value }: StunAttribute): Uint8Array {
  const bytes = new Uint8Array(4 + padded(value.length));
  const view = viewOf(bytes);
  view.setUint16(0, type);
  view.setUint16(2, value.length);
  bytes.set(value, 4);
  return bytes;
}

function padded(size: number): number {
  return (size + 3) & ~3;
}

function setLength(bytes: Uint8Array, end: number): void {
  viewOf(bytes).setUint16(2, end - STUN_HEADER_BYTES);
}

/** HMAC over what stands before offset `at`, with the length as if it ended after the HMAC. */
function integrityOf(
  bytes: Uint8Array,
  at: number,
  key: Uint8Array,
): Uint8Array {
  const before = bytes.slice(0, at);
  setLength(before, at + 24);
  return new Uint8Array(createHmac("sha1", key).update(before).digest());
}

/** CRC-32 over what stands before offset `at`, with the length as if it ended after the CRC. */
function fingerprintOf(bytes: Uint8Array, at: number): Uint8Array {
  const before = bytes.slice(0, at);
  setLength(before, at + 8);
  const value = new Uint8Array(4);
  viewOf(value).setUint32(0, crc32(Buffer.from(before)) ^ 0x5354554e);
  return value;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function bad(reason: string): SftpxError {
  return new SftpxError("protocol", `Cannot read STUN message: ${reason}`);
}
