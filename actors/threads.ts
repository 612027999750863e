/**
 * How many threads there are for further connections.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import { late } from "../core/late.ts";
import type { LaneThreads } from "../workers/lane_threads.ts";

/** With fewer cores than this the two ends of a connection have them all. */
const MIN_CORES = 4;
/** More connections than this gain nothing. */
const MOST_AUTO = 4;
/** Further connections of a session. */
const MOST = 15;

/** The threads that `asked` stands for on this machine. */
export function threadsFor(
  asked: number | "auto",
  cores: number = navigator.hardwareConcurrency,
): number {
  if (asked === "auto") {
    return cores < MIN_CORES ? 0 : Math.min(MOST_AUTO, cores - 1);
  }
  if (!Number.isInteger(asked) || asked < 0 || asked > MOST) {
    throw new RangeError(
      `Cannot use threads as their number must be "auto" or an integer in 0..${MOST}: current value is ${asked}`,
    );
  }
  return asked;
}

/** What comes over TCP fills no more than these. */
const MOST_BULK = 3;

/**
 * Threads for what comes over TCP beside QUIC. On two cores the two ends take all
 * there is in any case: 730 to 1100 MiB/s were seen with and without.
 */
export function bulkThreadsFor(
  asked: number | "auto",
  cores: number = navigator.hardwareConcurrency,
): number {
  return Math.min(MOST_BULK, threadsFor(asked, cores));
}

/** Threads of a sender, and what they take is not loaded before the first is wanted. */
export function lateThreads(
  max: number,
  open: () => Promise<LaneThreads>,
): Pick<LaneThreads, "max" | "hasRoom" | "dialer" | "close"> {
  const threads = late(open);
  let isWanted = false;
  return {
    max,
    get hasRoom() {
      return threads.now?.hasRoom ?? true;
    },
    dialer: (peer) => ({
      async dial(signal) {
        isWanted = true;
        return (await threads.load()).dialer(peer).dial(signal);
      },
    }),
    async close() {
      if (isWanted) await (await threads.load()).close();
    },
  };
}

/** Loads what it takes to have threads; none is started yet. */
export async function openThreads(
  load: () => Promise<typeof import("../workers/lane_threads.ts")>,
  max: number,
  clock: Clock,
  spawn?: () => Worker,
): Promise<LaneThreads> {
  const { createLaneThreads } = await load();
  return createLaneThreads({ max, clock, ...(spawn && { spawn }) });
}
