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
      if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
        throw new SftpxError(
          "protocol",
          `Cannot decode varint as value must be < 2^53: current value is ${value}`,
        );
      }
      return { value: Number(value), end };
    }
  }
}
