/**
 * Rates: a limit on bytes a second, and a meter of them.
 *
 * @module
 */
import type { Clock } from "./clock.ts";
import { createSemaphore } from "./semaphore.ts";

/** Holds bytes back. */
export interface RateLimiter {
  /** How much one take should be at most. @default {Infinity} */
  readonly pieceBytes?: number;
  /**
   * Waits until `bytes` may go; first come, first served: all bytes of one take
   * go at once. One that is aborted is not charged.
   */
  take(bytes: number, signal?: AbortSignal): Promise<void>;
}

/** What may be saved up while nothing is sent, in milliseconds' worth: short, so that the limit holds at all times. */
export const BURST_MS = 250;

/**
 * Creates a limiter of `bytesPerSecond`; `Infinity` limits nothing. In any
 * span of time no more go than its worth, a burst, and one take.
 *
 * It asks for no pieces: with a frame in pieces all lanes take turns, all that
 * is under way is complete only at the end, and a kill then loses all of it.
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

/** A limiter whose limits follow what it is told. */
export interface Pacer extends RateLimiter {
  /** Bytes that went so far. */
  readonly taken: number;
  /** Sets the rate, bytes a second, and how many bytes may have gone in all; whoever waits hears of it. */
  setLimits(bytesPerSecond: number, mostBytes: number): void;
}

/** What a pacer saves up, in milliseconds' worth: a queue on the way may hold no more. */
export const PACER_BURST_MS = 20;

/**
 * Creates a pacer that holds nothing back until it is told to.
 *
 * @param burstMs What it saves up, and what a piece is, in milliseconds' worth.
 */
export function createPacer(clock: Clock, burstMs = PACER_BURST_MS): Pacer {
  const turn = createSemaphore(1);
  let rate = Infinity;
  let most = Infinity;
  let paidUntil = clock.now();
  let taken = 0;
  let changed = Promise.withResolvers<void>();

  /**
   * When `bytes` will have gone at the rate as it is; never while as many as may
   * be have been taken. One take may go beyond it, or one that is larger than
   * what there is room for would wait for ever.
   */
  const due = (fromMs: number, bytes: number): number =>
    taken >= most ? Infinity : fromMs + bytes / rate * 1000;
  return {
    get taken() {
      return taken;
    },
    get pieceBytes() {
      return pieceOf(rate, burstMs);
    },
    async take(bytes, signal) {
      signal?.throwIfAborted();
      using _turn = await turn.acquire(signal);
      const from = Math.max(paidUntil, clock.now());
      let next = due(from, bytes);
      while (next - burstMs > clock.now()) {
        await until(next - burstMs, changed.promise, clock, signal);
        next = due(from, bytes);
      }
      paidUntil = next;
      taken += bytes;
    },
    setLimits(bytesPerSecond, mostBytes) {
      rate = bytesPerSecond;
      most = mostBytes;
      changed.resolve();
      changed = Promise.withResolvers();
    },
  };
}

/** Waits until a time, or until `changed`. */
async function until(
  atMs: number,
  changed: Promise<void>,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<void> {
  const over = new AbortController();
  const either = signal === undefined
    ? over.signal
    : AbortSignal.any([signal, over.signal]);
  const waits: Promise<void>[] = [changed];
  if (atMs < Infinity) {
    waits.push(clock.delay(Math.max(0, atMs - clock.now()), either));
  }
  if (signal !== undefined) waits.push(aborted(either));
  try {
    await Promise.race(waits);
    signal?.throwIfAborted();
  } finally {
    over.abort();
    for (const wait of waits) wait.catch(() => {}); // those that came second
  }
}

/** Rejects once `signal` aborts. */
function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  return promise;
}

/** A limiter that holds back what either does. */
export function bothLimit(
  first: RateLimiter | undefined,
  second: RateLimiter | undefined,
): RateLimiter | undefined {
  if (first === undefined) return second;
  if (second === undefined) return first;
  return {
    get pieceBytes() {
      return Math.min(
        first.pieceBytes ?? Infinity,
        second.pieceBytes ?? Infinity,
      );
    },
    async take(bytes, signal) {
      await first.take(bytes, signal);
      await second.take(bytes, signal);
    },
  };
}

/** What goes at once at `bytesPerSecond`: `ms` worth, within reason. */
function pieceOf(bytesPerSecond: number, ms: number): number {
  if (bytesPerSecond === Infinity) return Infinity;
  const worth = Math.round(bytesPerSecond * ms / 1000);
  return Math.min(Math.max(worth, LEAST_PIECE_BYTES), MOST_PIECE_BYTES);
}

const LEAST_PIECE_BYTES = 16 * 1024;
const MOST_PIECE_BYTES = 1024 * 1024;

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
