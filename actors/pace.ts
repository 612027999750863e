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
  /** All that is under way is lost: it goes on as one that begins. */
  leave(): void;
}

/** What goes at once, ms: more would be a queue by itself. */
const BURST_MS = 8;

/** Creates the pace of a connection that begins. */
export function createPace(clock: Clock): Pace {
  const pacer = createPacer(clock, BURST_MS);
  let pacing = createPacing();
  let arrivedBytes = 0;
  /** What was given and will not arrive, bytes. */
  let lostBytes = 0;
  const look: Pace["look"] = (now) => {
    // What is said of it may be missing for a moment.
    arrivedBytes = Math.max(arrivedBytes, now.arrivedBytes);
    const { taken } = pacer;
    const { rate, mostBytes } = pacing({
      ...now,
      arrivedBytes: lostBytes === 0
        ? arrivedBytes
        : Math.min(arrivedBytes + lostBytes, taken), // some of it did arrive
      nowMs: clock.now(),
      givenBytes: taken,
    });
    pacer.setLimits(rate, mostBytes);
  };
  const unknown = { rttMs: undefined, lateRttMs: undefined };
  look({ arrivedBytes, ...unknown });
  return {
    get pieceBytes() {
      return pacer.pieceBytes ?? Infinity;
    },
    take: pacer.take,
    look,
    leave() {
      pacing = createPacing();
      lostBytes = Math.max(0, pacer.taken - arrivedBytes);
      look({ arrivedBytes, ...unknown });
    },
  };
}
