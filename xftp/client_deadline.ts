/**
 * Time limits on what a router is asked.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { SftpxError } from "../core/errors.ts";

/** What may take long, as long as it moves. */
export interface Moving {
  /** Bytes that have moved so far. */
  readonly moved: () => number;
  /** How long it may stand still, in milliseconds; twice that, at most. */
  readonly stillMs: number;
  /** How long it may take in all, in milliseconds. */
  readonly allMs: number;
}

/**
 * Does `work`, and gives it up when it stands still, or after a long time.
 *
 * @param late The error of giving up.
 */
export async function whileMoving<T>(
  clock: Clock,
  { moved, stillMs, allMs }: Moving,
  signal: AbortSignal,
  late: () => SftpxError,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const still = new AbortController();
  const watch = async (): Promise<void> => {
    for (let before = -1, now = moved(); now !== before; now = moved()) {
      before = now;
      await clock.delay(stillMs, done.signal);
    }
    still.abort(late());
  };
  watch().catch(() => {}); // it is done
  try {
    const both = AbortSignal.any([signal, still.signal]);
    return await within(clock, allMs, both, late, work);
  } finally {
    done.abort();
  }
}

/**
 * Does `work`, and gives it up after `ms`: its signal aborts then.
 *
 * @param late The error of giving up.
 */
export async function within<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  late: () => SftpxError,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const over = new AbortController();
  const done = new AbortController();
  const abort = (): void => over.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  clock.delay(ms, done.signal).then(() => over.abort(late()), () => {});
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(over.signal.reason);
  over.signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work(over.signal), promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    over.signal.removeEventListener("abort", stop);
    done.abort();
  }
}
