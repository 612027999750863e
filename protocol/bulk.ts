/**
 * When chunks go over TCP beside a connection by QUIC.
 *
 * The kernel cuts TCP into packets, or the network card does; QUIC is cut by
 * this process, at four times the cost. On a short clean path that is what
 * limits a transfer, so a further connection over TCP is opened there, and has
 * all the chunks to itself while it is faster. Control, manifest and status stay
 * with QUIC, and so do the chunks where TCP is slower: on lossy and long paths,
 * and where a middlebox throttles it.
 *
 * TCP shows first what it can do, as the start of a transfer is no time to
 * change carriers. What QUIC could hardly carry it keeps, and on a path so short
 * that it does not leave the building, whatever it carries. Elsewhere QUIC shows
 * then what it can do, and has the chunks unless TCP was clearly faster.
 *
 * @module
 */

/** What is measured now. */
export interface BulkSample {
  readonly nowMs: number;
  /** Bytes that the receiver has had over the network so far, by whichever. */
  readonly receivedBytes: number;
  /** The shortest round trip of late, ms; `undefined` when none is known. */
  readonly rttMs: number | undefined;
  /** Bytes that are still to be sent. */
  readonly pendingBytes: number;
  /** True when nothing is on its way by QUIC any more. */
  readonly isAlone: boolean;
}

/** What to do about TCP. */
export type BulkVerdict =
  | "keep"
  /** Dial; once it stands, all chunks go over it. */
  | "try"
  /** It is not faster: it finishes what it has, and the rest goes by QUIC. */
  | "retire"
  /** It stands still, or almost: chunks go by QUIC again, those that it has as well. */
  | "back";

/** Decides about TCP. */
export interface Bulk {
  /** Takes a measurement, often; says what to do. */
  sample(now: BulkSample): BulkVerdict;
  /** What was tried stands. */
  joined(): void;
  /** It could not be opened. */
  failed(nowMs: number): void;
  /** It was lost. */
  lost(nowMs: number): void;
  /** True while chunks go over TCP alone. */
  readonly isUsed: boolean;
  /** True while what is tried may stand in a moment: what is given to others now, they have to finish. */
  holdsBack(nowMs: number): boolean;
}

/** What paths are short. */
export interface BulkOptions {
  /** No path that is longer is tried, ms: QUIC fills those too, and loses less to loss. @default {30} */
  readonly shortMs?: number;
  /** A path within a building, or a machine, ms. @default {5} */
  readonly nearMs?: number;
  /** Near as far as is known at first, when an answer takes what it takes to make it, ms. @default {10} */
  readonly likelyNearMs?: number;
}

/** See {@linkcode BulkOptions}. */
export const DEFAULT_BULK_OPTIONS: Readonly<Required<BulkOptions>> = Object
  .freeze({ shortMs: 30, nearMs: 5, likelyNearMs: 10 });

/** What is less is over before it matters, bytes. */
const WORTH_BYTES = 32 * 1024 * 1024;
/** The same near by, where TCP stands within some ms; of many small files no more may be under way. */
const NEAR_WORTH_BYTES = 8 * 1024 * 1024;
/** What is over sooner at the rate so far is not worth a trial, ms. */
const WORTH_MS = 1000;
/** How long each shows what it can do: ms, and round trips. */
const SHOW_MS = 500;
const SHOW_ROUND_TRIPS = 10;
/** What TCP retired with is through after so long, ms. */
const RETIRE_MS = 500;
/** What QUIC hardly carries, as one thread does all of it; TCP that does needs no comparing. Bytes a ms: 160 Mbit/s. */
const PLENTY = 20_000;
/** What TCP must reach of QUIC's rate to stay: near, and elsewhere. */
const NEAR_GAIN = 0.8;
const GAIN = 1.2;
/** What TCP that retired still has is not waited for when QUIC is so much faster. */
const MUCH = 2;
/** A rate below this share of the best one that TCP had is looked at twice. */
const SLOW = 0.25;
/** Time over which a rate is taken once TCP is in use, ms. */
const WINDOW_MS = 1000;
/** TCP that brings nothing for so long stands still, ms. */
const STILL_MS = 2000;
/** A dial that takes longer is not waited for, ms. */
export const MOMENT_MS = 200;
/** After a try that was not worth it the next one waits, ms; then twice as long. */
const PAUSE_MS = 10_000;
/** The same after a dial that failed: it costs little, and may have been bad luck. */
const REDIAL_MS = 1000;

/** Bytes at a time. */
interface Mark {
  readonly ms: number;
  readonly bytes: number;
}

type State =
  | {
    readonly is: "quic";
    /** Since when it shows what it can do. */
    from: Mark | undefined;
    /** What TCP did, while it is not clear which is faster. */
    rival: number | undefined;
  }
  | { readonly is: "trying"; readonly sinceMs: number }
  | {
    readonly is: "tcp";
    /** When what QUIC had on its way was through. */
    from: Mark | undefined;
    /** When something came last. */
    last: Mark | undefined;
    best: number;
    slow: number;
    isShown: boolean;
  };

