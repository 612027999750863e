/**
 * Literal IP addresses: as bytes, as text, and of which kind they are.
 *
 * @module
 */
import { familyOf } from "../transport/address.ts";

/**
 * The 4 or 16 bytes of an address; IPv4 inside of IPv6 is IPv4.
 *
 * @throws {RangeError} when it is no literal address.
 */
export function ipBytes(address: string): Uint8Array<ArrayBuffer> {
  const [host = ""] = address.split("%");
  const family = familyOf(host);
  if (family === 4) return Uint8Array.from(host.split("."), Number);
  const literal = family === 6
    ? URL.parse(`http://[${host}]`)?.hostname.slice(1, -1)
    : undefined;
  if (literal === undefined) {
    throw new RangeError(
      `Cannot read address: "${address}" is no literal address`,
    );
  }
  const [head = "", tail] = literal.split("::");
  const groups = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => parseInt(group, 16));
  const [first, last] = [groups(head), groups(tail ?? "")];
  const zeros = new Array(8 - first.length - last.length).fill(0);
  const all = [...first, ...zeros, ...last];
  const bytes = Uint8Array.from(all.flatMap((group) => [group >> 8, group]));
  return isMapped(bytes) ? bytes.slice(12) : bytes;
}

/** The text of an address of 4 or 16 bytes; IPv4 inside of IPv6 is IPv4. */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) {
    throw new RangeError(
      `Cannot write address as it must have 4 or 16 bytes: current value has ${bytes.length}`,
    );
  }
  if (isMapped(bytes)) return bytes.subarray(12).join(".");
  const groups = Array.from(
    { length: 8 },
    (_, i) => ((bytes[2 * i] ?? 0) << 8 | (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  // A URL has the one short form.
  return URL.parse(`http://[${groups.join(":")}]`)?.hostname.slice(1, -1) ??
    groups.join(":");
}

/** From where an address can be reached. */
export type Scope =
  | "loopback"
  | "link"
  | "private"
  | "shared"
  | "public"
  | "none";

/**
 * From where an address can be reached: this machine, its link, its site, a
 * carrier's network (100.64.0.0/10), everywhere, or nowhere (a group, or no
 * address of anybody).
 */
export function scopeOf(address: string): Scope {
  const bytes = ipBytes(address);
  const [a = 0, b = 0] = bytes;
  if (bytes.length === 4) {
    if (a === 127) return "loopback";
    if (a === 0 || a >= 224) return "none";
    if (a === 169 && b === 254) return "link";
    if (a === 10 || a === 192 && b === 168 || a === 172 && (b & 0xf0) === 16) {
      return "private";
    }
    return a === 100 && (b & 0xc0) === 64 ? "shared" : "public";
  }
  const rest = bytes.subarray(0, 15).every((byte) => byte === 0);
  if (rest) return bytes[15] === 1 ? "loopback" : "none";
  if (a === 0xff) return "none";
  if (a === 0xfe && (b & 0xc0) === 0x80) return "link";
  return (a & 0xfe) === 0xfc ? "private" : "public";
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes.length === 16 && bytes[10] === 0xff && bytes[11] === 0xff &&
    bytes.subarray(0, 10).every((byte) => byte === 0);
}
