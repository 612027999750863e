/**
 * How fast to send by BBR: as fast as the receiver receives, and no faster.
 *
 * BBR as the platform has it goes on sending into a queue that is full. It
 * cannot send what it is not given, so what is under way is bounded by a window:
 *
 * - At first it grows with what arrives, until that brings nothing more or a
 *   queue shows in the round trips.
 * - Then it grows while no queue shows and all of it is used, stays while the
 *   queue is short, and shrinks when it is long, as with TCP Vegas (Brakmo and
 *   Peterson, 1995). Where packets are lost it becomes larger than the path:
 *   what follows a lost packet has not arrived before that comes again.
 * - A queue that stays long although we give way is another's: see
 *   `pacing_rival.ts`.
 *
 * @module
 */
import { createRival, type Rival } from "./pacing_rival.ts";
import { createRecent } from "./under_way.ts";

/** What is known now. */
export interface PacingSample {
  readonly nowMs: number;
  /** Bytes that were given to it so far. */
  readonly givenBytes: number;
  /** Bytes that have arrived over it so far. */
  readonly arrivedBytes: number;
  /** The shortest round trip, ms; `undefined` when none is known. */
  readonly rttMs: number | undefined;
  /** The shortest of late, ms: longer when there is a queue, and not for a packet that was lost. */
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

/** What may be under way at first, bytes. */
export const FIRST_WINDOW_BYTES = 512 * 1024;
/** Less is never under way, bytes: a receiver tells of pieces of 8 KiB, and each lane may have less than one. */
export const LEAST_WINDOW_BYTES = 80 * 1024;

/** A round trip while none is known, ms. */
const UNKNOWN_MS = 100;
/** How late we hear of what has arrived, a round trip aside, ms and part of one: it is under way for us. */
const UNHEARD_MS = 40;
const UNHEARD = 0.05;
/** What arrived is measured over pieces of a round trip and a bit, or this long, ms. */
const PIECE_MS = 250;
const LATE_MS = 150;
/** And what arrives right now over a round trip, or this long, ms. */
const RECENT_MS = 100;
/** A rate is the mean of so many pieces: what waited for a lost packet comes all at once. */
const MEAN_PIECES = 4;
/** As many means are remembered; the best of them but one is what the path carries. */
const MEANS = 8;
/** Less than that is not believed, bytes a second. */
const LEAST_RATE = 32 * 1024;

/** At first: what may be under way, over what arrived in a round trip. With 2 a queue as long as the path overflows. */
const START = 1.8;
/** More for each piece that brought no growth, and no queue: it may wait for lost packets. */
const START_MORE = 1.25;
/** The start is over when as many pieces in a row brought no such growth. */
const GROWTH = 1.15;
const FLAT_PIECES = 4;
/** Before so much has arrived, bytes, round trips say nothing of a queue: questions wait for the connection's own first window. */
const TELLING_BYTES = 256 * 1024;

/** A queue is long when it is this part of a round trip, or these ms, and short below half of that. */
const QUEUE = 0.3;
const QUEUE_MS = 10;
/** While it is short, a window that is used to this part becomes so much larger with each piece. */
const USED = 0.8;
const MORE = 1 / 8;
/** While it is long, so much smaller at most. */
const LESS = 0.5;
/** In between it shrinks when it is so much more than what arrives calls for: that is lost in a short queue. */
const SURPLUS = 1.15;
const DOWN = 0.96;
/** It never is more than what arrives in so many round trips and ms. */
const MOST_ROUND_TRIPS = 2.5;
const MOST_MS = 340;
/** Given evenly: so much faster than it arrives, and so much where there is no queue. */
const EVENLY = 1.03;
const PROBE = 1.25;
/** So many more pieces with a long queue than without, although we give way, and it is another's. */
const PATIENCE = 4;
/** Then we begin beside it with this part of what we had. */
const MODEST = 0.8;
/** So many without any, and the other is there no more. */
const EMPTY_PIECES = 4;

/** When nothing has arrived for so long, ms, it starts again: what was learnt before may have been the pause, or of another path. */
const STILL_MS = 500;
/** And as much may be under way then at most, bytes: a frame in each lane. */
const STILL_BYTES = 16 * 1024 * 1024;
/** For so long the answers that come are those to what was asked during it, ms. */
const BLIND_MS = 1000;

/** A sample, and what follows from it. */
interface Seen {
  readonly nowMs: number;
  readonly rttMs: number;
  readonly queueMs: number;
  /** From here on it is long. */
  readonly aimMs: number;
  readonly unheardMs: number;
  /** What arrives right now, bytes a ms. */
  readonly recent: number;
}

/** Creates the pacing of one connection. */
export function createPacing(): Pacing {
  let came = createRecent();
  let rates = createRates();
  let last: PacingSample | undefined;
  let heardBytes = 0;
  /** What may be under way, bytes, and the most of it that was used in this piece. */
  let window = FIRST_WINDOW_BYTES;
  let usedBytes = 0;
  let isStarting = true;
  let best = 0;
  let peak = 0;
  let flat = 0;
  let rival: Rival | undefined;
  let full = 0;
  let fullRate = 0;
  let fullWindow = 0;
  let empty = 0;
  let stillMs = 0;
  /** Until then round trips are those of a pause, and tell nothing of a queue. */
  let blindUntilMs = -Infinity;

  const see = ({ nowMs, arrivedBytes, ...now }: PacingSample): Seen => {
    const { rttMs = UNKNOWN_MS, lateRttMs = rttMs } = now;
    const overMs = Math.max(RECENT_MS, rttMs);
    return {
      nowMs,
      rttMs,
      queueMs: nowMs < blindUntilMs ? 0 : Math.max(0, lateRttMs - rttMs),
      aimMs: Math.max(QUEUE_MS, rttMs * QUEUE),
      unheardMs: UNHEARD_MS + rttMs * UNHEARD,
      recent: came(nowMs, arrivedBytes, overMs) / overMs,
    };
  };
  const restart = (nowMs: number): void => {
    came = createRecent();
    rates = createRates();
    window = FIRST_WINDOW_BYTES;
    isStarting = true;
    best = peak = 0;
    flat = full = 0;
    rival = undefined;
    blindUntilMs = nowMs + BLIND_MS;
  };
  /** While nothing is known of the path: the window for now; false once something is. */
  const start = (seen: Seen, arrivedBytes: number): boolean => {
    const { rttMs, unheardMs, recent, queueMs, aimMs } = seen;
    const more = START * START_MORE ** flat;
    window = Math.max(window, recent * (more * rttMs + unheardMs));
    peak = Math.max(peak, recent);
    if (queueMs <= aimMs || arrivedBytes < TELLING_BYTES) return true;
    // All may wait for packets that have just been lost.
    const perMs = Math.max(recent, peak / 2);
    rates.begin(perMs * 1000);
    // Some of it may wait for lost packets: what is too much, the queue will tell.
    window = (window + perMs * (rttMs + unheardMs)) / 2;
    return isStarting = false;
  };
  const leaveRival = ({ rttMs, unheardMs }: Seen): void => {
    rival = undefined;
    full = 0;
    window = rates.known / 1000 * (rttMs + unheardMs);
  };
  const share = (by: Rival, seen: Seen): void => {
    const { rttMs, queueMs, recent, unheardMs } = seen;
    const carriesBytes = rates.known / 1000 * (rttMs + queueMs);
    const holdsBytes = recent * rttMs;
    const ours = by.window({ ...seen, carriesBytes, holdsBytes });
    const most = Math.max(carriesBytes, fullRate * (rttMs + queueMs));
    window = Math.min(ours, most * SURPLUS) + recent * unheardMs;
    if (by.isGone) leaveRival(seen);
  };
  /** What a piece without another's queue says of the window. */
  const adjust = (seen: Seen): void => {
    const { nowMs, rttMs, queueMs, aimMs, unheardMs } = seen;
    const perMs = rates.known / 1000;
    if (queueMs > aimMs) {
      if (full++ === 0) {
        fullRate = perMs * MODEST;
        fullWindow = window;
      }
      window = Math.max(
        window - perMs * (queueMs - aimMs / 2),
        fullWindow * (1 - LESS),
      );
    } else {
      full = Math.max(0, full - 1);
      const needed = perMs * (rttMs + queueMs + unheardMs);
      if (queueMs > aimMs / 2) {
        if (window > needed * SURPLUS) window *= DOWN;
      } else if (usedBytes > window * USED) window *= 1 + MORE;
    }
    window = Math.min(window, perMs * (rttMs * MOST_ROUND_TRIPS + MOST_MS));
    if (full < PATIENCE) return;
    rival = createRival(nowMs, fullRate * (rttMs + queueMs));
    empty = 0;
  };
  const verdict = (seen: Seen, arrivedBytes: number): PacingVerdict => {
    const { rttMs, unheardMs, queueMs, aimMs } = seen;
    window = Math.max(window, LEAST_WINDOW_BYTES);
    const isShort = queueMs < aimMs / 2;
    const rate = isStarting || rival !== undefined
      ? window / (rttMs + unheardMs + queueMs) * 1000 * PROBE
      : rates.known * (isShort ? PROBE : EVENLY);
    return { rate, mostBytes: arrivedBytes + window };
  };
  const piece = (now: PacingSample, before: PacingSample, seen: Seen): void => {
    const passedMs = now.nowMs - before.nowMs;
    const bytes = now.arrivedBytes - before.arrivedBytes;
    if (bytes === 0) { // a pause says nothing of the path
      stillMs += passedMs;
      // What has come may not have been told: a frame is told of when it is whole.
      if (stillMs < STILL_MS) return;
      rival = undefined;
      window = Math.min(2 * window, STILL_BYTES);
      return;
    }
    const wasStill = stillMs >= STILL_MS;
    stillMs = 0;
    if (wasStill) return restart(now.nowMs); // nor does what comes all at once after it
    const rate = bytes / passedMs * 1000;
    rates.add(rate);
    if (isStarting) {
      flat = rate > best * GROWTH ? 0 : flat + 1;
      best = Math.max(best, rate);
      isStarting = flat < FLAT_PIECES;
      return;
    }
    if (rival === undefined) return adjust(seen);
    empty = seen.queueMs < seen.aimMs / 4 ? empty + 1 : 0;
    if (empty === EMPTY_PIECES) leaveRival(seen);
  };

  return (now) => {
    const { arrivedBytes, givenBytes } = now;
    const seen = see(now);
    usedBytes = Math.max(usedBytes, givenBytes - heardBytes);
    heardBytes = arrivedBytes;
    let before = last ?? now;
    if (arrivedBytes < before.arrivedBytes) before = now;
    if (before === now) last = now;
    else if (isStarting && !start(seen, arrivedBytes)) last = before = now;
    else if (rival !== undefined) share(rival, seen);
    const passedMs = now.nowMs - before.nowMs;
    if (passedMs >= Math.max(PIECE_MS, seen.rttMs + LATE_MS)) {
      last = now;
      piece(now, before, seen);
      usedBytes = 0;
    }
    return verdict(seen, arrivedBytes);
  };
}

/** What arrived in the last pieces. */
function createRates() {
  let pieces: readonly number[] = [];
  let means: readonly number[] = [];
  return {
    /** What the path carries, bytes a second. */
    get known() {
      const best = means.toSorted((a, b) => b - a);
      return Math.max(best[1] ?? best[0] ?? 0, LEAST_RATE);
    },
    /** Takes the rate of a piece, bytes a second. */
    add(rate: number) {
      pieces = [...pieces, rate].slice(-MEAN_PIECES);
      const mean = pieces.reduce((sum, one) => sum + one) / pieces.length;
      means = [...means, mean].slice(-MEANS);
    },
    /** Takes what arrives now for all that is known. */
    begin(rate: number) {
      means = [rate];
    },
  };
}
