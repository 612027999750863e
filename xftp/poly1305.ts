// deno-lint-ignore-file single-var-declarator -- a state of six limbs is one declaration
/**
 * Poly1305, streamed: in WebAssembly where there is one, else in JavaScript.
 *
 * Numbers are six limbs of 22 bits in doubles there: 36 products a block, each
 * below 2^50 with their sums below 2^53, so that all of them are exact. Adding
 * and taking away 1.5 * 2^(52 + k) rounds a double to a multiple of 2^k, which
 * is how limbs are carried: they are signed, and at most half as large as that.
 *
 * @module
 */
import {
  type CipherEngine,
  type CipherWasm,
  DATA,
  DATA_BYTES,
  POLY,
} from "./cipher_wasm.ts";

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
/** What of a key counts as r. */
const CLAMP = 0x0ffffffc0ffffffc0ffffffc0fffffffn;

/** Starts a tag. @param key 32 bytes, to be used once. */
export function poly1305(key: Uint8Array, engine: CipherEngine): Poly1305 {
  if (key.length !== 32) {
    throw new RangeError(
      `Cannot make a tag as its key must have 32 bytes: current length is ${key.length}`,
    );
  }
  const r = numberOf(key.subarray(0, 16)) & CLAMP;
  const sum = engine === "plain" ? plainSum(r) : wasmSum(engine, r);
  const rest = new Uint8Array(TAG_LENGTH);
  let held = 0;
  return {
    update(bytes) {
      let at = 0;
      if (held > 0) {
        at = Math.min(TAG_LENGTH - held, bytes.length);
        rest.set(bytes.subarray(0, at), held);
        held += at;
        if (held < TAG_LENGTH) return;
        sum.add(rest);
      }
      const whole = bytes.length - (bytes.length - at) % TAG_LENGTH;
      if (whole > at) sum.add(bytes.subarray(at, whole));
      held = bytes.length - whole;
      rest.set(bytes.subarray(whole));
    },
    finish() {
      let value = sum.value();
      if (held > 0) {
        const last = numberOf(rest.subarray(0, held)) +
          (1n << BigInt(8 * held));
        value = (value + last) * r;
      }
      const tag = new Uint8Array(TAG_LENGTH);
      let left = BigInt.asUintN(
        128,
        mod(value) + numberOf(key.subarray(16)),
      );
      for (let i = 0; i < TAG_LENGTH; i++, left >>= 8n) {
        tag[i] = Number(left & 0xffn);
      }
      return tag;
    },
  };
}

/** What a tag is made of: the sum of all blocks, each times r once more. */
interface Sum {
  /** Takes in whole blocks. */
  add(blocks: Uint8Array): void;
  /** Not reduced, and perhaps below 0. */
  value(): bigint;
}

/** In WebAssembly: h and r are five limbs of 26 bits. */
function wasmSum(wasm: CipherWasm, r: bigint): Sum {
  const state = new BigUint64Array(10);
  for (let i = 0; i < 5; i++) {
    state[5 + i] = r >> BigInt(26 * i) & 0x3ffffffn;
  }
  const place = new BigUint64Array(wasm.bytes.buffer, POLY, 10);
  return {
    add(blocks) {
      for (let at = 0; at < blocks.length; at += DATA_BYTES) {
        const piece = blocks.subarray(at, at + DATA_BYTES);
        place.set(state);
        wasm.bytes.set(piece, DATA);
        wasm.poly(DATA, piece.length / TAG_LENGTH);
        state.set(place);
      }
    },
    value: () =>
      state.subarray(0, 5).reduceRight((sum, limb) => (sum << 26n) + limb, 0n),
  };
}

/** In JavaScript. */
function plainSum(r: bigint): Sum {
  const word = (i: number): number => Number(r >> BigInt(32 * i) & 0xffffffffn);
  const limbs = limbsOf(word(0), word(1), word(2), word(3));
  const h = new Float64Array(6);
  return {
    add(blocks) {
      // Words must begin at a multiple of 4, and blocks may not.
      const from = blocks.byteOffset % 4 === 0 ? blocks : blocks.slice();
      const count = blocks.length / TAG_LENGTH;
      const words = new Uint32Array(from.buffer, from.byteOffset, count * 4);
      absorb(h, limbs, words, 0, count, WHOLE);
    },
    value: () => h.reduceRight((sum, limb) => (sum << 22n) + BigInt(limb), 0n),
  };
}

function numberOf(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => sum << 8n | BigInt(byte), 0n);
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
