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

/**
 * Creates what reads `struct statx` from a place, whose layout is the same on
 * every processor.
 */
export function statParser(view: DataView): () => NativeStat {
  let [major, minor] = [-1, -1]; // of the device of the last
  let dev = 0n;
  return () => {
    const [high, low] = [
      view.getUint32(136, LITTLE),
      view.getUint32(140, LITTLE),
    ];
    if (high !== major || low !== minor) {
      [major, minor] = [high, low];
      dev = deviceNumber(major, minor);
    }
    return {
      mode: view.getUint16(28, LITTLE),
      ino: view.getBigUint64(32, LITTLE),
      size: view.getBigUint64(40, LITTLE),
      ctimeNs: timeAt(view, 96),
      mtimeNs: timeAt(view, 112),
      dev,
    };
  };
}

const LITTLE = true; // as every processor that Deno runs on is
const NS = 1_000_000_000n;
const TWO_16 = 2 ** 16;
const TWO_32 = 2 ** 32;
const WORD = new DataView(new ArrayBuffer(8));

/** Seconds and nanoseconds as one number: by halves, as each `bigint` costs memory. */
function timeAt(view: DataView, offset: number): bigint {
  const nanos = view.getUint32(offset + 8, LITTLE);
  if (view.getInt32(offset + 4, LITTLE) !== 0) { // before 1970, or after 2106
    return view.getBigInt64(offset, LITTLE) * NS + BigInt(nanos);
  }
  const seconds = view.getUint32(offset, LITTLE);
  const high = Math.floor(seconds / TWO_16) * 1e9; // times 2^16
  const low = (seconds % TWO_16) * 1e9 + nanos;
  const rest = (high % TWO_16) * TWO_16 + low;
  WORD.setUint32(0, Math.floor(high / TWO_16) + Math.floor(rest / TWO_32));
  WORD.setUint32(4, rest % TWO_32);
  return WORD.getBigInt64(0);
}

/** The number that `stat` gives for a device, of its two halves. */
export function deviceNumber(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) |
    ((low & 0xffffff00n) << 12n) | (low & 0xffn);
}
