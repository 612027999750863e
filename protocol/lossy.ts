/**
 * Whether it is loss that holds CUBIC down, and neither a window, nor a queue,
 * nor what is given to it.
 *
 * CUBIC doubles what it has on its way from ten packets on. Where some of a
 * hundred packets are lost it stays at about ten, or falls below, and that shows
 * within some round trips; where one of a thousand is, it takes longer to be
 * sure.
 *
 * @module
 */

/** What is seen of a path, besides what arrived. */
export interface LossSample {
  readonly nowMs: number;
  /** Bytes that the receiver has had over the network so far. */
  readonly receivedBytes: number;
  /** The shortest round trip of late, ms. */
  readonly rttMs: number;
  /** The shortest of the last second or so, ms: longer when there is a queue. */
  readonly usualRttMs: number;
  /** Connections that share the work. */
  readonly connections: number;
  /** Bytes that are still to be sent. */
  readonly pendingBytes: number;
  /** Bytes that were given to connections and have not arrived, as far as is known. */
  readonly underWayBytes: number;
  /** True while more is given the more arrives, so that nothing is settled. */
  readonly isStarting: boolean;
}

/** Takes what is seen, some times a second; says whether loss is what limits. */
export type LossSigns = (now: LossSample) => boolean;

/** Measurements closer than this are one, ms and round trips. */
const SAMPLE_MS = 500;
const SAMPLE_ROUND_TRIPS = 2;
/**
 * CUBIC keeps no more than this on its way where one of some thousand packets is
 * lost, whatever the path carries: 1.2 packets over the root of the loss, as
 * Mathis et al. have it (1997). Who shares a queue with others has more.
 */
const LOSSY_BYTES = 64 * 1024;
/** And less than it begins with, ten packets, where some of a hundred are. */
const VERY_LOSSY_BYTES = 14_720;
/** Round trips shorter than this are no long path, ms. */
const LONG_MS = 5;
/** The shortest of late may be as much longer than the shortest while there is no queue: share, at most ms, and ms. */
const QUEUE = 0.06;
const MOST_QUEUE_MS = 20;
const QUEUE_MS = 2;
/** Ten packets that made a queue of what is a round trip's worth would show as more than this share. */
const VERY_LOSSY_QUEUE = 0.3;
/** What is given and has not come in so many round trips and ms waits in a connection, which holds it back. */
const HELD_ROUND_TRIPS = 2;
const HELD_MS = 100;
/** So many more measurements must look so than not, half of each: a burst of losses is over sooner, and another's queue is short at times. */
const ENOUGH = 3;
/** What is very lossy counts as more. */
const VERY = 1.5;
/** A rate that grows by no more than this in a measurement has settled. */
const SETTLED = 1.25;
/** What is over sooner than this is not worth a trial of BBR, ms and round trips. */
const WORTH_MS = 2000;
const WORTH_ROUND_TRIPS = 10;

/** Creates what looks for signs of loss. */
export function createLossSigns(): LossSigns {
  let last: LossSample | undefined;
  let lastRate = 0;
  let signs = 0;

  /** How much a measurement speaks for loss; 0 or less when it does not. */
  const sign = (rate: number, now: LossSample): number => {
    const { rttMs, usualRttMs, connections, underWayBytes } = now;
    const isHeld = underWayBytes > rate * (rttMs * HELD_ROUND_TRIPS + HELD_MS);
    if (
      rate === 0 || !isHeld || rttMs < LONG_MS ||
      now.pendingBytes <= rate * (WORTH_MS + rttMs * WORTH_ROUND_TRIPS)
    ) return 0;
    const onTheWay = rate * rttMs / connections;
    const queueMs = usualRttMs - rttMs;
    // A start may be slow, but not slower than it begins, once there is something to send.
    const isBegun = (last?.underWayBytes ?? 0) > 2 * VERY_LOSSY_BYTES;
    if (now.isStarting && !isBegun) return 0;
    if (onTheWay < VERY_LOSSY_BYTES) {
      return queueMs <= rttMs * VERY_LOSSY_QUEUE + QUEUE_MS ? VERY : 0;
    }
    const isQueue = queueMs >
      Math.min(rttMs * QUEUE, MOST_QUEUE_MS) + QUEUE_MS;
    const isSettled = !now.isStarting && rate <= lastRate * SETTLED;
    return onTheWay < LOSSY_BYTES && isSettled && !isQueue ? 1 : 0;
  };

  return (now) => {
    if (last === undefined || now.receivedBytes < last.receivedBytes) {
      last = now;
      return false;
    }
    const passedMs = now.nowMs - last.nowMs;
    if (passedMs < Math.max(SAMPLE_MS, now.rttMs * SAMPLE_ROUND_TRIPS)) {
      return false;
    }
    const rate = (now.receivedBytes - last.receivedBytes) / passedMs;
    const speaks = sign(rate, now);
    signs = Math.max(0, signs + (speaks > 0 ? speaks : -0.5));
    last = now;
    lastRate = rate;
    if (signs < ENOUGH) return false;
    signs = 0;
    return true;
  };
}
