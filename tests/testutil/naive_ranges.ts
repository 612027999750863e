/**
 * A have-set as a plain `Set`: slow, and easy to believe.
 *
 * @module
 */
import type { Range } from "../../protocol/ranges.ts";

/** The operations of a range set that the tests compare, over a `Set`. */
export interface NaiveRanges {
  readonly values: Set<number>;
  add(start: number, end: number): void;
  remove(start: number, end: number): void;
  takeFirst(max: number): Range | undefined;
  ranges(): Range[];
  missing(limit: number): Range[];
  firstMissing(from: number, limit: number): Range | undefined;
}

/** Creates an empty naive set. */
export function naiveRanges(): NaiveRanges {
  const values = new Set<number>();
  const runs = (numbers: readonly number[]): Range[] => {
    const found: { start: number; end: number }[] = [];
    for (const value of numbers) {
      const last = found.at(-1);
      if (last?.end === value) last.end++;
      else found.push({ start: value, end: value + 1 });
    }
    return found;
  };
  const upTo = (limit: number): number[] =>
    Array.from({ length: limit }, (_, i) => i);
  return {
    values,
    add(start, end) {
      for (let i = start; i < end; i++) values.add(i);
    },
    remove(start, end) {
      for (let i = start; i < end; i++) values.delete(i);
    },
    takeFirst(max) {
      const [first] = runs([...values].sort((a, b) => a - b));
      if (first === undefined) return undefined;
      const end = Math.min(first.end, first.start + max);
      for (let i = first.start; i < end; i++) values.delete(i);
      return { start: first.start, end };
    },
    ranges: () => runs([...values].sort((a, b) => a - b)),
    missing: (limit) => runs(upTo(limit).filter((i) => !values.has(i))),
    firstMissing: (from, limit) =>
      runs(upTo(limit).filter((i) => i >= from && !values.has(i)))[0],
  };
}
