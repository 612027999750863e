// deno-lint-ignore-file single-var-declarator -- a state of six or sixteen words is one declaration
/**
 * Salsa20 as XFTP needs it: HSalsa20, which makes keys of keys, and the
 * keystream of Salsa20/20, laid over words in place.
 *
 * Everything is words of 32 bits in locals, as the engine keeps those in
 * registers. Every system that Deno runs on has its low byte first, and so do
 * these words.
 *
 * @module
 */

/** Words of a block of keystream. */
export const BLOCK_WORDS = 16;

/** A cipher's state: constants, key, nonce and counter, as 16 words. */
export type SalsaState = Uint32Array<ArrayBuffer>;

/** "expand 32-byte k", as words. */
const SIGMA = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;

/** Makes the state of Salsa20 at block 0. */
export function salsa20State(key: Uint8Array, nonce: Uint8Array): SalsaState {
  return stateOf(wordsOf(key, 8), wordsOf(nonce, 2), 0, 0);
}

/** Makes a key of 32 bytes of a key and a nonce of 16. */
export function hsalsa20(
  key: Uint8Array,
  nonce: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const [n0 = 0, n1 = 0, n2 = 0, n3 = 0] = wordsOf(nonce, 4);
  const state = stateOf(wordsOf(key, 8), [n0, n1], n2, n3);
  const words = new Uint32Array(BLOCK_WORDS);
  xorBlocks(state, words, 0, 1);
  // HSalsa20 leaves out the last addition, which is taken back here.
  const at = (i: number): number => (words[i] ?? 0) - (state[i] ?? 0);
  const made = Uint32Array.of(
    at(0),
    at(5),
    at(10),
    at(15),
    at(6),
    at(7),
    at(8),
    at(9),
  );
  return new Uint8Array(made.buffer);
}

/**
 * Lays the keystream over `blocks` whole blocks of `words`, in place.
 *
 * @param state Not changed.
 * @param from Index of the first word.
 * @param counter Number of the first block's place in the keystream, added to
 *   the state's own; below 2^32, so 256 GiB.
 */
