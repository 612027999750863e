/**
 * What has come over each connection, by the receiver's word, and which of them
 * have stalled: they bring nothing any more, while others do.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { Arrived } from "../protocol/status.ts";

/** One that has stalled. */
export interface Stalled {
  readonly connection: number;
  /** For how long nothing has come over it, ms. */
  readonly stillMs: number;
  /** How long before this look was the one before it, ms. */
  readonly sinceLookMs: number;
}

/** Arrivals over the connections of one epoch. */
export interface Arrivals {
  /** Bytes that came over a connection; `undefined` when nothing was said of it. */
  bytesOf(connection: number): number | undefined;
  /** True when the receiver says of none what came over it. */
  readonly isEmpty: boolean;
  /** Takes what the receiver says, of connections that there are. */
  take(connections: readonly Arrived[]): void;
  forget(connection: number): void;
  /**
   * Those that have stalled by now; to be asked some times a second.
   *
   * @param isIdle True for one over which nothing can come, or that has nowhere
   * else to give what it has.
   */
  stalled(
    isIdle: (connection: number, bytes: number) => boolean,
  ): readonly Stalled[];
}

/** What has come over a connection, and when the last of it did. */
interface Arrival {
  readonly bytes: number;
  atMs: number;
}

/**
 * Creates what takes note of arrivals.
 *
 * @param limitMs How long one may bring nothing while others do, ms.
 */
export function createArrivals(clock: Clock, limitMs: () => number): Arrivals {
  const arrivals = new Map<number, Arrival>();
  let lookedAt = clock.now();
  let heardAt = clock.now(); // what the receiver says of all
  return {
    bytesOf: (connection) => arrivals.get(connection)?.bytes,
    get isEmpty() {
      return arrivals.size === 0;
    },
    take(connections) {
      const now = clock.now();
      if (now - heardAt >= limitMs() / 2) {
        // All of it was dark, and not all comes back in the same moment.
        for (const arrival of arrivals.values()) arrival.atMs = now;
      }
      heardAt = now;
      for (const { connection, bytes } of connections) {
        const before = arrivals.get(connection);
        if (before !== undefined && before.bytes === bytes) continue;
        arrivals.set(connection, { bytes, atMs: now });
      }
    },
    forget: (connection) => void arrivals.delete(connection),
    stalled(isIdle) {
      const now = clock.now();
      const sinceLookMs = Math.round(now - lookedAt);
      lookedAt = now;
      const limit = limitMs();
      const newestMs = arrivals.values()
        .reduce((newest, { atMs }) => Math.max(newest, atMs), -Infinity);
      const stalled: Stalled[] = [];
      for (const [connection, arrival] of arrivals) {
        if (isIdle(connection, arrival.bytes)) arrival.atMs = now;
        const stillMs = Math.round(now - arrival.atMs);
        if (stillMs <= limit || now - newestMs >= limit / 2) continue;
        if (now - heardAt >= limit / 2) continue; // all of it may be dark
        stalled.push({ connection, stillMs, sinceLookMs });
      }
      return stalled;
    },
  };
}
