/**
 * What every row of the bench is given, and what it gives back.
 *
 * @module
 */

/** What a row is measured with. */
export interface Bench {
  /** A folder of its own, on the disk that is measured. */
  readonly folder: string;
  /** Runs of each side; they take turns. */
  readonly runs: number;
  /** A minute for everything: small trees, and few runs. */
  readonly quick: boolean;
  /** Which parts of a row to measure, as `--only links:bd` has them. */
  readonly part: string | undefined;
  /** Says what goes on. */
  readonly tell: (text: string) => void;
}

/** One line of the table. */
export interface Row {
  readonly name: string;
  /** What is ours, in words: `212 MiB/s`. */
  readonly ours: string;
  /** What it is compared with. */
  readonly other: string;
  /** Ours by the other's. */
  readonly ratio: number | undefined;
  /** What the ratio, or what is ours, should be: `>= 0.90`. */
  readonly goal: string;
  readonly met: boolean | undefined;
  /** What held it up, as far as was seen. */
  readonly limiter: string;
  /** Every number of every run. */
  readonly numbers: Readonly<Record<string, readonly number[]>>;
}

/** A row that was not measured, and why. */
export interface Skipped {
  readonly name: string;
  readonly skipped: string;
}

/** Measures some rows. */
export type Measure = (bench: Bench) => Promise<readonly (Row | Skipped)[]>;

/** This repository. */
export const ROOT: string = new URL("..", import.meta.url).pathname;

/** Bytes in a MiB and in a GiB. */
export const MIB: number = 2 ** 20;
export const GIB: number = 2 ** 30;
