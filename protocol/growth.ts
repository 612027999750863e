/**
 * How many connections a transfer needs, and of which kind.
 *
 * The platform fixes how much one connection may have on its way
 * ({@linkcode CONNECTION_WINDOW_BYTES}), so that on a long fast path one is not
 * enough, whatever its lanes. This asks for another when what is on its way
 * comes near to what the connections can have, and gives it up again when it
 * did not help.
 *
 * Where the round trip is long it asks for some at once: each begins with a few
 * packets and doubles them every round trip, so that several are done sooner.
 *
 * Loss that comes without a queue, as on radio links, holds CUBIC down to a
 * small part of what the path carries. When little is on its way although much
 * is to be sent, and no queue shows in the round trips, a connection that goes
 * by BBR competes for the work, and stays only if it clearly wins: BBR as the
 * platform has it fills queues, and is no guest for a path that CUBIC fills too.
 *
 * @module
 */
import { createLossSigns } from "./lossy.ts";

/** Bytes that one connection may have on its way: quinn's send window. */
export const CONNECTION_WINDOW_BYTES = 10_000_000;

/** What is measured now. */
export interface GrowthSample {
  readonly nowMs: number;
  /** Bytes that the receiver has had over the network so far. */
  readonly receivedBytes: number;
  /** Of them over the newest further connection; `undefined` when the receiver does not say. */
  readonly newestBytes?: number | undefined;
  /** The shortest round trip of late, ms; `undefined` when none is known. */
  readonly rttMs: number | undefined;
  /** The shortest of the last second or so, ms: longer when there is a queue. */
  readonly usualRttMs: number | undefined;
  /** Connections that carry lanes. */
  readonly connections: number;
  /** Connections that are being dialled. */
  readonly dialling: number;
  /** Bytes that are still to be sent. */
  readonly pendingBytes: number;
  /** Bytes that were given to connections and have not arrived, as far as is known. @default {more than the path has} */
  readonly underWayBytes?: number;
  /** True while more is given the more arrives, so that nothing is settled. @default {false} */
  readonly isStarting?: boolean;
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
/** And while BBR shows what it can do, which is much or nothing. */
const BBR_SAMPLE_MS = 500;
/** A share of the windows that is in use when they are what limits. */
const FULL = 0.7;
/** A further connection must make the transfer this much faster to stay. */
const GAIN = 1.1;
/** How long one may take to show what it can do: slow start, in round trips and ms. */
const TRIAL_ROUND_TRIPS = 12;
const TRIAL_MS = 2000;
/** How long it may take to come, ms. */
const DIAL_MS = 12_000;
/** After one that did not help, no other is tried for this long, ms; then twice as long. */
const PAUSE_MS = 10_000;
/** What is over sooner than this needs no more connections, ms. */
const WORTH_MS = 2000;

/** For every so many ms of a round trip there is one more connection from the beginning. */
const EARLY_MS = 150;
/** Less than this is over before they are there, bytes. */
const EARLY_BYTES = 16 * 1024 * 1024;
/** Those that use less than this share of the windows are too many, when so many measurements say so. */
const IDLE = 0.3;
const IDLE_SAMPLES = 5;

/** A rate that grows by no more than this in a measurement has settled. */
const SETTLED = 1.25;
/** What makes one packet arrive may be chance; a rate below this counts as this, bytes a ms. */
const LEAST_RATE = 8;
/** BBR must make the transfer as much faster, and bring as much more than the others. */
const WIN = 2;
interface Trial {
  readonly kind: "more" | "bbr";
  /** The rate before it, bytes a ms. */
  readonly before: number;
  /** Connections before it. */
  readonly connections: number;
  readonly askedMs: number;
  /** When it must have shown what it can do; `undefined` until it is there. */
  dueMs?: number;
}

/** What came between two measurements. */
interface Measured {
  /** Bytes a ms. */
  readonly rate: number;
  /** Of it, over the newest; `undefined` when that is not known. */
  readonly newestRate: number | undefined;
}

/** Connections that a round trip of so many ms calls for, before anything can be measured. */
export function connectionsFor(rttMs: number, max: number): number {
  return Math.min(max, 1 + Math.floor(rttMs / EARLY_MS));
}

/** Creates a policy. */
export function createGrowth({ max, mayTryBbr }: GrowthOptions): Growth {
  let usesBbr = false;
  let lastRate = 0;
  let last: GrowthSample | undefined;
  let trial: Trial | undefined;
  let notBeforeMs = 0;
  let pauseMs = PAUSE_MS;
  let idle = 0;
  let asked = 0;
  const isLossy = createLossSigns();

  const failed = (nowMs: number): void => {
    trial = undefined;
    notBeforeMs = nowMs + pauseMs;
    pauseMs *= 2;
  };
  const judge = (
    trial: Trial,
    measured: Measured,
    now: GrowthSample,
  ): GrowthVerdict => {
    if (now.connections <= trial.connections) {
      if (now.nowMs - trial.askedMs >= DIAL_MS) failed(now.nowMs);
      return "keep";
    }
    if (trial.dueMs === undefined) {
      const { rttMs = 0 } = now;
      trial.dueMs = now.nowMs +
        Math.max(TRIAL_MS, rttMs * TRIAL_ROUND_TRIPS);
      return "keep"; // what was measured began before it was there
    }
    if (hasWon(trial, measured)) return won(trial);
    if (now.nowMs < trial.dueMs) return "keep";
    failed(now.nowMs);
    return "drop";
  };
  const won = ({ kind }: Trial): GrowthVerdict => {
    trial = undefined;
    pauseMs = PAUSE_MS;
    if (kind === "more") return "keep";
    usesBbr = true;
    return "use-bbr";
  };
  /** Whether BBR may show what it can do. */
  const mayTry = (now: GrowthSample): boolean => {
    const { rttMs, usualRttMs = rttMs, underWayBytes = Infinity } = now;
    if (
      !mayTryBbr || usesBbr || trial !== undefined || rttMs === undefined ||
      usualRttMs === undefined || now.nowMs < notBeforeMs ||
      now.connections >= max
    ) return false;
    const { isStarting = false } = now;
    return isLossy({ ...now, rttMs, usualRttMs, underWayBytes, isStarting });
  };
  /** Those that a long round trip calls for, before anything can be measured. */
  const isEarly = (
    { rttMs = 0, connections, dialling, pendingBytes }: GrowthSample,
  ): boolean => {
    const wanted = connectionsFor(rttMs, max);
    return asked + 1 < wanted && connections + dialling < wanted &&
      pendingBytes > EARLY_BYTES;
  };
  const isTooMany = (
    rate: number,
    { rttMs = 0, connections }: GrowthSample,
  ): boolean => {
    const others = (connections - 1) * CONNECTION_WINDOW_BYTES;
    const isIdle = rate > 0 && rate <= lastRate * SETTLED &&
      rate >= lastRate / SETTLED && rate * rttMs < others * IDLE;
    idle = isIdle ? idle + 1 : 0;
    return idle >= IDLE_SAMPLES;
  };

  return {
    sample(now) {
      const { nowMs, receivedBytes, rttMs, connections, pendingBytes } = now;
      if (isEarly(now)) {
        asked++;
        return "add";
      }
      if (last === undefined || receivedBytes < last.receivedBytes) {
        last = now;
        trial = undefined;
        return "keep";
      }
      if (mayTry(now)) {
        const before = nowMs - last.nowMs < BBR_SAMPLE_MS
          ? lastRate
          : between(last, now).rate;
        last = now;
        trial = { kind: "bbr", before, connections, askedMs: nowMs };
        return "try-bbr";
      }
      const passedMs = nowMs - last.nowMs;
      const sampleMs = trial?.kind === "bbr" ? BBR_SAMPLE_MS : SAMPLE_MS;
      if (passedMs < Math.max(sampleMs, (rttMs ?? 0) * 2)) return "keep";
      const measured = between(last, now);
      const { rate } = measured;
      last = now;
      if (trial !== undefined) return judge(trial, measured, now);
      if (rttMs === undefined || nowMs < notBeforeMs) {
        lastRate = rate;
        return "keep";
      }
      const tooMany = isTooMany(rate, now);
      lastRate = rate;
      if (tooMany && connections > 1) {
        idle = 0;
        return "drop";
      }
      if (connections >= max || pendingBytes < rate * WORTH_MS) return "keep";
      const window = connections * CONNECTION_WINDOW_BYTES;
      if (rate * rttMs < window * FULL) return "keep";
      trial = { kind: "more", before: rate, connections, askedMs: nowMs };
      return "add";
    },
  };
}

function between(from: GrowthSample, to: GrowthSample): Measured {
  const passedMs = to.nowMs - from.nowMs;
  const { newestBytes } = to;
  const before = from.connections === to.connections ? from.newestBytes : 0;
  return {
    rate: (to.receivedBytes - from.receivedBytes) / passedMs,
    newestRate: newestBytes === undefined
      ? undefined
      : Math.max(0, newestBytes - (before ?? 0)) / passedMs,
  };
}

function hasWon(
  { kind, before }: Trial,
  { rate, newestRate = rate }: Measured,
): boolean {
  if (kind === "more") return rate >= before * GAIN;
  const others = rate - newestRate;
  return newestRate >= Math.max(before, others, LEAST_RATE) * WIN;
}
