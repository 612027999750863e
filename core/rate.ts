/**
 * Rates: a limit on bytes a second, and a meter of them.
 *
 * @module
 */
import type { Clock } from "./clock.ts";
import { createSemaphore } from "./semaphore.ts";

/** Holds bytes back. */
export interface RateLimiter {
  /**
   * Waits until `bytes` may go; first come, first served. Take in pieces of 64 KiB
   * or so: all bytes of one take go at once. One that is aborted is not charged.
   */
  take(bytes: number, signal?: AbortSignal): Promise<void>;
}

/** What may be saved up while nothing is sent, in milliseconds' worth: short, so that the limit holds at all times. */
export const BURST_MS = 250;

/**
 * Creates a limiter of `bytesPerSecond`; `Infinity` limits nothing. In any
 * span of time no more go than its worth, a burst, and one take.
 *
 * @throws {RangeError} when the rate is not above 0.
 */
export function createRateLimiter(
  bytesPerSecond: number,
  clock: Clock,
): RateLimiter {
  if (!(bytesPerSecond > 0)) {
    throw new RangeError(
      `Cannot create rate limiter as bytes per second must be > 0: current value is ${bytesPerSecond}`,
    );
  }
  const turn = createSemaphore(1);
  // When all that has gone so far would have gone at exactly this rate.
  let paidUntil = clock.now();
  return {
    async take(bytes, signal) {
      if (!(bytes >= 0)) {
        throw new RangeError(
          `Cannot take bytes as their number must be >= 0: current value is ${bytes}`,
        );
      }
      signal?.throwIfAborted();
      if (bytesPerSecond === Infinity) return;
      using _turn = await turn.acquire(signal);
      const next = Math.max(paidUntil, clock.now()) +
        bytes / bytesPerSecond * 1000;
      const waitMs = next - BURST_MS - clock.now();
      if (waitMs > 0) await clock.delay(waitMs, signal);
      paidUntil = next;
    },
  };
}

/** A limiter whose rate follows what it is told. */
export interface Pacer extends RateLimiter {
  /** Sets the rate, bytes a second; `Infinity` holds nothing back. */
  setRate(bytesPerSecond: number): void;
}

/** Creates a pacer that holds nothing back until it is told to. */
export function createPacer(clock: Clock): Pacer {
  let rate = Infinity;
  let limiter = createRateLimiter(rate, clock);
  return {
    take: (bytes, signal) => limiter.take(bytes, signal),
    setRate(bytesPerSecond) {
      if (bytesPerSecond === rate) return;
      rate = bytesPerSecond;
      limiter = createRateLimiter(rate, clock);
    },
  };
}

/** A limiter that holds back what either does. */
export function bothLimit(
  first: RateLimiter | undefined,
  second: RateLimiter,
): RateLimiter {
  if (first === undefined) return second;
  return {
    async take(bytes, signal) {
      await first.take(bytes, signal);
      await second.take(bytes, signal);
    },
  };
}

/** Measures how fast bytes go. */
export interface Meter {
  /** Counts `bytes` now. */
  add(bytes: number): void;
  /** Bytes a second over the window, or over the time since the first byte if that is shorter. */
  rate(): number;
}

/**
 * Creates a meter over the last `windowMs`, which takes the same memory however
 * many bytes there are.
 *
 * @throws {RangeError} when the window is not above 0.
 */
export function createMeter(clock: Clock, windowMs: number): Meter {
  if (!(windowMs > 0 && windowMs < Infinity)) {
    throw new RangeError(
      `Cannot create meter as window must be > 0 ms: current value is ${windowMs}`,
    );
  }
  const slotMs = windowMs / SLOTS;
  const slots = new Float64Array(SLOTS);
  let startedAt: number | undefined;
  let current = 0; // number of the newest slot since the clock began

  const move = (): void => {
    const slot = Math.floor(clock.now() / slotMs);
    const stale = Math.min(slot - current, SLOTS);
    for (let k = 0; k < stale; k++) slots[(slot - k) % SLOTS] = 0;
    current = Math.max(current, slot);
  };

  return {
    add(bytes) {
      startedAt ??= clock.now();
      move();
      const at = current % SLOTS;
      slots[at] = (slots[at] ?? 0) + bytes;
    },
    rate() {
      if (startedAt === undefined) return 0;
      move();
      const sum = slots.reduce((total, bytes) => total + bytes, 0);
      // The newest slot has only begun, so the window covers this much.
      const coveredMs = windowMs - slotMs + (clock.now() - current * slotMs);
      const tookMs = Math.min(clock.now() - startedAt, coveredMs);
      return sum / Math.max(tookMs, slotMs) * 1000;
    },
  };
}

/** Parts of a meter's window: the window moves in steps of this fraction. */
const SLOTS = 20;
