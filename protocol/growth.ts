/**
 * How many connections a transfer needs, and of which kind.
 *
 * The platform fixes how much one connection may have on its way
 * ({@linkcode CONNECTION_WINDOW_BYTES}), so that on a long fast path one is not
 * enough, whatever its lanes. This asks for another when what is on its way
 * comes near to what the connections can have, and gives it up again when it
 * did not help.
 *
 * Loss that comes without a queue, as on radio links, holds CUBIC down to a
 * small part of what the path carries. When little is on its way although much
 * is to be sent, and no queue shows in the round trips, a connection that goes
 * by BBR competes for the work, and stays only if it clearly wins: BBR as the
 * platform has it fills queues, and is no guest for a path that CUBIC fills too.
 *
 * @module
 */

/** Bytes that one connection may have on its way: quinn's send window. */
export const CONNECTION_WINDOW_BYTES = 10_000_000;

/** What is measured now. */
export interface GrowthSample {
  readonly nowMs: number;
  /** Bytes that the receiver has had over the network so far. */
  readonly receivedBytes: number;
  /** The shortest round trip of late, ms; `undefined` when none is known. */
  readonly rttMs: number | undefined;
  /** The usual round trip of late, ms: longer when there is a queue. */
  readonly usualRttMs: number | undefined;
  readonly connections: number;
  /** Bytes that are still to be sent. */
  readonly pendingBytes: number;
}

/** Decides about connections. */
export interface Growth {
  /** Takes a measurement, some a second; says what to do. */
  sample(now: GrowthSample): GrowthVerdict;
}

/** What to do about connections. */
export type GrowthVerdict =
  | "keep"
  /** One more of the kind that is in use. */
  | "add"
  /** The newest did not help. */
  | "drop"
  /** One that goes by BBR, beside those that are there. */
  | "try-bbr"
  /** It has won: it takes all the work. */
  | "use-bbr";

/** What a policy may do. */
export interface GrowthOptions {
  /** Connections at most. */
  readonly max: number;
  /** Whether BBR may be tried. */
  readonly mayTryBbr: boolean;
}

/** Measurements closer than this are one, ms. */
const SAMPLE_MS = 1000;
/** A share of the windows that is in use when they are what limits. */
const FULL = 0.5;
/** A further connection must make the transfer this much faster to stay. */
const GAIN = 1.1;
/** How long one may take to show what it can do: slow start, in round trips and ms. */
const TRIAL_ROUND_TRIPS = 12;
const TRIAL_MS = 2000;
/** After one that did not help, no other is tried for this long, ms; then twice as long. */
const PAUSE_MS = 10_000;
/** What is over sooner than this needs no more connections, ms. */
const WORTH_MS = 2000;

/** Less than this share of a window on its way is little. */
const LITTLE = 0.25;
/** Round trips shorter than this are no long path, ms. */
const LONG_MS = 5;
/** The usual round trip may be as much longer than the shortest while there is no queue: share, and ms. */
const QUEUE = 1.25;
const QUEUE_MS = 5;
/** A rate that grows by no more than this in a measurement has settled. */
const SETTLED = 1.25;
/** BBR must make the transfer as much faster. */
const WIN = 2;
/** What is over sooner than this is not worth a trial of BBR, ms. */
const BBR_WORTH_MS = 5000;

interface Trial {
  readonly kind: "more" | "bbr";
  /** The rate before it, bytes a ms. */
  readonly before: number;
  readonly dueMs: number;
}

/** Creates a policy. */
export function createGrowth({ max, mayTryBbr }: GrowthOptions): Growth {
  let usesBbr = false;
  let lastRate = 0;
  let lastMs: number | undefined;
  let lastBytes = 0;
  let trial: Trial | undefined;
  let notBeforeMs = 0;
  let pauseMs = PAUSE_MS;

  const judge = (
    { kind, before, dueMs }: Trial,
    rate: number,
    { nowMs, connections }: GrowthSample,
  ): GrowthVerdict => {
    if (rate >= before * (kind === "bbr" ? WIN : GAIN)) {
      trial = undefined;
      pauseMs = PAUSE_MS;
      if (kind === "more") return "keep";
      usesBbr = true;
      return "use-bbr";
    }
    if (nowMs < dueMs) return "keep";
    trial = undefined;
    notBeforeMs = nowMs + pauseMs;
    pauseMs *= 2;
    return connections > 1 ? "drop" : "keep";
  };
  /** Whether loss, and neither a window nor a queue, is what holds the rate down. */
  const looksLossy = (
    rate: number,
    sample: GrowthSample & { readonly rttMs: number },
  ): boolean => {
    const { rttMs, usualRttMs = rttMs, pendingBytes, connections } = sample;
    const isSettled = rate <= lastRate * SETTLED;
    const window = connections * CONNECTION_WINDOW_BYTES;
    return rate > 0 && mayTryBbr && !usesBbr && connections < max &&
      isSettled &&
      rttMs >= LONG_MS && rate * rttMs < window * LITTLE &&
      usualRttMs <= rttMs * QUEUE + QUEUE_MS &&
      pendingBytes > rate * BBR_WORTH_MS;
  };

  return {
    sample(now) {
      const { nowMs, receivedBytes, rttMs, connections, pendingBytes } = now;
      if (lastMs === undefined || receivedBytes < lastBytes) {
        lastMs = nowMs;
        lastBytes = receivedBytes;
        trial = undefined;
        return "keep";
      }
      const passedMs = nowMs - lastMs;
      if (passedMs < Math.max(SAMPLE_MS, (rttMs ?? 0) * 2)) return "keep";
      const rate = (receivedBytes - lastBytes) / passedMs; // bytes a ms
      lastMs = nowMs;
      lastBytes = receivedBytes;
      if (trial !== undefined) return judge(trial, rate, now);
      if (rttMs === undefined || nowMs < notBeforeMs) {
        lastRate = rate;
        return "keep";
      }
      const waitMs = Math.max(TRIAL_MS, rttMs * TRIAL_ROUND_TRIPS);
      const dueMs = nowMs + waitMs;
      const isLossy = looksLossy(rate, { ...now, rttMs });
      lastRate = rate;
      if (isLossy) {
        trial = { kind: "bbr", before: rate, dueMs };
        return "try-bbr";
      }
      if (connections >= max || pendingBytes < rate * WORTH_MS) return "keep";
      const window = connections * CONNECTION_WINDOW_BYTES;
      if (rate * rttMs < window * FULL) return "keep";
      trial = { kind: "more", before: rate, dueMs };
      return "add";
    },
  };
}
