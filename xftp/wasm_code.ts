/**
 * Writes small WebAssembly modules, an instruction at a time: enough for the
 * cipher, whose rounds are loops over lists better written by a program.
 *
 * @module
 */

/** Bytes of code. */
export type Code = readonly number[];

/** Types of values. */
export const TYPE = { i32: 0x7f, i64: 0x7e, v128: 0x7b } as const;

/** Joins code. */
export function code(...parts: readonly Code[]): Code {
  return parts.flat();
}

/** An unsigned number in 7 bits a byte. */
export function unsigned(value: number): Code {
  const bytes: number[] = [];
  for (let left = value;;) {
    const low = left & 0x7f;
    left >>>= 7;
    bytes.push(left === 0 ? low : low | 0x80);
    if (left === 0) return bytes;
  }
}

/** A signed number in 7 bits a byte. */
export function signed(value: number): Code {
  const bytes: number[] = [];
  for (let left = value;;) {
    const low = left & 0x7f;
    left >>= 7;
    const isLast = left === 0 && (low & 0x40) === 0 ||
      left === -1 && (low & 0x40) !== 0;
    bytes.push(isLast ? low : low | 0x80);
    if (isLast) return bytes;
  }
}

const simd = (op: number, ...rest: Code): Code => [
  0xfd,
  ...unsigned(op),
  ...rest,
];

/** Instructions. What they take stands before them. */
export const OP = {
  get: (local: number): Code => [0x20, ...unsigned(local)],
  set: (local: number): Code => [0x21, ...unsigned(local)],
  tee: (local: number): Code => [0x22, ...unsigned(local)],
  i32: (value: number): Code => [0x41, ...signed(value)],
  i64: (value: number): Code => [0x42, ...signed(value)],
  i32load: (offset: number): Code => [0x28, 0, ...unsigned(offset)],
  i64load: (offset: number): Code => [0x29, 0, ...unsigned(offset)],
  /** 4 bytes as i64. */
  i64load32: (offset: number): Code => [0x35, 0, ...unsigned(offset)],
  i64store: (offset: number): Code => [0x37, 0, ...unsigned(offset)],
  i32add: [0x6a] as Code,
  i32sub: [0x6b] as Code,
  i64add: [0x7c] as Code,
  i64mul: [0x7e] as Code,
  i64and: [0x83] as Code,
  i64or: [0x84] as Code,
  i64shr: [0x88] as Code,
  /** Repeats `body` while it leaves something that is not 0. */
  repeat: (body: Code): Code => [0x03, 0x40, ...body, 0x0d, 0, 0x0b],
  v128load: (offset: number): Code => simd(0, 0, ...unsigned(offset)),
  v128store: (offset: number): Code => simd(11, 0, ...unsigned(offset)),
  /** Four numbers of 32 bits. */
  v128: (...words: Code): Code =>
    simd(
      12,
      ...words.flatMap((word) => [0, 8, 16, 24].map((by) => word >>> by & 255)),
    ),
  /** Chooses four of the eight words of two values. */
  shuffle: (...words: Code): Code =>
    simd(
      13,
      ...words.flatMap((word) => [0, 1, 2, 3].map((byte) => word * 4 + byte)),
    ),
  splat: simd(17),
  or: simd(80),
  xor: simd(81),
  shl: simd(0xab),
  shr: simd(0xad),
  add: simd(0xae),
} as const;

/** A function of a module; its parameters are numbers of 32 bits. */
export interface WasmFunction {
  readonly name: string;
  readonly params: number;
  /** Locals after the parameters, as counts and types. */
  readonly locals: readonly (readonly [number, number])[];
  readonly body: Code;
}

/** Writes a module of functions and a memory, which it exports. */
export function wasmModule(
  functions: readonly WasmFunction[],
  pages: number,
): Uint8Array<ArrayBuffer> {
  const list = (items: readonly Code[]): Code => [
    ...unsigned(items.length),
    ...items.flat(),
  ];
  const text = (value: string): Code => [
    ...unsigned(value.length),
    ...new TextEncoder().encode(value),
  ];
  const section = (id: number, content: Code): Code => [
    id,
    ...unsigned(content.length),
    ...content,
  ];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(
      1,
      list(functions.map(({ params }) => [
        0x60,
        ...list(Array<Code>(params).fill([TYPE.i32])),
        0,
      ])),
    ),
    ...section(3, list(functions.map((_, index) => unsigned(index)))),
    ...section(5, [1, 0, ...unsigned(pages)]),
    ...section(
      7,
      list([
        [...text("memory"), 2, 0],
        ...functions.map(({ name }, index) => [
          ...text(name),
          0,
          ...unsigned(index),
        ]),
      ]),
    ),
    ...section(
      10,
      list(functions.map(({ locals, body }) => {
        const whole = [
          ...list(locals.map(([count, type]) => [...unsigned(count), type])),
          ...body,
          0x0b,
        ];
        return [...unsigned(whole.length), ...whole];
      })),
    ),
  ]);
}
