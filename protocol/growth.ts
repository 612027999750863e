/**
 * How many connections a transfer needs.
 *
 * The platform fixes how much one connection may have on its way
 * ({@linkcode CONNECTION_WINDOW_BYTES}), so that on a long fast path one is not
 * enough, whatever its lanes. This asks for another when what is on its way
 * comes near to what the connections can have, and gives it up again when it
 * did not help.
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
  readonly connections: number;
  /** Bytes that are still to be sent. */
  readonly pendingBytes: number;
}

/** Decides about connections. */
export interface Growth {
  /** Takes a measurement, some a second; says what to do. */
  sample(now: GrowthSample): "add" | "drop" | "keep";
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

/** Creates a policy for at most `max` connections. */
export function createGrowth(max: number): Growth {
  let lastMs: number | undefined;
  let lastBytes = 0;
  let trial: { readonly before: number; readonly dueMs: number } | undefined;
  let notBeforeMs = 0;
  let pauseMs = PAUSE_MS;

  return {
    sample({ nowMs, receivedBytes, rttMs, connections, pendingBytes }) {
      if (lastMs === undefined || receivedBytes < lastBytes) {
        lastMs = nowMs;
        lastBytes = receivedBytes;
        trial = undefined;
        return "keep";
      }
      const passedMs = nowMs - lastMs;
      if (passedMs < SAMPLE_MS) return "keep";
      const rate = (receivedBytes - lastBytes) / passedMs; // bytes a ms
      lastMs = nowMs;
      lastBytes = receivedBytes;
      if (trial !== undefined) {
        if (rate >= trial.before * GAIN) {
          trial = undefined;
          pauseMs = PAUSE_MS;
        } else if (nowMs >= trial.dueMs) {
          trial = undefined;
          notBeforeMs = nowMs + pauseMs;
          pauseMs *= 2;
          return connections > 1 ? "drop" : "keep";
        } else return "keep";
      }
      if (rttMs === undefined || connections >= max) return "keep";
      if (nowMs < notBeforeMs || pendingBytes < rate * WORTH_MS) return "keep";
      const window = connections * CONNECTION_WINDOW_BYTES;
      if (rate * rttMs < window * FULL) return "keep";
      const waitMs = Math.max(TRIAL_MS, rttMs * TRIAL_ROUND_TRIPS);
      trial = { before: rate, dueMs: nowMs + waitMs };
      return "add";
    },
  };
}
