/**
 * The sender's connections beyond the first: how many it takes to keep a long
 * fast path full, and what becomes of what was on its way when one is lost.
 *
 * @module
 */
import { unreachable } from "../core/actor.ts";
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import type { Pacer } from "../core/rate.ts";
import { createGrowth } from "../protocol/growth.ts";
import type { Conn } from "../transport/transport.ts";
import { createPace } from "./pace.ts";
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
  /** Holds back what goes by BBR. */
  readonly pacer: Pacer;
  /** Dials the receiver once more, for lanes of this session only. */
  readonly dialMore: (
    connection: number,
    congestion: "cubic" | "bbr",
    signal: AbortSignal,
  ) => Promise<Conn>;
  /** Asks the receiver for an answer. */
  readonly ping: (id: number) => void;
  /** Runs a task beside the actor; what comes of it is sent to the actor. */
  readonly spawn: (
    task: (signal: AbortSignal) => Promise<Joined | undefined>,
  ) => void;
}

/** The connections of one epoch. */
export interface Fleet {
  /** The shortest round trip of late, ms; `undefined` when none is known. */
  readonly rttMs: number | undefined;
  /** Takes the receiver's answer to a ping. */
  pong(id: number): void;
  /** Takes what the receiver has had over the network so far, bytes. */
  received(bytes: number): void;
  /**
   * Looks whether more or fewer connections are called for; some times a second.
   *
   * @param isResting True while chunks go otherwise: then nothing can be learnt.
   */
  look(run: SendRun, isResting: boolean): void;
  /** Puts a further connection to use. */
  joined(message: Joined): void;
  /** One was lost: what it had goes again. */
  gone(connection: number, run: SendRun): void;
}

/** What decides how fast to send: one of the platform's, or whichever does better. */
export type CongestionChoice = "auto" | "cubic" | "bbr";

/** How often the round trip is measured, ms. */
const PING_MS = 1000;
/** Round trips that are remembered: the shortest of them is the path's. */
const ROUND_TRIPS = 10;

/** Creates the fleet that goes with a wire. */
export function createFleet(
  wire: Wire,
  deps: FleetDeps,
  clock: Clock,
): Fleet {
  const growth = createGrowth({
    max: deps.connections,
    mayTryBbr: deps.congestion === "auto",
  });
  let congestion: "cubic" | "bbr" = deps.congestion === "bbr" ? "bbr" : "cubic";
  const pace = createPace(deps.pacer, clock);
  const sentAt = new Map<number, number>();
  const trips = [wire.link.tripMs];
  let pings = 0;
  let pingedAt = -Infinity;
  let numbers = 0;
  let isDialling = false;
  let receivedBytes = 0;

  const measure = (): void => {
    const now = clock.now();
    if (now - pingedAt < PING_MS || sentAt.size > 0) return;
    pingedAt = now;
    sentAt.set(++pings, now);
    deps.ping(pings);
  };
  const add = (kind: "cubic" | "bbr"): void => {
    if (isDialling) return;
    isDialling = true;
    const connection = ++numbers;
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
        isDialling = false;
      }
    });
  };
  const again = (connection: number, run: SendRun): void => {
    for (const work of wire.drop(connection)) run.again(work);
  };

  return {
    get rttMs() {
      return shortest(trips);
    },
    pong(id) {
      const at = sentAt.get(id);
      sentAt.delete(id);
      if (at === undefined) return;
      trips.push(clock.now() - at);
      if (trips.length > ROUND_TRIPS) trips.shift();
    },
    received(bytes) {
      receivedBytes = bytes;
      if (congestion === "bbr") pace(bytes);
    },
    look(run, isResting) {
      measure();
      wire.prune((work) => run.ledger.missing(work).length === 0);
      if (isResting) return;
      const verdict = growth.sample({
        nowMs: clock.now(),
        receivedBytes,
        rttMs: shortest(trips),
        usualRttMs: quartile(trips),
        connections: wire.connections,
        pendingBytes: run.ledger.totals.found - run.ledger.totals.durable,
      });
      const { newest } = wire;
      switch (verdict) {
        case "add":
          return add(congestion);
        case "try-bbr":
          return add("bbr");
        case "use-bbr":
          congestion = "bbr";
          if (newest === undefined) return;
          for (const work of wire.leaveAllBut(newest)) run.again(work);
          return;
        case "drop":
          if (newest !== undefined) again(newest, run);
          return;
        case "keep":
          return;
        default:
          unreachable(verdict);
      }
    },
    joined({ connection, conn }) {
      wire.join(connection, conn);
    },
    gone: again,
  };
}

function shortest(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.min(...values);
}

/**
 * What a quarter of `values` is below; `undefined` when there are none. Loss
 * makes many round trips long, a queue makes all of them so.
 */
function quartile(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[values.length >> 2];
}
