/**
 * The round trips of a path, as pings show them: the shortest there was of late
 * is the path's own, and what is above it now is a queue.
 *
 * @module
 */

/** Round trips of one path, ms. */
export interface RoundTrips {
  /** Takes one. */
  add(nowMs: number, ms: number): void;
  /** The shortest of the last minute. */
  readonly shortestMs: number;
  /** True once there were enough for {@linkcode RoundTrips.lateMs} to be of more than one. */
  readonly isTelling: boolean;
  /** The shortest of those that came in the last `overMs`, three at least: loss makes many of them long, a queue all. */
  lateMs(overMs: number): number;
}

/** A minute is remembered as the shortest of each of so many parts. */
const PARTS = 12;
const PART_MS = 5000;
/** Round trips that are remembered one by one. */
const LATE = 64;
/** One by itself may be long for any reason. */
const LEAST = 3;

interface Trip {
  readonly atMs: number;
  readonly ms: number;
}

/** Begins with `firstMs`, which is known from the greeting. */
export function createRoundTrips(firstMs: number): RoundTrips {
  let parts: readonly { readonly part: number; readonly ms: number }[] = [];
  let shortestMs = firstMs;
  let late: readonly Trip[] = [];
  return {
    get shortestMs() {
      return shortestMs;
    },
    get isTelling() {
      return late.length >= LEAST;
    },
    lateMs(overMs) {
      const last = late.at(-1);
      if (last === undefined) return firstMs;
      const fromMs = last.atMs - overMs;
      const recent = late.filter(({ atMs }, n) =>
        atMs >= fromMs || n >= late.length - LEAST
      );
      return Math.min(...recent.map(({ ms }) => ms));
    },
    add(nowMs, ms) {
      late = [...late, { atMs: nowMs, ms }].slice(-LATE);
      const part = Math.floor(nowMs / PART_MS);
      const same = parts.find((one) => one.part === part)?.ms ??
        (parts.length === 0 ? firstMs : ms);
      parts = [
        ...parts.filter((one) => one.part !== part && one.part > part - PARTS),
        { part, ms: Math.min(ms, same) },
      ];
      shortestMs = Math.min(...parts.map((one) => one.ms));
    },
  };
}
