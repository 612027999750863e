/**
 * Randomness that can be had again: a seeded generator, and properties over it.
 *
 * @module
 */

/** Numbers in [0, 1), as `Math.random` gives them. */
export type Random = () => number;

/** A small seeded generator (mulberry32): the same seed gives the same run. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An integer in `min..max`, both included. */
export function intBetween(random: Random, min: number, max: number): number {
  return min + Math.floor(random() * (max - min + 1));
}

/** One of `items`, which must not be empty. */
export function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}

/** `length` bytes of noise. */
export function randomBytes(
  random: Random,
  length: number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const words = new Uint32Array(bytes.buffer, 0, length >> 2);
  for (let i = 0; i < words.length; i++) words[i] = random() * 2 ** 32;
  for (let i = words.length * 4; i < length; i++) bytes[i] = random() * 256;
  return bytes;
}

/** How many cases, and which. */
export interface ForAllOptions {
  readonly runs?: number;
  readonly seed?: number;
}

/**
 * Runs `property` on many generated cases and names the seed of one that fails.
 * With `SEED` in the environment it begins with that case.
 */
export function forAll<T>(
  generate: (random: Random) => T,
  property: (value: T) => void,
  options: ForAllOptions = {},
): void {
  for (const seed of seeds(options)) {
    const value = generate(seeded(seed));
    try {
      property(value);
    } catch (cause) {
      throw failure(seed, value, cause);
    }
  }
}

/** As `forAll`, for properties that take their time; one case after the other. */
export async function forAllAsync<T>(
  generate: (random: Random) => T,
  property: (value: T) => Promise<void>,
  options: ForAllOptions = {},
): Promise<void> {
  for (const seed of seeds(options)) {
    const value = generate(seeded(seed));
    try {
      await property(value);
    } catch (cause) {
      throw failure(seed, value, cause);
    }
  }
}

function* seeds({ runs = 500, seed }: ForAllOptions): Generator<number> {
  const first = seed ?? Number(Deno.env.get("SEED") ?? Date.now());
  for (let run = 0; run < runs; run++) yield first + run;
}

function failure(seed: number, value: unknown, cause: unknown): Error {
  return new Error(`SEED=${seed} fails for ${Deno.inspect(value)}`, { cause });
}
