/**
 * Where randomness comes from: the only place that asks the system for it.
 * Everything else takes one of these as a dependency, so that a test can give
 * its own.
 *
 * @module
 */

/** Gives `n` random bytes. */
export type RandomBytes = (n: number) => Uint8Array<ArrayBuffer>;

/** What one call of the system's generator fills at most, by its standard. */
const LARGEST_FILL = 65_536;

/** `n` bytes that nobody can guess. */
export function systemRandomBytes(n: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(n);
  for (let at = 0; at < n; at += LARGEST_FILL) {
    crypto.getRandomValues(bytes.subarray(at, at + LARGEST_FILL));
  }
  return bytes;
}

/** A number in 0..1, 1 excluded, with all the 53 bits that a number has. */
export function systemRandom(): number {
  const view = new DataView(systemRandomBytes(8).buffer);
  return Number(view.getBigUint64(0) >> 11n) / 2 ** 53;
}
