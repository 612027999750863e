/**
 * The paces of the connections that go by BBR, each with round trips of its own.
 *
 * What is asked over another connection does not tell of the queue alone: where
 * loss has left CUBIC a window of some packets, a question waits for its turn.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { Conn } from "../transport/transport.ts";
import { createPace, type Pace } from "./pace.ts";
import { createTripPings, type TripPings } from "./trip_pings.ts";

/** What is known of a path. */
export interface PacesKnown {
  /** Bytes a second that arrive. */
  readonly rate: number;
  /** Bytes that have arrived over a connection. */
  readonly arrived: (connection: number) => number;
  /** How late a round trip may be to count, ms. */
  readonly lateMs: number;
}

/** The paces of one epoch. */
export interface Paces {
  readonly isEmpty: boolean;
  /** Takes the pace of the first connection, whose round trips are those of the path. */
  first(pace: Pace): void;
  /** Creates the pace of a further connection. */
  add(connection: number, conn: Pick<Conn, "datagrams">): Pace;
  /** One is gone, with all that it had under way; the first may have work again. */
  leave(connection: number): void;
  /** Has all follow what is known now. */
  look(known: PacesKnown): void;
}

/** What tells whether there is a queue where lost packets lengthen round trips: those of so long, ms. */
const LOSSY_MS = 2000;

/**
 * Creates paces of a path.
 *
 * @param path Pings of its first connection.
 * @param listen Has pings take what comes back.
 */
export function createPaces(
  clock: Clock,
  path: TripPings,
  listen: (pings: TripPings) => void,
): Paces {
  const paces = new Map<number, { pace: Pace; pings: TripPings }>();
  return {
    get isEmpty() {
      return paces.size === 0;
    },
    first(pace) {
      paces.set(0, { pace, pings: path });
    },
    add(connection, { datagrams }) {
      const pace = createPace(clock);
      const pings = createTripPings({
        clock,
        firstMs: path.trips.shortestMs,
        ping() {}, // the control stream is the first connection's
        datagrams,
      });
      listen(pings);
      paces.set(connection, { pace, pings });
      return pace;
    },
    leave(connection) {
      if (connection > 0) paces.delete(connection);
      else paces.get(connection)?.pace.leave();
    },
    look({ rate, arrived, lateMs }) {
      for (const [connection, { pace, pings }] of paces) {
        if (pings !== path) pings.look(rate);
        pace.look({
          arrivedBytes: arrived(connection),
          rttMs: path.trips.shortestMs,
          // The first question waits in the connection's own first window.
          lateRttMs: pings.isExact && pings.trips.isTelling
            ? pings.trips.lateMs(lateMs)
            : path.trips.lateMs(LOSSY_MS),
        });
      }
    },
  };
}
