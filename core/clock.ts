/**
 * Time as the code sees it, so that a test can own it.
 *
 * @module
 */

import { setTimer } from "./timers.ts";

/** Where time comes from. */
export interface Clock {
  /** Milliseconds since some moment; never goes back. For spans and time limits. */
  now(): number;
  /** Milliseconds since 1970, as people have it; may jump. For stamps only. */
  wallMs(): number;
  /** Resolves after `ms`, and rejects with the signal's reason if it aborts before. */
  delay(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's clocks. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  async delay(ms, signal) {
    checkDelay(ms);
    let left = ms;
    for (; left > MAX_TIMER_MS; left -= MAX_TIMER_MS) {
      await timer(MAX_TIMER_MS, signal);
    }
    await timer(left, signal);
  },
};

/**
 * Checks a time to wait.
 *
 * @throws {RangeError} when `ms` is not a number, or negative.
 */
export function checkDelay(ms: number): void {
  if (!(ms >= 0)) {
    throw new RangeError(
      `Cannot wait as ms must be >= 0: current value is ${ms}`,
    );
  }
}

/** How `watchSuspend` looks. */
export interface WatchSuspendOptions {
  /** Milliseconds between two looks. @default {2000} */
  readonly everyMs?: number;
  /** A look that is later than this was held up. @default {5000} */
  readonly slackMs?: number;
}

/** The defaults of `watchSuspend`. */
export const DEFAULT_WATCH_SUSPEND_OPTIONS: Required<WatchSuspendOptions> =
  Object.freeze({ everyMs: 2000, slackMs: 5000 });

/**
 * Calls `onSuspend` whenever the machine or the process seems to have stood
 * still, until `signal` aborts. A clock that was set forward looks the same, so
 * this is a hint: worth a new look at the network, and no more.
 *
 * @param onSuspend Told how many milliseconds were missed.
 */
export async function watchSuspend(
  clock: Clock,
  signal: AbortSignal,
  onSuspend: (missedMs: number) => void,
  options: WatchSuspendOptions = {},
): Promise<void> {
  const { everyMs, slackMs } = { ...DEFAULT_WATCH_SUSPEND_OPTIONS, ...options };
  for (;;) {
    const [now, wall] = [clock.now(), clock.wallMs()];
    try {
      await clock.delay(everyMs, signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    // The monotonic clock stops while a machine sleeps, the wall clock does not.
    const tookMs = Math.max(clock.now() - now, clock.wallMs() - wall);
    if (tookMs - everyMs > slackMs) onSuspend(tookMs - everyMs);
  }
}

/** A timer longer than this would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

function timer(ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (signal?.aborted) {
    reject(signal.reason);
    return promise;
  }
  const stop = setTimer(ms, () => {
    signal?.removeEventListener("abort", abort);
    resolve();
  });
  const abort = (): void => {
    stop();
    reject(signal?.reason);
  };
  signal?.addEventListener("abort", abort, { once: true });
  return promise;
}
