/**
 * What one relayed pair may use: bytes a second, bytes in all, time in silence.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";

/** Limits of a pair. */
export interface RelayLimits {
  /** Bytes a second, each way. @default {8388608} */
  readonly bytesPerSecond?: number;
  /** Bytes in all, both ways. @default {17179869184} */
  readonly maxBytes?: number;
  /** Silence after which a pair ends, in milliseconds. @default {60000} */
  readonly idleMs?: number;
}

/** See {@linkcode RelayLimits}. */
export const DEFAULT_RELAY_LIMITS: Readonly<Required<RelayLimits>> = Object
  .freeze({
    bytesPerSecond: 8 << 20,
    maxBytes: 16 * 2 ** 30,
    idleMs: 60_000,
  });

/** What a pair has used. */
export interface RelayBudget {
  /** Bytes that have passed. */
  readonly used: number;
  /** Charges what has passed; false, and an end, when it is too much. */
  spend(bytes: number): boolean;
  /** Whether `bytes` may pass now in this direction; what may not is dropped. */
  fits(direction: 0 | 1, bytes: number): boolean;
  /** Resolves when the pair has been silent for too long, used up or `signal` aborts. */
  readonly ended: Promise<RelayEnd>;
}

/** Why a pair has ended. */
export type RelayEnd = "idle" | "used up" | "closed";

/** A quarter of a second's worth may go at once. */
const BURST_MS = 250;

/** Makes the budget of a pair that begins now. */
export function relayBudget(
  limits: Required<RelayLimits>,
  clock: Clock,
  signal: AbortSignal,
): RelayBudget {
  let used = 0;
  let heardAt = clock.now();
  const paidUntil = [heardAt, heardAt];
  const usedUp = Promise.withResolvers<RelayEnd>();
  const watch = async (): Promise<RelayEnd> => {
    for (;;) {
      const leftMs = heardAt + limits.idleMs - clock.now();
      if (leftMs <= 0) return "idle";
      await clock.delay(leftMs, signal);
    }
  };
  return {
    get used() {
      return used;
    },
    spend(bytes) {
      heardAt = clock.now();
      used += bytes;
      if (used <= limits.maxBytes) return true;
      usedUp.resolve("used up");
      return false;
    },
    fits(direction, bytes) {
      const now = clock.now();
      const from = Math.max(paidUntil[direction] ?? 0, now);
      if (from - now > BURST_MS) return false;
      paidUntil[direction] = from + bytes / limits.bytesPerSecond * 1000;
      return true;
    },
    ended: Promise.race([
      watch().catch((): RelayEnd => "closed"),
      usedUp.promise,
    ]),
  };
}
