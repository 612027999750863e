/** A small seeded generator (mulberry32): the same seed gives the same run. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Runs `property` on many generated cases and names the seed of one that fails. */
export function forAll<T>(
  generate: (random: () => number) => T,
  property: (value: T) => void,
  options: { runs?: number; seed?: number } = {},
): void {
  const { runs = 500, seed = Number(Deno.env.get("SEED") ?? Date.now()) } =
    options;
  for (let run = 0; run < runs; run++) {
    const value = generate(seeded(seed + run));
    try {
      property(value);
    } catch (cause) {
      throw new Error(`SEED=${seed + run} fails for ${Deno.inspect(value)}`, {
        cause,
      });
    }
  }
}