/** Creates a policy; chunks go by QUIC. */
export function createBulk(options: BulkOptions = {}): Bulk {
  const { shortMs, nearMs, likelyNearMs } = {
    ...DEFAULT_BULK_OPTIONS,
    ...options,
  };
  let state: State = { is: "quic", from: undefined, rival: undefined };
  let base = 0; // what QUIC reached, bytes a ms
  let isNear = false;
  let notBeforeMs = -Infinity;
  let pauseMs = PAUSE_MS;
  let redialMs = REDIAL_MS;

  const restUntil = (ms: number): void => {
    notBeforeMs = ms;
    state = { is: "quic", from: undefined, rival: undefined };
  };
  const rest = (nowMs: number): void => {
    restUntil(nowMs + pauseMs);
    pauseMs *= 2;
  };
  const showMs = (rttMs: number): number =>
    Math.max(SHOW_MS, rttMs * SHOW_ROUND_TRIPS);

  const byQuic = (
    now: BulkSample,
    quic: Extract<State, { is: "quic" }>,
  ): BulkVerdict => {
    const { nowMs: ms, receivedBytes: bytes, rttMs, pendingBytes } = now;
    if (rttMs === undefined || rttMs > shortMs) return "keep";
    isNear = rttMs <= nearMs;
    const isComparing = quic.rival !== undefined;
    if (isComparing && ms < notBeforeMs) return "keep";
    if (quic.from === undefined || bytes < quic.from.bytes) {
      quic.from = { ms, bytes };
    }
    const passedMs = ms - quic.from.ms;
    const rate = passedMs > 0 ? (bytes - quic.from.bytes) / passedMs : 0;
    const isShown = passedMs >= showMs(rttMs);
    if (isShown) {
      base = rate;
      quic.from = { ms, bytes };
    }
    const worth = rttMs <= likelyNearMs ? NEAR_WORTH_BYTES : WORTH_BYTES;
    if (pendingBytes < worth) return "keep";
    if (quic.rival !== undefined) {
      if (!isShown) return "keep";
      const { rival } = quic;
      quic.rival = undefined;
      if (rival < rate * GAIN) rest(ms);
      if (rival * MUCH < rate) return "back"; // or all waits for it at the end
    }
    if (ms < notBeforeMs) return "keep";
    if (!isNear && pendingBytes < base * WORTH_MS) return "keep";
    if (isNear) base = Math.max(base, rate);
    state = { is: "trying", sinceMs: ms };
    return "try";
  };
  const byTcp = (
    now: BulkSample,
    tcp: Extract<State, { is: "tcp" }>,
  ): BulkVerdict => {
    const { nowMs: ms, receivedBytes: bytes, rttMs = 0, pendingBytes } = now;
    if (pendingBytes === 0) tcp.last = undefined; // nothing can come
    else if (tcp.last === undefined || bytes > tcp.last.bytes) {
      tcp.last = { ms, bytes };
    } else if (ms - tcp.last.ms >= STILL_MS) {
      rest(ms);
      return "back";
    }
    if (tcp.from === undefined) {
      if (now.isAlone) tcp.from = { ms, bytes };
      return "keep";
    }
    const { from } = tcp;
    const passedMs = ms - from.ms;
    if (passedMs < (tcp.isShown ? WINDOW_MS : showMs(rttMs))) return "keep";
    const rate = (bytes - from.bytes) / passedMs;
    tcp.from = { ms, bytes };
    if (pendingBytes < rate * WORTH_MS) return "keep"; // almost over
    const isFirst = !tcp.isShown;
    tcp.isShown = true;
    if (isFirst && !isNear && base === 0 && rate < PLENTY) {
      notBeforeMs = ms + RETIRE_MS;
      state = { is: "quic", from: undefined, rival: rate };
      return "retire";
    }
    tcp.best = Math.max(tcp.best, rate);
    tcp.slow = rate < tcp.best * SLOW ? tcp.slow + 1 : 0;
    if (isFirst && rate < base * (isNear ? NEAR_GAIN : GAIN)) {
      rest(ms);
      return "retire";
    }
    // Nobody may know yet what QUIC can do.
    const isPoor = base === 0 || rate < base * GAIN;
    if (tcp.slow >= 3 && isPoor) {
      rest(ms);
      return "back";
    }
    if (isFirst) pauseMs = PAUSE_MS;
    return "keep";
  };

  return {
    get isUsed() {
      return state.is === "tcp";
    },
    holdsBack: (nowMs) =>
      state.is === "trying" && nowMs - state.sinceMs < MOMENT_MS,
    sample(now) {
      switch (state.is) {
        case "quic":
          return byQuic(now, state);
        case "trying":
          return "keep";
        case "tcp":
          return byTcp(now, state);
      }
    },
    joined() {
      state = {
        is: "tcp",
        from: undefined,
        last: undefined,
        best: 0,
        slow: 0,
        isShown: false,
      };
    },
    failed(nowMs) {
      restUntil(nowMs + redialMs);
      redialMs *= 2;
    },
    lost: rest,
  };
}
