/**
 * What is given up when it takes too long.
 *
 * @module
 */
import type { Clock } from "./clock.ts";

/** How long something may take. */
export interface TimeAllowed {
  readonly clock: Clock;
  /** ms. */
  readonly ms: number;
  /** Ends it before that. */
  readonly signal: AbortSignal;
  /** What it fails with when the time is up, of what it failed with then. */
  readonly late: (cause: unknown) => Error;
}

/**
 * Runs `task`, whose signal is aborted when its time is up. It is to end then,
 * and is waited for.
 *
 * @throws {Error} what `late` makes, when the time is up and `task` fails.
 */
export async function inTime<T>(
  { clock, ms, signal, late }: TimeAllowed,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const up = new AbortController();
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  clock.delay(ms, either).then(() => up.abort(), () => {});
  try {
    return await task(AbortSignal.any([signal, up.signal]));
  } catch (error) {
    throw up.signal.aborted && !signal.aborted ? late(error) : error;
  } finally {
    over.abort();
  }
}
