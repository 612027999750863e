/**
 * The values of STUN attributes: addresses, and what went wrong.
 *
 * An address is a zero byte, the family (1 is IPv4, 2 is IPv6), the port u16 and
 * the address. The XOR kind is mixed with the magic cookie and the transaction,
 * as some routers rewrite whatever looks like an address of theirs.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { familyOf, type HostPort } from "../transport/address.ts";
import { ipBytes, ipText } from "./ip.ts";

/** Writes an address. */
export function encodeStunAddress(address: HostPort): Uint8Array {
  const host = ipBytes(address.hostname);
  const value = new Uint8Array(4 + host.length);
  const view = new DataView(value.buffer);
  view.setUint8(1, host.length === 4 ? 1 : 2);
  view.setUint16(2, address.port);
  value.set(host, 4);
  return value;
}

/**
 * Reads an address.
 *
 * @throws {SftpxError} "protocol" when it is none.
 */
export function decodeStunAddress(value: Uint8Array): HostPort {
  const length = value[1] === 1 ? 8 : value[1] === 2 ? 20 : -1;
  if (value.length !== length) {
    throw new SftpxError(
      "protocol",
      "Cannot read STUN address: it is no address",
    );
  }
  const [high = 0, low = 0] = value.subarray(2);
  return { hostname: ipText(value.subarray(4)), port: high << 8 | low };
}

/** Writes an address of the XOR kind. */
export function encodeXorAddress(
  address: HostPort,
  transaction: Uint8Array,
): Uint8Array {
  return mixed(encodeStunAddress(address), transaction);
}

/**
 * Reads an address of the XOR kind.
 *
 * @throws {SftpxError} "protocol" when it is none.
 */
export function decodeXorAddress(
  value: Uint8Array,
  transaction: Uint8Array,
): HostPort {
  return decodeStunAddress(mixed(value, transaction));
}

/** Writes an error: its number, such as 420, and a text. */
export function encodeStunError(code: number, text: string): Uint8Array {
  const words = new TextEncoder().encode(text);
  const value = new Uint8Array(4 + words.length);
  value[2] = Math.floor(code / 100);
  value[3] = code % 100;
  value.set(words, 4);
  return value;
}

/** The number of an error; 0 when there is none. */
export function decodeStunError(value: Uint8Array): number {
  return value.length < 4
    ? 0
    : ((value[2] ?? 0) & 7) * 100 + (value[3] ?? 0) % 100;
}

/** Tells whether two addresses are the same. */
export function isSameAddress(a: HostPort, b: HostPort): boolean {
  return a.port === b.port && isSameHost(a.hostname, b.hostname);
}

/** Tells whether two literal addresses are the same, however they are written. */
export function isSameHost(a: string, b: string): boolean {
  if (familyOf(a) === undefined || familyOf(b) === undefined) return a === b;
  return ipText(ipBytes(a)) === ipText(ipBytes(b));
}

const COOKIE = [0x21, 0x12, 0xa4, 0x42];

function mixed(value: Uint8Array, transaction: Uint8Array): Uint8Array {
  const key = [...COOKIE, ...transaction];
  return value.map((byte, i) => {
    if (i < 2) return byte;
    return byte ^ ((i < 4 ? COOKIE[i - 2] : key[i - 4]) ?? 0);
  });
}
