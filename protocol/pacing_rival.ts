/**
 * How much may be under way beside another who keeps the queue full, so that
 * both get a share.
 *
 * The other goes by CUBIC (RFC 9438), as most do: when a queue overflows, it
 * gives up 0.3 of what it has under way, and the queue becomes shorter by as
 * much. We keep ours as it is meanwhile. So how far the queue falls tells which
 * part of it was the other's, and what is ours then follows: more if that is
 * less than half, and less if it is more.
 *
 * At first, and when no such thing is seen for long, we give way altogether for a
 * moment: a queue that goes then is our own, and there is no other.
 *
 * Several others give up less at a time than one does, so that we take some more
 * of the path beside them than one of them has.
 *
 * @module
 */

/** What is known now. */
export interface RivalSample {
  readonly nowMs: number;
  readonly rttMs: number;
  /** What a round trip takes beside `rttMs`. */
  readonly queueMs: number;
  /** A queue that is no longer is none. */
  readonly aimMs: number;
  /** What the path holds at our rate without a queue, bytes. */
  readonly holdsBytes: number;
  /** What arrives at our rate in a round trip as it is, bytes. */
  readonly carriesBytes: number;
}

/** The window beside another. */
export interface Rival {
  /** Says what may be under way, bytes; to be asked some times in a round trip. */
  window(now: RivalSample): number;
  /** True once the other is there no more. */
  readonly isGone: boolean;
}

/** What CUBIC gives up. */
const GIVEN_UP = 0.3;
/** The queue is taken as its mean over so long, ms. */
const MEAN_MS = 150;
/** One that falls by this share of its round trips, and ms, has overflowed. */
const FALL = 0.03;
const FALL_MS = 2;
/** A queue overflows where it is about as long as it ever was, by this share, of which so much is forgotten in a ms. */
const HIGH = 0.75;
const TOP_DOWN = 1 / 60_000;
/** What stands so near to it for so long, ms, overflows all the time, and may be ours. */
const FULL = 0.93;
const FULL_MS = 3000;
const LESS_FULL = 0.9;
/** It is as short as it gets within so long, ms and a round trip; before this it is still our own doing. */
const TROUGH_MS = 500;
/** The part of it that should be ours; by what our window changes at most after one overflow, and by itself in a ms. */
const FAIR = 0.5;
const MORE = 1.5;
const LESS = 0.8;
const GROWTH = 0.01 / 1000;
/** Not more again before so long, ms: the next overflow may be of what we added. */
const RAISE_MS = 4000;
/** With so much more than what arrives, what overflowed was ours. */
const TOO_MUCH = 1.1;
/** When nothing overflows for so long, ms, we look whether the other is there; so long, with a round trip. */
const LOOK_AFTER_MS = 12_000;
const LOOK_MS = 500;

/** Begins with what is under way now, bytes. */
export function createRival(fromMs: number, bytes: number): Rival {
  let window = bytes;
  let lastMs = fromMs;
  let meanMs: number | undefined;
  let peakMs = 0;
  let topMs = 0;
  let fullSinceMs = fromMs;
  /** The shortest since it fell, ms, and until when it falls. */
  let troughMs = Infinity;
  let fallsUntilMs: number | undefined;
  let settledMs = fromMs;
  let seenMs = -Infinity;
  let lookUntilMs = -Infinity;
  /** What is under way while we look, bytes. */
  let leastBytes = 0;
  let raisedMs = -Infinity;
  let isGone = false;

  const look = ({ nowMs, rttMs, queueMs, holdsBytes }: RivalSample): void => {
    seenMs = nowMs;
    leastBytes = holdsBytes;
    lookUntilMs = nowMs + rttMs + queueMs + LOOK_MS;
    settledMs = lookUntilMs + rttMs + queueMs + TROUGH_MS;
  };

  /** Waits for an overflow; our window hardly changes. */
  const watch = (now: RivalSample, mean: number, passedMs: number): void => {
    const { nowMs, rttMs, queueMs } = now;
    window *= 1 + passedMs * GROWTH;
    if (mean < topMs * FULL) fullSinceMs = nowMs;
    else if (nowMs - fullSinceMs > FULL_MS) {
      window *= LESS_FULL;
      fullSinceMs = nowMs;
    }
    topMs = Math.max(topMs * (1 - passedMs * TOP_DOWN), peakMs);
    const isHigh = peakMs > topMs * HIGH;
    const fallen = FALL_MS + FALL * (rttMs + peakMs);
    if (isHigh && mean < peakMs - fallen) {
      fallsUntilMs = nowMs + rttMs + queueMs + TROUGH_MS;
      troughMs = mean;
    } else if (nowMs - seenMs > LOOK_AFTER_MS) look(now);
  };
  /** An overflow is over: how far the queue fell tells what is ours. */
  const judge = ({ nowMs, rttMs, queueMs, ...now }: RivalSample): void => {
    const gaveUp = (peakMs - troughMs) / (rttMs + peakMs);
    const ours = Math.max(0, 1 - gaveUp / GIVEN_UP);
    const isTooMuch = window > now.carriesBytes * TOO_MUCH;
    const mayMore = !isTooMuch && nowMs - raisedMs > RAISE_MS;
    const factor = Math.min(FAIR / ours, mayMore ? MORE : 1);
    window *= isTooMuch ? LESS : Math.max(factor, LESS);
    if (factor > 1) raisedMs = nowMs;
    fallsUntilMs = undefined;
    seenMs = nowMs;
    settledMs = nowMs + rttMs + queueMs + TROUGH_MS;
  };

  return {
    get isGone() {
      return isGone;
    },
    window(now) {
      const { nowMs, queueMs, aimMs } = now;
      if (seenMs === -Infinity) look(now);
      const passedMs = nowMs - lastMs;
      lastMs = nowMs;
      const before = meanMs ?? queueMs;
      const mean = before +
        (queueMs - before) * Math.min(1, passedMs / MEAN_MS);
      meanMs = mean;
      if (nowMs < lookUntilMs) {
        isGone ||= queueMs < aimMs;
        return leastBytes;
      }
      peakMs = nowMs < settledMs ? mean : Math.max(peakMs, mean);
      if (nowMs < settledMs) return window;
      if (fallsUntilMs === undefined) watch(now, mean, passedMs);
      else {
        troughMs = Math.min(troughMs, mean);
        if (nowMs >= fallsUntilMs) judge(now);
      }
      return window;
    },
  };
}
