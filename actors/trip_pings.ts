/**
 * Questions to the receiver, as many as it takes to know the round trip, and
 * what their answers say of it.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { createRoundTrips, type RoundTrips } from "../protocol/round_trips.ts";

/** Pings of one first connection. */
export interface TripPings {
  readonly trips: RoundTrips;
  /** Asks if it is time, where `rate` bytes a second arrive. */
  look(rate: number): void;
  /** Takes the answer to one. */
  pong(id: number): void;
}

/** How often the round trip is measured: so many times in one, within ms. */
const PINGS = 4;
const LEAST_PING_MS = 40;
const MOST_PING_MS = 250;
/** Where less comes than this, bytes a second, questions would be a good part of it. */
const SLOW_RATE = 256 * 1024;
/** Questions that wait for an answer at most: one may be lost on the way. */
const MAX_PINGS = 12;

/**
 * Creates the pings of a connection.
 *
 * @param firstMs A round trip that is known from the greeting.
 * @param ping Asks the receiver for an answer.
 */
export function createTripPings(
  clock: Clock,
  firstMs: number,
  ping: (id: number) => void,
): TripPings {
  const trips = createRoundTrips(firstMs);
  const sentAt = new Map<number, number>();
  let last = 0;
  let pingedAt = -Infinity;
  return {
    trips,
    look(rate) {
      const now = clock.now();
      const everyMs = rate < SLOW_RATE
        ? MOST_PING_MS
        : Math.max(trips.shortestMs / PINGS, LEAST_PING_MS);
      if (now - pingedAt < Math.min(everyMs, MOST_PING_MS)) return;
      if (sentAt.size >= MAX_PINGS) return;
      pingedAt = now;
      sentAt.set(++last, now);
      ping(last);
    },
    pong(id) {
      const at = sentAt.get(id);
      sentAt.delete(id);
      if (at === undefined) return;
      const now = clock.now();
      trips.add(now, now - at);
    },
  };
}
