/**
 * The two inner loops of the cipher in WebAssembly: Salsa20 over four blocks at
 * once, in vectors, and Poly1305 in limbs of 26 bits.
 *
 * Both work on a memory of their own, into which bytes are copied and out of
 * which they are copied again, within one call: nothing in it counts afterwards,
 * and all messages of a thread share it. Where the engine has no vectors, there is nothing here, and
 * `salsa20.ts` and `poly1305.ts` do it in JavaScript.
 *
 * @module
 */
import { type Code, code, OP, TYPE, wasmModule } from "./wasm_code.ts";

/** What there is. */
export interface CipherWasm {
  /** Lays the keystream over `groups` times 256 bytes at `DATA`, from the state at 0 on. */
  salsa(at: number, groups: number): void;
  /** Takes blocks of 16 bytes at `DATA` into the numbers at `POLY`. */
  poly(at: number, blocks: number): void;
  /** All of it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** How the cipher is done: by an instance, or in JavaScript. */
export type CipherEngine = CipherWasm | "plain";

/** Where h and r are: five and five numbers of 64 bits. */
export const POLY = 64;

/** Where data is. */
export const DATA = 192;

/** As much data as fits. */
export const DATA_BYTES = 256 * 1024;

/** The bit that follows a whole block, 2^128, in the fifth limb of 26 bits. */
const WHOLE = 1 << 24;
const LIMB = 0x3ffffff;

const { get, set, tee } = OP;

/** Additions, and by how much their sum is turned into which word. */
const STEPS: readonly (readonly [number, number, number, number])[] = [
  [0, 12, 4, 7],
  [4, 0, 8, 9],
  [8, 4, 12, 13],
  [12, 8, 0, 18],
  [5, 1, 9, 7],
  [9, 5, 13, 9],
  [13, 9, 1, 13],
  [1, 13, 5, 18],
  [10, 6, 14, 7],
  [14, 10, 2, 9],
  [2, 14, 6, 13],
  [6, 2, 10, 18],
  [15, 11, 3, 7],
  [3, 15, 7, 9],
  [7, 3, 11, 13],
  [11, 7, 15, 18],
  [0, 3, 1, 7],
  [1, 0, 2, 9],
  [2, 1, 3, 13],
  [3, 2, 0, 18],
  [5, 4, 6, 7],
  [6, 5, 7, 9],
  [7, 6, 4, 13],
  [4, 7, 5, 18],
  [10, 9, 11, 7],
  [11, 10, 8, 9],
  [8, 11, 9, 13],
  [9, 8, 10, 18],
  [15, 14, 12, 7],
  [12, 15, 13, 9],
  [13, 12, 14, 13],
  [14, 13, 15, 18],
];

/** Makes an instance; `undefined` where the engine cannot. */
export function cipherWasm(): CipherWasm | undefined {
  try {
    const pages = Math.ceil((DATA + DATA_BYTES) / 65_536);
    const bytes = wasmModule([salsa(), poly()], pages);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    const { memory } = exports;
    if (!(memory instanceof WebAssembly.Memory)) return undefined;
    const call = (name: string) =>
      exports[name] as (at: number, count: number) => void;
    return {
      salsa: call("salsa"),
      poly: call("poly"),
      bytes: new Uint8Array(memory.buffer as ArrayBuffer),
    };
  } catch {
    return undefined; // it has no WebAssembly, no vectors, or may not compile
  }
}

function salsa() {
  const [AT, GROUPS, ROUND, S, X, T] = [0, 1, 2, 3, 19, 35];
  const all = (one: (index: number) => Code): Code =>
    code(...Array.from({ length: 16 }, (_, index) => one(index)));
  const step = ([a, b, to, by]: readonly [number, number, number, number]) =>
    code(
      get(X + to),
      get(X + a),
      get(X + b),
      OP.add,
      tee(T),
      OP.i32(by),
      OP.shl,
      get(T),
      OP.i32(32 - by),
      OP.shr,
      OP.or,
      OP.xor,
      set(X + to),
    );
  /** From a word of four blocks a value, to four words of a block a value. */
  const write = (quad: number): Code => {
    const [a, b, c, d] = [0, 1, 2, 3].map((word) => get(X + quad * 4 + word));
    const half = (one: Code = [], two: Code = [], ...words: number[]) =>
      code(one, two, OP.shuffle(...words));
    const [low, high] = [[0, 4, 1, 5], [2, 6, 3, 7]];
    return code(
      ...[low, low, high, high].map((words, block) =>
        code(
          get(AT),
          get(AT),
          OP.v128load(block * 64 + quad * 16),
          half(a, b, ...words),
          half(c, d, ...words),
          OP.shuffle(...(block % 2 === 0 ? [0, 1, 4, 5] : [2, 3, 6, 7])),
          OP.xor,
          OP.v128store(block * 64 + quad * 16),
        )
      ),
    );
  };
  return {
    name: "salsa",
    params: 2,
    locals: [[1, TYPE.i32], [33, TYPE.v128]] as const,
    body: code(
      all((index) =>
        code(OP.i32(0), OP.i32load(index * 4), OP.splat, set(S + index))
      ),
      get(S + 8),
      OP.v128(0, 1, 2, 3),
      OP.add,
      set(S + 8),
      OP.repeat(code(
        all((index) => code(get(S + index), set(X + index))),
        OP.i32(10),
        set(ROUND),
        OP.repeat(code(
          ...STEPS.map(step),
          get(ROUND),
          OP.i32(1),
          OP.i32sub,
          tee(ROUND),
        )),
        all((index) =>
          code(get(X + index), get(S + index), OP.add, set(X + index))
        ),
        ...[0, 1, 2, 3].map(write),
        code(get(S + 8), OP.v128(4, 4, 4, 4), OP.add, set(S + 8)),
        code(get(AT), OP.i32(256), OP.i32add, set(AT)),
        code(get(GROUPS), OP.i32(1), OP.i32sub, tee(GROUPS)),
      )),
    ),
  };
}

function poly() {
  const [AT, BLOCKS, H, R, S, D, C] = [0, 1, 2, 7, 12, 17, 22];
  const limbs = [0, 1, 2, 3, 4];
  const each = (one: (index: number) => Code): Code => code(...limbs.map(one));
  /** Where the bits of a limb begin: at which byte, and how far into it. */
  const places = [[0, 0], [3, 2], [6, 4], [9, 6], [12, 8]] as const;
  const carry = (from: number, to: number): Code =>
    code(
      get(from),
      OP.i64(26),
      OP.i64shr,
      set(C),
      get(from),
      OP.i64(LIMB),
      OP.i64and,
      set(from),
      get(to),
      get(C),
      OP.i64add,
      set(to),
    );
  return {
    name: "poly",
    params: 2,
    locals: [[21, TYPE.i64]] as const,
    body: code(
      each((index) =>
        code(OP.i32(0), OP.i64load(POLY + index * 8), set(H + index))
      ),
      each((index) =>
        code(OP.i32(0), OP.i64load(POLY + 40 + index * 8), set(R + index))
      ),
      // 2^130 is 5, so what overflows comes back five times.
      each((index) =>
        code(get(R + index), OP.i64(5), OP.i64mul, set(S + index))
      ),
      OP.repeat(code(
        ...places.map(([byte, bits], index) =>
          code(
            get(H + index),
            get(AT),
            OP.i64load32(byte),
            OP.i64(bits),
            OP.i64shr,
            index === 4
              ? code(OP.i64(WHOLE), OP.i64or)
              : code(OP.i64(LIMB), OP.i64and),
            OP.i64add,
            set(H + index),
          )
        ),
        each((sum) =>
          code(
            ...limbs.map((index) =>
              code(
                get(H + index),
                get(
                  sum >= index ? R + sum - index : S + 5 + sum - index,
                ),
                OP.i64mul,
                index === 0 ? [] : OP.i64add,
              )
            ),
            set(D + sum),
          )
        ),
        ...[0, 1, 2, 3].map((index) => carry(D + index, D + index + 1)),
        each((index) => code(get(D + index), set(H + index))),
        code(
          get(H),
          get(H + 4),
          OP.i64(26),
          OP.i64shr,
          OP.i64(5),
          OP.i64mul,
          OP.i64add,
          set(H),
          get(H + 4),
          OP.i64(LIMB),
          OP.i64and,
          set(H + 4),
        ),
        carry(H, H + 1),
        code(get(AT), OP.i32(16), OP.i32add, set(AT)),
        code(get(BLOCKS), OP.i32(1), OP.i32sub, tee(BLOCKS)),
      )),
      each((index) =>
        code(OP.i32(0), get(H + index), OP.i64store(POLY + index * 8))
      ),
    ),
  };
}

/** The best that this platform can do. */
export const BEST_ENGINE: CipherEngine = cipherWasm() ?? "plain";
