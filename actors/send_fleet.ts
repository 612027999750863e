/**
 * The sender's connections beyond the first: how many it takes to keep a long
 * fast path full, and what becomes of what was on its way when one is lost.
 *
 * @module
 */
import { unreachable } from "../core/actor.ts";
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import type { SenderSeen } from "../core/limiter.ts";
import type { Log } from "../core/log.ts";
import { createMeter } from "../core/rate.ts";
import {
  CONNECTION_WINDOW_BYTES,
  createGrowth,
  type GrowthSample,
} from "../protocol/growth.ts";
import { leaseBytes } from "../protocol/lease_size.ts";
import type { Arrived } from "../protocol/status.ts";
import type { Conn } from "../transport/transport.ts";
import { createArrivals } from "./arrivals.ts";
import { untilAborted } from "./frames.ts";
import type { Pace } from "./pace.ts";
import { createPaces } from "./paces.ts";
import type { PathPace } from "./path_pace.ts";
import { createTripPings, type TripPings } from "./trip_pings.ts";
import type { SendRun } from "./send_run.ts";
import type { Wire } from "./send_wire.ts";

/** A further connection that the receiver has let in. */
export interface Joined {
  readonly type: "joined";
  readonly epoch: number;
  readonly connection: number;
  readonly conn: Conn;
}

/** What a fleet needs. */
export interface FleetDeps {
  /** Connections at most, the first one included. */
  readonly connections: number;
  /** How the first connection goes, and whether others may go otherwise. */
  readonly congestion: CongestionChoice;
  /** Holds back the first connection, where that goes by BBR. */
  readonly pace: Pace | undefined;
  /** Holds back all that go by CUBIC. */
  readonly path: PathPace | undefined;
  /** Threads that carry connections. @default {1} */
  readonly threads?: () => number;
  /** Dials the receiver once more, for lanes of this session only. */
  readonly dialMore: (
    connection: number,
    congestion: "cubic" | "bbr",
    signal: AbortSignal,
  ) => Promise<Conn>;
  /** Decides how many there are. @default {createGrowth} */
  readonly growth?: typeof createGrowth;
  readonly log: Log;
  /** Asks the receiver for an answer. */
  readonly ping: (id: number) => void;
  /** Runs a task beside the actor; what comes of it is sent to the actor. */
  readonly spawn: (
    task: (signal: AbortSignal) => Promise<Joined | undefined>,
  ) => void;
}

/** The connections of one epoch. */
export interface Fleet {
  /** The shortest round trip of late, ms. */
  readonly rttMs: number;
  /** Takes the receiver's answer to a ping. */
  pong(id: number): void;
  /** How full the path is, for who says what limits it. */
  readonly path: PathSeen;
  /** Bytes of a lease when so many are left to be given: what goes in a moment. */
  leaseBytes(leftBytes: number): number;
  /** Takes what the receiver has had over the network so far, bytes. */
  received(bytes: number): void;
  /** Takes what of it came over each connection. */
  arrived(connections: readonly Arrived[]): void;
  /**
   * Looks whether more or fewer connections are called for; some times a second.
   *
   * @param isResting True while chunks go otherwise: then nothing can be learnt.
   */
  look(run: SendRun, isResting: boolean): void;
  /** Puts a further connection to use. */
  joined(message: Joined, run: SendRun): void;
  /** One was lost: what it had goes again. */
  gone(connection: number, run: SendRun): void;
}

/** What is seen of a path. */
export type PathSeen = Pick<
  SenderSeen,
  "underWayBytes" | "windowBytes" | "isLossy" | "threads"
>;

/** What decides how fast to send: one of the platform's, or whichever does better. */
export type CongestionChoice = "auto" | "cubic" | "bbr";

/** What arrives a second is measured over so long, ms. */
const METER_MS = 2000;
/** What a round trip usually is: the shortest of so long, ms. */
const USUAL_MS = 2000;
/** And what it is now: of so long, ms and part of one. */
const LATE_MS = 100;
const LATE = 0.6;
/** A connection that brings nothing for as long while others do has stalled, ms and round trips. */
const STALLED_MS = 1500;
const STALLED_ROUND_TRIPS = 4;

