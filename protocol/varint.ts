/**
 * Variable-length integers, as RFC 9000 section 16 has them.
 *
 * | first bits | length | range               |
 * | ---------- | ------ | ------------------- |
 * | `00`       | 1      | 0 to 63             |
 * | `01`       | 2      | 0 to 16383          |
 * | `10`       | 4      | 0 to 1073741823     |
 * | `11`       | 8      | 0 to 2^53 - 1 here  |
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";

/** How many bytes `value` takes. */
export function varintLength(value: number): 1 | 2 | 4 | 8 {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(
      `Cannot encode varint as value must be an integer in 0..2^53-1: current value is ${value}`,
    );
  }
  return value < 0x40 ? 1 : value < 0x4000 ? 2 : value < 0x4000_0000 ? 4 : 8;
}

/** Writes `value` at `offset` and returns the offset after it. */
export function writeVarint(
  to: DataView,
  offset: number,
  value: number,
): number {
  const length = varintLength(value);
  switch (length) {
    case 1:
      to.setUint8(offset, value);
      break;
    case 2:
      to.setUint16(offset, 0x4000 | value);
      break;
    case 4:
      to.setUint32(offset, 0x8000_0000 + value);
      break;
    case 8:
      to.setBigUint64(offset, 0xc000_0000_0000_0000n | BigInt(value));
      break;
  }
  return offset + length;
}

/** As `writeVarint()`, for who has no `DataView`: making one costs more than this. */
export function putVarint(
  to: Uint8Array,
  offset: number,
  value: number,
): number {
  const length = varintLength(value);
  let rest = value;
  for (let at = offset + length - 1; at >= offset; at--) {
    to[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  to[offset] = (to[offset] ?? 0) | (Math.log2(length) << 6);
  return offset + length;
}

/** As `readVarint()`, for who has no `DataView`. */
export function takeVarint(
  from: Uint8Array,
  offset: number,
): { value: number; end: number } | undefined {
  const first = from[offset];
  if (first === undefined) return undefined;
  const end = offset + (1 << (first >> 6));
  if (end > from.length) return undefined;
  let value = first & 0x3f;
  for (let at = offset + 1; at < end; at++) {
    value = value * 256 + (from[at] ?? 0);
  }
  // Below 2^62 nothing that is too large rounds to something that is not.
  return { value: Number.isSafeInteger(value) ? value : tooLarge(value), end };
}

function tooLarge(value: number | bigint): never {
  throw new SftpxError(
    "protocol",
    `Cannot decode varint as value must be < 2^53: current value is ${value}`,
  );
}

/** Reads a varint at `offset`; `undefined` when it is not all there yet. */
export function readVarint(
  from: DataView,
  offset: number,
): { value: number; end: number } | undefined {
  if (offset >= from.byteLength) return undefined;
  const length = 1 << (from.getUint8(offset) >> 6);
  const end = offset + length;
  if (end > from.byteLength) return undefined;
  switch (length) {
    case 1:
      return { value: from.getUint8(offset), end };
    case 2:
      return { value: from.getUint16(offset) & 0x3fff, end };
    case 4:
      return { value: from.getUint32(offset) & 0x3fff_ffff, end };
    default: {
      const value = from.getBigUint64(offset) & 0x3fff_ffff_ffff_ffffn;
      if (value > BigInt(Number.MAX_SAFE_INTEGER)) tooLarge(value);
      return { value: Number(value), end };
    }
  }
}