export function xorBlocks(
  state: SalsaState,
  words: Uint32Array,
  from: number,
  blocks: number,
  counter = 0,
): void {
  // deno-fmt-ignore
  const [s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0,
    c0 = 0, s9 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0, s14 = 0, s15 = 0] =
    state;
  for (let block = 0, p = from; block < blocks; block++, p += BLOCK_WORDS) {
    const s8 = (c0 + counter + block) | 0;
    // deno-fmt-ignore
    let x0 = s0 | 0, x1 = s1 | 0, x2 = s2 | 0, x3 = s3 | 0, x4 = s4 | 0,
      x5 = s5 | 0, x6 = s6 | 0, x7 = s7 | 0, x8 = s8, x9 = s9 | 0,
      x10 = s10 | 0, x11 = s11 | 0, x12 = s12 | 0, x13 = s13 | 0,
      x14 = s14 | 0, x15 = s15 | 0, t = 0;
    // deno-fmt-ignore
    for (let round = 0; round < 10; round++) {
      t = x0 + x12 | 0;   x4 ^= t << 7 | t >>> 25;
      t = x4 + x0 | 0;    x8 ^= t << 9 | t >>> 23;
      t = x8 + x4 | 0;    x12 ^= t << 13 | t >>> 19;
      t = x12 + x8 | 0;   x0 ^= t << 18 | t >>> 14;
      t = x5 + x1 | 0;    x9 ^= t << 7 | t >>> 25;
      t = x9 + x5 | 0;    x13 ^= t << 9 | t >>> 23;
      t = x13 + x9 | 0;   x1 ^= t << 13 | t >>> 19;
      t = x1 + x13 | 0;   x5 ^= t << 18 | t >>> 14;
      t = x10 + x6 | 0;   x14 ^= t << 7 | t >>> 25;
      t = x14 + x10 | 0;  x2 ^= t << 9 | t >>> 23;
      t = x2 + x14 | 0;   x6 ^= t << 13 | t >>> 19;
      t = x6 + x2 | 0;    x10 ^= t << 18 | t >>> 14;
      t = x15 + x11 | 0;  x3 ^= t << 7 | t >>> 25;
      t = x3 + x15 | 0;   x7 ^= t << 9 | t >>> 23;
      t = x7 + x3 | 0;    x11 ^= t << 13 | t >>> 19;
      t = x11 + x7 | 0;   x15 ^= t << 18 | t >>> 14;
      t = x0 + x3 | 0;    x1 ^= t << 7 | t >>> 25;
      t = x1 + x0 | 0;    x2 ^= t << 9 | t >>> 23;
      t = x2 + x1 | 0;    x3 ^= t << 13 | t >>> 19;
      t = x3 + x2 | 0;    x0 ^= t << 18 | t >>> 14;
      t = x5 + x4 | 0;    x6 ^= t << 7 | t >>> 25;
      t = x6 + x5 | 0;    x7 ^= t << 9 | t >>> 23;
      t = x7 + x6 | 0;    x4 ^= t << 13 | t >>> 19;
      t = x4 + x7 | 0;    x5 ^= t << 18 | t >>> 14;
      t = x10 + x9 | 0;   x11 ^= t << 7 | t >>> 25;
      t = x11 + x10 | 0;  x8 ^= t << 9 | t >>> 23;
      t = x8 + x11 | 0;   x9 ^= t << 13 | t >>> 19;
      t = x9 + x8 | 0;    x10 ^= t << 18 | t >>> 14;
      t = x15 + x14 | 0;  x12 ^= t << 7 | t >>> 25;
      t = x12 + x15 | 0;  x13 ^= t << 9 | t >>> 23;
      t = x13 + x12 | 0;  x14 ^= t << 13 | t >>> 19;
      t = x14 + x13 | 0;  x15 ^= t << 18 | t >>> 14;
    }
    words[p] = w(words, p) ^ (x0 + s0);
    words[p + 1] = w(words, p + 1) ^ (x1 + s1);
    words[p + 2] = w(words, p + 2) ^ (x2 + s2);
    words[p + 3] = w(words, p + 3) ^ (x3 + s3);
    words[p + 4] = w(words, p + 4) ^ (x4 + s4);
    words[p + 5] = w(words, p + 5) ^ (x5 + s5);
    words[p + 6] = w(words, p + 6) ^ (x6 + s6);
    words[p + 7] = w(words, p + 7) ^ (x7 + s7);
    words[p + 8] = w(words, p + 8) ^ (x8 + s8);
    words[p + 9] = w(words, p + 9) ^ (x9 + s9);
    words[p + 10] = w(words, p + 10) ^ (x10 + s10);
    words[p + 11] = w(words, p + 11) ^ (x11 + s11);
    words[p + 12] = w(words, p + 12) ^ (x12 + s12);
    words[p + 13] = w(words, p + 13) ^ (x13 + s13);
    words[p + 14] = w(words, p + 14) ^ (x14 + s14);
    words[p + 15] = w(words, p + 15) ^ (x15 + s15);
  }
}

/** A word that is there: indexes above are within what the caller checked. */
function w(words: Uint32Array, index: number): number {
  return words[index] as number;
}

/** A key, a nonce of 8 bytes and a counter in their places. */
function stateOf(
  key: ArrayLike<number>,
  nonce: ArrayLike<number>,
  low: number,
  high: number,
): SalsaState {
  const at = (from: ArrayLike<number>, i: number): number => from[i] ?? 0;
  // deno-fmt-ignore
  return Uint32Array.of(
    SIGMA[0], at(key, 0), at(key, 1), at(key, 2),
    at(key, 3), SIGMA[1], at(nonce, 0), at(nonce, 1),
    low, high, SIGMA[2], at(key, 4),
    at(key, 5), at(key, 6), at(key, 7), SIGMA[3],
  );
}

function wordsOf(bytes: Uint8Array, count: number): number[] {
  if (bytes.length !== count * 4) {
    throw new RangeError(
      `Cannot take a key or nonce as it must have ${
        count * 4
      } bytes: current length is ${bytes.length}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: count }, (_, i) => view.getUint32(i * 4, true));
}
