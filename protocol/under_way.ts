/**
 * How much may be under way over a path where CUBIC decides how fast.
 *
 * CUBIC doubles what is under way until a queue overflows, and goes on growing
 * into the queue afterwards. One such burst of losses costs it many seconds on
 * a long path. It cannot send what it is not given: so it is given twice what
 * arrives while that grows, and once a queue shows in the round trips, what the
 * path carries and a short queue, which never overflows and never runs empty.
 *
 * Who keeps his queue short beside one who fills it gets nothing. So on paths of
 * up to 400 ms, where CUBIC comes back from a loss in some seconds, it is left to
 * itself once the start is over, and shares with others of its kind. On longer
 * ones a queue that stands although ours would be short is another's: then CUBIC
 * is left to itself, too, and now and then we look whether the other has gone.
 *
 * @module
 */

/** What is known now. */
export interface UnderWaySample {
  readonly nowMs: number;
  /** Bytes that have arrived so far, as we have heard. */
  readonly arrivedBytes: number;
  /** The shortest round trip, ms. */
  readonly rttMs: number;
  /** The shortest of the last few, ms. */
  readonly lateRttMs: number;
  /** Connections that share the path: each begins by itself. */
  readonly connections: number;
}

/** What may be under way. */
export interface UnderWayVerdict {
  /** Bytes given and not known to have arrived, at most. */
  readonly mostBytes: number;
  /** Bytes a second at most, so that it goes evenly. */
  readonly rate: number;
  /** True until it was known for the first time what the path carries. */
  readonly isStarting: boolean;
}

/** Says how much may be under way; to be asked whenever it is known what has arrived. */
export type UnderWay = (now: UnderWaySample) => UnderWayVerdict;

/** What may always be under way, bytes. */
export const LEAST_UNDER_WAY_BYTES = 128 * 1024;

/** And what each connection may begin with, while nothing is known. */
export const FIRST_UNDER_WAY_BYTES = 512 * 1024;

/** Rates are taken over so many round trips, or this long, ms: what waited for a lost packet comes all at once. */
const PIECE_ROUND_TRIPS = 2;
const PIECE_MS = 200;
/** While it grows they are taken over a round trip, or this long, ms. */
const START_PIECE_MS = 100;
/** How late we hear of what has arrived, a round trip aside, ms. */
const LATE_MS = 40;
const LATE = 0.05;
/** The best of so many rates but one is what the path carries. */
const PIECES = 8;
/** While it grows: what may be under way, over what arrived in a round trip. With 2 a queue as long as the path overflows. */
const START = 1.8;
/**
 * On longer ones there is no time to lose: what each may begin with is added,
 * as some of what is given waits in connections that are slower than others; ms.
 */
const FAR_MS = 400;
const FAR_START = 1.7;
/**
 * Before so much has arrived, bytes, round trips say nothing of a queue: what is
 * asked waits its turn in a connection whose window is ten packets.
 */
const TELLING_BYTES = 256 * 1024;
/** It grows no more when as many pieces brought no such growth. */
const GROWTH = 1.2;
const FLAT_PIECES = 4;
/** So many pieces without a queue, and it grows again: the path may carry more. */
const EMPTY_PIECES = 3;
/** The queue that is kept: a share of the round trip, within ms. */
const QUEUE = 0.25;
const LEAST_QUEUE_MS = 15;
const MOST_QUEUE_MS = 60;
/** Given evenly, and yet as much faster than it arrives that the queue can fill. */
const EVENLY = 1.25;
/** A queue in so many more pieces than not, although we have given way, is another's; then we look away so long, ms. */
const LONG_PIECES = 12;
const FREE_MS = 20_000;
/** Unless there is no queue for so long, ms: another's is short at times. */
const GONE_MS = 2000;

const FREE: UnderWayVerdict = {
  mostBytes: Infinity,
  rate: Infinity,
  isStarting: false,
};

/** Creates what says how many bytes came in the last so many ms. */
export function createRecent(): (
  nowMs: number,
  bytes: number,
  overMs: number,
) => number {
  let marks: { readonly nowMs: number; readonly bytes: number }[] = [];
  return (nowMs, bytes, overMs) => {
    const next = marks.findIndex((mark) => mark.nowMs > nowMs - overMs);
    marks = next < 0 ? marks.slice(-1) : marks.slice(Math.max(0, next - 1));
    marks.push({ nowMs, bytes });
    return bytes - (marks[0]?.bytes ?? bytes);
  };
}

