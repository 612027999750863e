/**
 * Questions to the receiver, as many as it takes to know the round trip, what
 * their answers say of it, and the receiver's side of it.
 *
 * Where there are datagrams they are asked by these: on a stream an answer waits
 * for what was lost before it, and looks as if it had come through a queue. Until
 * the first comes back they are asked on the control stream as well, as a
 * receiver need not answer them.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { decodeProbe, encodeProbe } from "../protocol/probe.ts";
import { createRoundTrips, type RoundTrips } from "../protocol/round_trips.ts";
import type { Datagrams } from "../transport/transport.ts";

/** What pings need. */
export interface TripPingsDeps {
  readonly clock: Clock;
  /** A round trip that is known from the greeting, ms. */
  readonly firstMs: number;
  /** Asks the receiver for an answer on the control stream. */
  readonly ping: (id: number) => void;
  /** Those of the connection. */
  readonly datagrams: Datagrams | undefined;
}

/** Pings of one first connection. */
export interface TripPings {
  readonly trips: RoundTrips;
  /** True once round trips are those of datagrams, which loss does not lengthen. */
  readonly isExact: boolean;
  /** Asks if it is time, where `rate` bytes a second arrive. */
  look(rate: number): void;
  /** Takes the answer to one that was asked on the control stream. */
  pong(id: number): void;
  /** Takes the answers that come in datagrams until the connection is gone. */
  listen(): Promise<void>;
}

/** How often the round trip is measured: so many times in one, within ms. */
const PINGS = 4;
const LEAST_PING_MS = 40;
const MOST_PING_MS = 250;
/** Where less comes than this, bytes a second, questions would be a good part of it. */
const SLOW_RATE = 256 * 1024;
/** Questions on the control stream that wait for an answer at most. */
const MAX_PINGS = 12;
/** Datagrams whose answer is looked for: those before are lost. */
const MAX_PROBES = 64;

/**
 * Answers what is asked in datagrams until the connection is gone; nothing else
 * is answered.
 *
 * @param heard Told of each question: the path is there.
 */
export async function answerProbes(
  { send, receive }: Datagrams,
  heard: () => void,
): Promise<void> {
  for (;;) {
    const bytes = await receive();
    if (bytes === undefined) return;
    const probe = decodeProbe(bytes);
    if (probe?.kind !== "question") continue;
    heard();
    await send(encodeProbe({ kind: "answer", id: probe.id }));
  }
}

/** Creates the pings of a connection. */
export function createTripPings(
  { clock, firstMs, ping, datagrams }: TripPingsDeps,
): TripPings {
  const trips = createRoundTrips(firstMs);
  const pinged = new Map<number, number>();
  const probed = new Map<number, number>();
  let last = 0;
  let askedAt = -Infinity;
  let isSending = false;
  let isExact = false;

  const answered = (asked: Map<number, number>, id: number): boolean => {
    const at = asked.get(id);
    if (at === undefined) return false;
    asked.delete(id);
    const now = clock.now();
    trips.add(now, now - at);
    return true;
  };
  const probe = async (by: Datagrams, id: number): Promise<void> => {
    isSending = true;
    try {
      await by.send(encodeProbe({ kind: "question", id }));
    } catch (error) { // this path has none, or is gone: the others tell
      if (!(error instanceof SftpxError)) throw error;
    } finally {
      isSending = false;
    }
  };

  return {
    trips,
    get isExact() {
      return isExact;
    },
    look(rate) {
      const now = clock.now();
      const everyMs = rate < SLOW_RATE
        ? MOST_PING_MS
        : Math.max(trips.shortestMs / PINGS, LEAST_PING_MS);
      if (now - askedAt < Math.min(everyMs, MOST_PING_MS)) return;
      askedAt = now;
      const id = ++last;
      if (datagrams !== undefined && !isSending) {
        const [oldest] = probed.keys();
        if (oldest !== undefined && probed.size === MAX_PROBES) {
          probed.delete(oldest);
        }
        probed.set(id, now);
        probe(datagrams, id);
      }
      if (isExact || pinged.size === MAX_PINGS) return;
      pinged.set(id, now);
      ping(id);
    },
    pong(id) {
      answered(pinged, id);
    },
    async listen() {
      for (;;) {
        const bytes = await datagrams?.receive();
        if (bytes === undefined) return;
        const answer = decodeProbe(bytes);
        if (answer?.kind !== "answer") continue;
        if (answered(probed, answer.id)) isExact = true;
      }
    },
  };
}
