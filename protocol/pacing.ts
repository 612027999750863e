/**
 * How fast to send by BBR: as fast as the receiver receives, and no faster.
 *
 * BBR as the platform has it goes on sending into a queue that is full. It
 * cannot send what it is not given, so it is given what arrives: at first more
 * and more, until that brings nothing or a queue shows in the round trips; then
 * what the best of the last seconds brought, a little more now and then to find
 * out whether there is more, and less while a queue stands.
 *
 * Besides there is a limit to what is under way. Without it a burst too many
 * would stand in the connection, which sends it again and again at its own pace.
 *
 * @module
 */

/** What is known now. */
export interface PacingSample {
  readonly nowMs: number;
  /** Bytes that have arrived over it so far. */
  readonly arrivedBytes: number;
  /** The shortest round trip, ms; `undefined` when none is known. */
  readonly rttMs: number | undefined;
  /** The shortest of the last few seconds, ms: longer when there is a queue, and not for a packet that was lost. */
  readonly lateRttMs: number | undefined;
}

/** How fast to send. */
export interface PacingVerdict {
  /** Bytes a second. */
  readonly rate: number;
  /** Bytes that may have been given to the connection in all. */
  readonly mostBytes: number;
}

/** Says how fast to send; to be asked whenever it is known what has arrived. */
export type Pacing = (now: PacingSample) => PacingVerdict;

/** What a connection begins with, bytes a second. */
export const FIRST_RATE = 512 * 1024;
/** Less than this is never asked for, bytes a second. */
export const LEAST_RATE = 32 * 1024;

/** What arrived is measured over pieces of a round trip and a bit, or this long, ms. */
const PIECE_MS = 250;
/** How late we hear of what has arrived, a round trip aside, ms. */
const LATE_MS = 150;
/** A rate is the mean of so many pieces: what waited for a lost packet comes all at once. */
const MEAN_PIECES = 4;
/** As many means are remembered; the best of them counts. */
const MEANS = 8;
/** At first, sent over received: what the path carries is not known. */
const START = 2;
/** The start is over when as many pieces in a row brought no such growth. */
const GROWTH = 1.25;
const FLAT_PIECES = 3;
/**
 * When nothing has arrived for so long, ms, it starts again, so many times
 * slower: what was learnt before may have been the pause, or of another path.
 */
const STILL_MS = 500;
const STILL_DOWN = 4;
/** For so long the answers that come are those to what was asked during it, ms. */
const BLIND_MS = 1000;
/** In two of so many pieces a little more is sent. */
const CYCLE = 6;
const PROBE = 1.2;
const CRUISE = 1.02;
/** While a queue stands: less. */
const YIELD = 0.8;
/** A queue that stands as many pieces whatever we do is another's; then we hold our own as long. */
const PATIENCE = 6;
const HOLD = 1.05;
/** What may be under way: what the path carries in so many round trips and ms, and this. */
const UNDER_WAY_ROUND_TRIPS = 2.5;
const UNDER_WAY_MS = 300;
const UNDER_WAY_BYTES = 384 * 1024;
/** A queue is a round trip that is longer by this share and these ms. */
const QUEUE = 0.3;
const QUEUE_MS = 10;

/** Creates the pacing of one connection. */
export function createPacing(): Pacing {
  let last: PacingSample | undefined;
  let rate = FIRST_RATE;
  let pieces: number[] = [];
  let means: number[] = [];
  let best = 0;
  let flat = 0;
  let isStarting = true;
  let turn = 0;
  let full = 0;
  let stillMs = 0;
  /** Until then round trips are those of the pause, and tell nothing of a queue. */
  let blindUntilMs = -Infinity;

  const gain = (isFull: boolean): number => {
    if (isStarting && !isFull && flat < FLAT_PIECES) return START;
    isStarting = false;
    turn++;
    full = isFull ? full + 1 : 0;
    if (full > 0) return full % (2 * PATIENCE) <= PATIENCE ? YIELD : HOLD;
    return turn % CYCLE < 2 ? PROBE : CRUISE;
  };
  const verdict = (arrivedBytes: number, rttMs: number): PacingVerdict => {
    const ms = rttMs * UNDER_WAY_ROUND_TRIPS + UNDER_WAY_MS;
    const mostBytes = arrivedBytes + rate / 1000 * ms + UNDER_WAY_BYTES;
    return { rate, mostBytes };
  };

  return (now) => {
    const { nowMs, arrivedBytes, rttMs = 0 } = now;
    const { lateRttMs = rttMs } = now;
    if (last === undefined || arrivedBytes < last.arrivedBytes) {
      last = now;
      return verdict(arrivedBytes, rttMs);
    }
    const passedMs = nowMs - last.nowMs;
    if (passedMs < Math.max(PIECE_MS, rttMs + LATE_MS)) {
      return verdict(arrivedBytes, rttMs);
    }
    const measured = (arrivedBytes - last.arrivedBytes) / passedMs * 1000;
    last = now;
    if (measured === 0) { // a pause says nothing of the path
      stillMs += passedMs;
      return verdict(arrivedBytes, rttMs);
    }
    const wasStill = stillMs >= STILL_MS;
    stillMs = 0;
    if (wasStill) { // nor does what comes all at once after it
      isStarting = true;
      rate = Math.max(rate / STILL_DOWN, FIRST_RATE);
      pieces = [];
      means = [];
      best = flat = 0;
      blindUntilMs = nowMs + BLIND_MS;
      return verdict(arrivedBytes, rttMs);
    }
    flat = measured > best * GROWTH ? 0 : flat + 1;
    best = Math.max(best, measured);
    pieces = [...pieces, measured].slice(-MEAN_PIECES);
    const mean = pieces.reduce((sum, piece) => sum + piece) / pieces.length;
    means = [...means, mean].slice(-MEANS);
    const isFull = nowMs >= blindUntilMs &&
      lateRttMs - rttMs > Math.max(QUEUE_MS, rttMs * QUEUE);
    const factor = gain(isFull);
    const known = isStarting ? measured : Math.max(...means);
    const least = isStarting ? rate : LEAST_RATE;
    rate = Math.max(least, known * factor);
    return verdict(arrivedBytes, rttMs);
  };
}