/** Creates the rule for one path. */
export function createUnderWay(): UnderWay {
  const came = createRecent();
  let rates: number[] = [];
  let pieceAt: UnderWaySample | undefined;
  let most = 0;
  let best = 0;
  let flat = 0;
  let isStarting = true;
  let isFirst = true;
  let empty = 0;
  /** More than the path has: what we hear late, and our queue, ms. */
  let slackMs: number | undefined;
  let long = 0;
  let freeUntilMs = -Infinity;
  let goneSinceMs: number | undefined;

  /** Takes the rate of a piece, and says whether it is complete. */
  const measure = (now: UnderWaySample): boolean => {
    pieceAt ??= now;
    const passedMs = now.nowMs - pieceAt.nowMs;
    if (passedMs < Math.max(PIECE_MS, now.rttMs * PIECE_ROUND_TRIPS)) {
      return false;
    }
    const rate = (now.arrivedBytes - pieceAt.arrivedBytes) / passedMs;
    pieceAt = now;
    rates = [...rates, rate].slice(-PIECES);
    flat = rate > best * GROWTH || rate === 0 ? 0 : flat + 1;
    best = Math.max(best, rate);
    return true;
  };
  /** What arrived over the last round trip, bytes a ms. */
  const rateNow = ({ nowMs, arrivedBytes, rttMs }: UnderWaySample): number => {
    const overMs = Math.max(START_PIECE_MS, rttMs);
    return came(nowMs, arrivedBytes, overMs) / overMs;
  };

  return (now) => {
    const { nowMs, rttMs, lateRttMs } = now;
    const queueMs = Math.max(0, lateRttMs - rttMs);
    const aimMs = Math.min(
      Math.max(rttMs * QUEUE, LEAST_QUEUE_MS),
      MOST_QUEUE_MS,
    );
    const isPiece = measure(now);
    if (isStarting) {
      const recent = rateNow(now);
      const more = rttMs < FAR_MS ? START : FAR_START;
      const first = now.connections * FIRST_UNDER_WAY_BYTES;
      const twice = recent * (more * rttMs + LATE_MS + rttMs * LATE);
      most = Math.max(most, first, twice + (rttMs < FAR_MS ? 0 : first));
      const isFull = queueMs > aimMs && recent > 0 &&
        now.arrivedBytes >= TELLING_BYTES;
      if (!isFull && flat < FLAT_PIECES) {
        return { mostBytes: most, rate: Infinity, isStarting: isFirst };
      }
      isStarting = isFirst = false;
      empty = 0;
      rates = [recent, recent];
    }
    if (rttMs < FAR_MS) return FREE;
    if (nowMs < freeUntilMs) {
      if (queueMs > aimMs / 2) goneSinceMs = undefined;
      else goneSinceMs ??= nowMs;
      const isGone = goneSinceMs !== undefined &&
        nowMs - goneSinceMs > Math.max(GONE_MS, rttMs * 8);
      if (!isGone) return FREE;
      goneSinceMs = undefined;
      freeUntilMs = nowMs;
    }
    const mostSlackMs = LATE_MS + Math.max(2 * aimMs, rttMs);
    slackMs ??= LATE_MS + aimMs;
    if (isPiece) {
      empty = queueMs < aimMs / 4 ? empty + 1 : 0;
      if (empty >= EMPTY_PIECES) {
        isStarting = true;
        most = flat = 0;
        best = rates.at(-1) ?? 0;
      }
      slackMs += queueMs < aimMs / 4
        ? rttMs / 4 // it may carry more, and we do not know how much
        : (aimMs - Math.min(queueMs, rttMs)) / 2;
    }
    slackMs = Math.min(Math.max(slackMs, 0), mostSlackMs);
    const isOthers = slackMs === 0 && queueMs > aimMs / 2;
    if (isPiece) long = Math.max(0, long + (isOthers ? 1 : -1));
    if (long >= LONG_PIECES) {
      long = 0;
      freeUntilMs = nowMs + Math.max(FREE_MS, rttMs * 20);
      return FREE;
    }
    const carries = rates.toSorted((a, b) => b - a)[1] ?? 0;
    const shortMs = slackMs + (aimMs - Math.min(queueMs, 3 * aimMs)) / 2;
    return {
      mostBytes: Math.max(
        carries * (rttMs + shortMs),
        LEAST_UNDER_WAY_BYTES,
      ),
      rate: Math.max(carries * 1000 * EVENLY, LEAST_UNDER_WAY_BYTES),
      isStarting: false,
    };
  };
}
