/**
 * Holds back what goes over all connections of a path where CUBIC decides;
 * `protocol/under_way.ts` says how much.
 *
 * What one connection has under way is bounded by itself, too, or those that are
 * slow would have all of it, and those that are fast nothing to send.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { createPacer, type Pacer, type RateLimiter } from "../core/rate.ts";
import {
  createRecent,
  createUnderWay,
  FIRST_UNDER_WAY_BYTES,
  LEAST_UNDER_WAY_BYTES,
  type UnderWayVerdict,
} from "../protocol/under_way.ts";
import type { Conn } from "../transport/transport.ts";
import { createPace, type Pace } from "./pace.ts";

/** What is known of a path. */
export interface PathKnown {
  /** Bytes that have arrived over each connection. */
  readonly arrived: (connection: number) => number;
  readonly rttMs: number;
  readonly lateRttMs: number;
}

/** The pace of a path. */
export interface PathPace {
  /** What holds back the lanes of a connection. */
  join(connection: number): RateLimiter;
  /** One is gone, with all that it had under way; it may join again. */
  leave(connection: number): void;
  /** Takes what is known now. */
  look(now: PathKnown): void;
  /** Bytes that were given and have not arrived, as far as is known. */
  readonly underWayBytes: number;
  /** True until it is known what the path carries. */
  readonly isStarting: boolean;
}

/**
 * What holds back a first connection: its own pace by BBR, that of the path by
 * CUBIC. TCP has the system's, and a rate that was asked for is a pace as well.
 */
export function pacesOf(
  { conn, tripMs }: { readonly conn: Conn; readonly tripMs: number },
  { congestion, limiter }: {
    readonly congestion: "auto" | "cubic" | "bbr";
    readonly limiter?: RateLimiter | undefined;
  },
  clock: Clock,
): { readonly pace: Pace | undefined; readonly path: PathPace | undefined } {
  if (conn.carrier === "tcp") return { pace: undefined, path: undefined };
  if (congestion === "bbr") return { pace: createPace(clock), path: undefined };
  const path = limiter ? undefined : createPathPace(clock, tripMs);
  return { pace: undefined, path };
}

/** Paths that are shorter have short queues, and are filled by what the processor can do; ms. */
const SHORT_MS = 30;
/** A connection may have as much more under way than it brought in a round trip. */
const OWN = 2.2;
const OWN_MS = 100;
/** When nothing arrives for so long, ms and round trips, what is under way is not counted any more. */
const STILL_MS = 2000;
const STILL_ROUND_TRIPS = 4;
/** Parts of what may be under way that are given at a time, bytes. */
const PIECES = 8;
const LEAST_PIECE_BYTES = 16 * 1024;
const MOST_PIECE_BYTES = 256 * 1024;

interface Member {
  readonly own: Pacer;
  /** Bytes that were given to it, and those that came. */
  taken: number;
  arrived: number;
  readonly recent: ReturnType<typeof createRecent>;
  /** What came in the last round trip, bytes. */
  came: number;
}

/** Creates the pace of a path of which no more is known than its first round trip. */
export function createPathPace(clock: Clock, tripMs: number): PathPace {
  const all = createPacer(clock);
  const members = new Map<number, Member>();
  let underWay = createUnderWay();
  let pieceBytes = LEAST_PIECE_BYTES;
  let arrivedBytes = 0;
  let arrivedAt = clock.now();
  let limits: UnderWayVerdict = {
    mostBytes: FIRST_UNDER_WAY_BYTES,
    rate: Infinity,
    isStarting: true,
  };
  let isShort = tripMs < SHORT_MS;

  const apply = (): void => {
    let under = 0;
    for (const { own, taken, arrived, came } of members.values()) {
      under += Math.max(0, taken - arrived);
      const alone = OWN * came + LEAST_UNDER_WAY_BYTES;
      own.setLimits(
        Infinity,
        isShort || members.size < 2
          ? Infinity
          : own.taken - Math.max(0, taken - arrived) + alone,
      );
    }
    const { rate, mostBytes } = limits;
    if (isShort) return all.setLimits(Infinity, Infinity);
    all.setLimits(rate, all.taken - under + mostBytes);
    const piece = mostBytes / PIECES;
    pieceBytes = Math.min(Math.max(piece, LEAST_PIECE_BYTES), MOST_PIECE_BYTES);
  };
  const forget = (member: Member): void => {
    member.taken = member.arrived;
  };

  if (!isShort) all.setLimits(limits.rate, limits.mostBytes);
  return {
    join(connection) {
      const own = createPacer(clock);
      if (members.size > 0) own.setLimits(Infinity, LEAST_UNDER_WAY_BYTES);
      const member = {
        own,
        taken: 0,
        arrived: 0,
        came: 0,
        recent: createRecent(),
      };
      members.set(connection, member);
      return {
        get pieceBytes() {
          return isShort ? Infinity : pieceBytes;
        },
        async take(bytes, signal) {
          await own.take(bytes, signal);
          await all.take(bytes, signal);
          member.taken += bytes;
        },
      };
    },
    get underWayBytes() {
      return members.values().reduce(
        (sum, { taken, arrived }) => sum + Math.max(0, taken - arrived),
        0,
      );
    },
    get isStarting() {
      return limits.isStarting;
    },
    leave(connection) {
      const member = members.get(connection);
      if (member !== undefined) forget(member);
      if (connection > 0) members.delete(connection);
    },
    look({ arrived, rttMs, lateRttMs }) {
      const nowMs = clock.now();
      for (const [connection, member] of members) {
        // What is said of it may be missing for a moment.
        const now = Math.max(member.arrived, arrived(connection));
        const more = now - member.arrived;
        if (more > 0) arrivedAt = nowMs;
        arrivedBytes += more;
        member.arrived = now;
        member.taken = Math.max(member.taken, now);
        const overMs = Math.max(OWN_MS, rttMs);
        member.came = member.recent(nowMs, now, overMs);
      }
      if (nowMs - arrivedAt > STILL_MS + rttMs * STILL_ROUND_TRIPS) {
        arrivedAt = nowMs;
        for (const member of members.values()) forget(member);
        underWay = createUnderWay();
      }
      isShort = rttMs < SHORT_MS;
      const connections = members.size;
      limits = underWay({
        ...{ nowMs, arrivedBytes, rttMs, lateRttMs, connections },
      });
      apply();
    },
  };
}