/** Creates the fleet that goes with a wire. */
export function createFleet(
  wire: Wire,
  deps: FleetDeps,
  clock: Clock,
): Fleet {
  const { log } = deps;
  const growth = (deps.growth ?? createGrowth)({
    max: deps.connections,
    mayTryBbr: deps.congestion === "auto",
  });
  let congestion: "cubic" | "bbr" = deps.congestion === "bbr" ? "bbr" : "cubic";
  const kinds = new Map<number, "cubic" | "bbr">();
  const { link } = wire;
  const pings = createTripPings({
    clock,
    firstMs: link.tripMs,
    ping: deps.ping,
    datagrams: link.conn.datagrams,
  });
  const { trips } = pings;
  const listen = (to: TripPings): void =>
    deps.spawn((signal) =>
      untilAborted(to.listen(), signal).then(() => undefined)
    );
  listen(pings);
  const paces = createPaces(clock, pings, listen);
  if (deps.pace !== undefined) paces.first(deps.pace);
  // The second one of the greeting is there by then.
  link.accepted.then(() => trips.add(clock.now(), link.tripMs), () => {});
  const shortest = (): number => trips.shortestMs;
  const arrivals = createArrivals(
    clock,
    () => Math.max(STALLED_MS, shortest() * STALLED_ROUND_TRIPS),
  );
  let numbers = 0;
  let dialling = 0;
  let receivedBytes = 0;
  const meter = createMeter(clock, METER_MS);

  const add = (kind: "cubic" | "bbr"): void => {
    dialling++;
    const connection = ++numbers;
    kinds.set(connection, kind);
    deps.spawn(async (signal) => {
      try {
        const conn = await deps.dialMore(connection, kind, signal);
        const { epoch } = wire;
        return { type: "joined", epoch, connection, conn };
      } catch (error) {
        // The transfer goes on over what it has.
        if (error instanceof SftpxError || signal.aborted) return undefined;
        throw error;
      } finally {
        dialling--;
      }
    });
  };
  const forget = (connection: number): void => {
    paces.leave(connection);
    deps.path?.leave(connection);
    kinds.delete(connection);
    arrivals.forget(connection);
  };
  const again = (connection: number, run: SendRun): void => {
    for (const work of wire.drop(connection)) run.again(work);
    forget(connection);
  };
  const keepPace = (): void => {
    const lateMs = Math.max(LATE_MS, shortest() * LATE);
    // One that does not say which brought what, brought all of it over this.
    const arrived = (connection: number): number =>
      arrivals.bytesOf(connection) ?? (arrivals.isEmpty ? receivedBytes : 0);
    paces.look({ rate: meter.rate(), arrived, lateMs });
    deps.path?.look({
      arrived,
      rttMs: shortest(),
      lateRttMs: trips.lateMs(lateMs),
    });
  };
  /** What a connection had that brings nothing any more goes over the others. */
  const dropStalled = (run: SendRun, isResting: boolean): void => {
    // A further one that has all of the work can give it to the first.
    const isAlone = wire.connections < 2;
    const stalled = arrivals.stalled((connection, bytes) =>
      isResting || (connection === 0 && isAlone) ||
      !wire.isBusy(connection, bytes)
    );
    for (const one of stalled) {
      log.event("connection.stalled", { ...one });
      again(one.connection, run);
    }
  };

  return {
    get path() {
      return {
        underWayBytes: meter.rate() / 1000 * shortest(),
        windowBytes: wire.connections * CONNECTION_WINDOW_BYTES,
        isLossy: !paces.isEmpty,
        threads: deps.threads?.() ?? 1,
      };
    },
    leaseBytes: (leftBytes) => leaseBytes(meter.rate(), leftBytes),
    get rttMs() {
      return shortest();
    },
    pong: pings.pong,
    received(bytes) {
      meter.add(Math.max(0, bytes - receivedBytes));
      receivedBytes = bytes;
    },
    arrived(connections) {
      arrivals.take(connections.filter((one) => wire.has(one.connection)));
      pings.look(meter.rate());
      keepPace();
    },
    look(run, isResting) {
      pings.look(meter.rate());
      keepPace();
      wire.prune((work) => !run.ledger.isMissing(work));
      dropStalled(run, isResting);
      if (isResting) return;
      const { newest } = wire;
      const seen = (): GrowthSample => ({
        nowMs: clock.now(),
        receivedBytes,
        newestBytes: newest === undefined
          ? undefined
          : arrivals.bytesOf(newest),
        rttMs: shortest(),
        usualRttMs: trips.lateMs(USUAL_MS),
        connections: wire.grown,
        dialling,
        ...(deps.path && { underWayBytes: deps.path.underWayBytes }),
        isStarting: deps.path?.isStarting ?? false,
        pendingBytes: run.ledger.totals.found - run.ledger.totals.durable,
      });
      let verdict = growth.sample(seen());
      while (verdict === "add") { // over a long path, several at once
        add(congestion);
        verdict = growth.sample(seen());
      }
      if (verdict !== "keep") {
        log.event("connection.growth", {
          verdict,
          connections: wire.grown,
          rttMs: Math.round(shortest()),
        });
      }
      switch (verdict) {
        case "try-bbr":
          return add("bbr");
        case "use-bbr":
          congestion = "bbr";
          if (newest === undefined) return;
          for (const work of wire.leaveAllBut(newest)) run.again(work);
          return;
        case "drop":
          // It may have brought most of what it was given, and brings the rest.
          if (newest === undefined) return;
          for (const work of wire.retire(newest)) run.again(work);
          return;
        case "keep":
          return;
        default:
          unreachable(verdict);
      }
    },
    joined({ connection, conn }, run) {
      const isPaced = conn.carrier !== "tcp";
      const pace = kinds.get(connection) === "bbr" && isPaced
        ? paces.add(connection, conn)
        : undefined;
      // A contest takes something to contest for, and the others may have it all.
      const isContest = congestion === "cubic" && pace !== undefined;
      if (isContest) { for (const work of wire.yield()) run.again(work); }
      const limiter = pace ??
        (isPaced ? deps.path?.join(connection) : undefined);
      wire.join(connection, conn, { limiter });
    },
    gone: again,
  };
}
