// deno-lint-ignore-file single-var-declarator -- a state of six or sixteen words is one declaration
/**
 * Poly1305, streamed.
 *
 * Numbers are six limbs of 22 bits in doubles: 36 products a block, each below
 * 2^50 with their sums below 2^53, so that all of them are exact. Adding and
 * taking away 1.5 * 2^(52 + k) rounds a double to a multiple of 2^k, which is
 * how limbs are carried: they are signed, and at most half as large as that.
 *
 * @module
 */

/** Bytes of a tag, and of a block. */
export const TAG_LENGTH = 16;

/** A tag that is being made. */
export interface Poly1305 {
  /** Takes in bytes. */
  update(bytes: Uint8Array): void;
  /** The tag of all that came; nothing may come after it. */
  finish(): Uint8Array<ArrayBuffer>;
}

/** 2^132 is 20 modulo 2^130 - 5. */
const FOLD = 20;
const ROUND = 1.5 * 2 ** 74;
const DOWN = 2 ** -22;
const MASK = 0x3fffff;
/** The bit that follows a whole block, 2^128, in the sixth limb. */
const WHOLE = 2 ** 18;
const PRIME = (1n << 130n) - 5n;

/** Starts a tag. @param key 32 bytes, to be used once. */
export function poly1305(key: Uint8Array): Poly1305 {
  if (key.length !== 32) {
    throw new RangeError(
      `Cannot make a tag as its key must have 32 bytes: current length is ${key.length}`,
    );
  }
  const words = new Uint32Array(key.slice().buffer);
  const word = (i: number): number => words[i] ?? 0;
  const [w0, w1, w2, w3] = [
    word(0) & 0x0fffffff,
    word(1) & 0x0ffffffc,
    word(2) & 0x0ffffffc,
    word(3) & 0x0ffffffc,
  ];
  const r = limbsOf(w0, w1, w2, w3);
  const h = new Float64Array(6);
  const pad = [4, 5, 6, 7].reduceRight(
    (sum, i) => sum << 32n | BigInt(word(i)),
    0n,
  );
  const rest = new Uint8Array(TAG_LENGTH);
  const restWords = new Uint32Array(rest.buffer);
  let held = 0;
  return {
    update(bytes) {
      let at = 0;
      if (held > 0) {
        at = Math.min(TAG_LENGTH - held, bytes.length);
        rest.set(bytes.subarray(0, at), held);
        held += at;
        if (held < TAG_LENGTH) return;
        absorb(h, r, restWords, 0, 1, WHOLE);
        held = 0;
      }
      const blocks = (bytes.length - at) >>> 4;
      if (blocks > 0) {
        const start = bytes.byteOffset + at;
        if (start % 4 === 0) {
          const view = new Uint32Array(bytes.buffer, start, blocks * 4);
          absorb(h, r, view, 0, blocks, WHOLE);
        } else {
          const copy = bytes.slice(at, at + blocks * TAG_LENGTH);
          absorb(h, r, new Uint32Array(copy.buffer), 0, blocks, WHOLE);
        }
        at += blocks * TAG_LENGTH;
      }
      held = bytes.length - at;
      rest.set(bytes.subarray(at));
    },
    finish() {
      if (held > 0) {
        rest[held] = 1;
        rest.fill(0, held + 1);
        absorb(h, r, restWords, 0, 1, 0);
      }
      const sum = h.reduceRight((sum, limb) => (sum << 22n) + BigInt(limb), 0n);
      const tag = new Uint8Array(TAG_LENGTH);
      let left = BigInt.asUintN(128, mod(sum) + pad);
      for (let i = 0; i < TAG_LENGTH; i++, left >>= 8n) {
        tag[i] = Number(left & 0xffn);
      }
      return tag;
    },
  };
}

function mod(value: bigint): bigint {
  const rest = value % PRIME;
  return rest < 0n ? rest + PRIME : rest;
}

/** Four words as six limbs. */
function limbsOf(
  w0: number,
  w1: number,
  w2: number,
  w3: number,
): readonly number[] {
  return [
    w0 & MASK,
    (w0 >>> 22 | w1 << 10) & MASK,
    (w1 >>> 12 | w2 << 20) & MASK,
    w2 >>> 2 & MASK,
    (w2 >>> 24 | w3 << 8) & MASK,
    w3 >>> 14,
  ];
}

/** h = (h + block) * r for each block, modulo the prime, not reduced fully. */
function absorb(
  h: Float64Array,
  r: readonly number[],
  words: Uint32Array,
  from: number,
  blocks: number,
  top: number,
): void {
  let [h0 = 0, h1 = 0, h2 = 0, h3 = 0, h4 = 0, h5 = 0] = h;
  const [r0 = 0, r1 = 0, r2 = 0, r3 = 0, r4 = 0, r5 = 0] = r;
  const f1 = r1 * FOLD, f2 = r2 * FOLD, f3 = r3 * FOLD;
  const f4 = r4 * FOLD, f5 = r5 * FOLD;
  for (let block = 0, p = from; block < blocks; block++, p += 4) {
    const w0 = words[p] as number | 0;
    const w1 = words[p + 1] as number | 0;
    const w2 = words[p + 2] as number | 0;
    const w3 = words[p + 3] as number | 0;
    h0 += w0 & MASK;
    h1 += (w0 >>> 22 | w1 << 10) & MASK;
    h2 += (w1 >>> 12 | w2 << 20) & MASK;
    h3 += w2 >>> 2 & MASK;
    h4 += (w2 >>> 24 | w3 << 8) & MASK;
    h5 += (w3 >>> 14) + top;
    // deno-fmt-ignore
    let d0 = h0 * r0 + h1 * f5 + h2 * f4 + h3 * f3 + h4 * f2 + h5 * f1,
      d1 = h0 * r1 + h1 * r0 + h2 * f5 + h3 * f4 + h4 * f3 + h5 * f2,
      d2 = h0 * r2 + h1 * r1 + h2 * r0 + h3 * f5 + h4 * f4 + h5 * f3,
      d3 = h0 * r3 + h1 * r2 + h2 * r1 + h3 * r0 + h4 * f5 + h5 * f4,
      d4 = h0 * r4 + h1 * r3 + h2 * r2 + h3 * r1 + h4 * r0 + h5 * f5,
      d5 = h0 * r5 + h1 * r4 + h2 * r3 + h3 * r2 + h4 * r1 + h5 * r0;
    let c = (d0 + ROUND) - ROUND;
    d0 -= c;
    d1 += c * DOWN;
    c = (d1 + ROUND) - ROUND;
    d1 -= c;
    d2 += c * DOWN;
    c = (d2 + ROUND) - ROUND;
    d2 -= c;
    d3 += c * DOWN;
    c = (d3 + ROUND) - ROUND;
    d3 -= c;
    d4 += c * DOWN;
    c = (d4 + ROUND) - ROUND;
    d4 -= c;
    d5 += c * DOWN;
    c = (d5 + ROUND) - ROUND;
    d5 -= c;
    d0 += c * DOWN * FOLD;
    c = (d0 + ROUND) - ROUND;
    h0 = d0 - c;
    h1 = d1 + c * DOWN;
    h2 = d2;
    h3 = d3;
    h4 = d4;
    h5 = d5;
  }
  h.set([h0, h1, h2, h3, h4, h5]);
}
