/**
 * Holds back what goes over one connection by BBR; `protocol/pacing.ts` says
 * how much.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { createPacer, type RateLimiter } from "../core/rate.ts";
import { createPacing, type PacingSample } from "../protocol/pacing.ts";

/** The pace of one connection. */
export interface Pace extends RateLimiter {
  /** Takes what is known now, whenever that is more than before. */
  look(now: Omit<PacingSample, "nowMs" | "givenBytes">): void;
}

/** What goes at once, ms: more would be a queue by itself. */
const BURST_MS = 8;

/** Creates the pace of a connection that begins. */
export function createPace(clock: Clock): Pace {
  const pacer = createPacer(clock, BURST_MS);
  const pacing = createPacing();
  const look: Pace["look"] = (now) => {
    const { rate, mostBytes } = pacing({
      ...now,
      nowMs: clock.now(),
      givenBytes: pacer.taken,
    });
    pacer.setLimits(rate, mostBytes);
  };
  look({ arrivedBytes: 0, rttMs: undefined, lateRttMs: undefined });
  return {
    get pieceBytes() {
      return pacer.pieceBytes ?? Infinity;
    },
    take: pacer.take,
    look,
  };
}
