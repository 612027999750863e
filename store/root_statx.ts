/**
 * What `statx` of Linux says of a file.
 *
 * @module
 */

/** What a file is, as far as `statx` tells. */
export interface NativeStat {
  readonly mode: number;
  readonly size: bigint;
  readonly ino: bigint;
  readonly dev: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/** Reads `struct statx`, whose layout is the same on every processor. */
export function parseStat(view: DataView): NativeStat {
  return {
    mode: view.getUint16(28, LITTLE),
    ino: view.getBigUint64(32, LITTLE),
    size: view.getBigUint64(40, LITTLE),
    ctimeNs: timeAt(view, 96),
    mtimeNs: timeAt(view, 112),
    dev: deviceNumber(view.getUint32(136, LITTLE), view.getUint32(140, LITTLE)),
  };
}

const LITTLE = true; // as every processor that Deno runs on is
const NS = 1_000_000_000n;

function timeAt(view: DataView, offset: number): bigint {
  return view.getBigInt64(offset, LITTLE) * NS +
    BigInt(view.getUint32(offset + 8, LITTLE));
}

/** The number that `stat` gives for a device, of its two halves. */
function deviceNumber(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) |
    ((low & 0xffffff00n) << 12n) | (low & 0xffn);
}
