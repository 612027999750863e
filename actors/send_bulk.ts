/**
 * The sender's connections over TCP for bulk, beside the one by QUIC: when they
 * are opened, and what becomes of the chunks when it is not worth it or one is
 * lost.
 *
 * The first goes to the port that is known. Where the receiver has threads for
 * what comes over TCP, each at a port of its own, it gives them the chunks once
 * one of these stands, as one thread takes in less than the path carries.
 *
 * @module
 */
import { unreachable } from "../core/actor.ts";
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { inTime } from "../core/in_time.ts";
import { type Log, nullLog } from "../core/log.ts";
import type { HostAndPort } from "../protocol/address.ts";
import { type BulkOptions, createBulk, MOMENT_MS } from "../protocol/bulk.ts";
import { largeRoom } from "../store/large_pages.ts";
import type { Conn } from "../transport/transport.ts";
import type { Work } from "../protocol/outgoing.ts";
import { FAR_MS } from "./greeting.ts";
import type { Joined } from "./send_fleet.ts";
import type { SendRun } from "./send_run.ts";
import { unanswered } from "./side_dials.ts";
import type { Wire } from "./send_wire.ts";

/** What bulk needs. */
export interface BulkDeps extends BulkOptions {
  /** `undefined` when there is no way over TCP. */
  readonly dials: BulkDials | undefined;
  /** Lanes of the first connection. */
  readonly lanes: number;
  /** @default {nobody is told} */
  readonly log?: Log;
  /** Runs a task beside the actor; what comes of it is sent to the actor. */
  readonly spawn: (
    task: (signal: AbortSignal) => Promise<Joined | undefined>,
  ) => void;
}

/** Dials the receiver over TCP, for lanes of this session. */
export interface BulkDials {
  dial(connection: number, signal: AbortSignal): Promise<Conn>;
  /** Where the receiver has threads for it, `count` at most; none if it has none. */
  places(count: number, signal: AbortSignal): Promise<readonly HostAndPort[]>;
  dialAt(
    place: HostAndPort,
    connection: number,
    signal: AbortSignal,
  ): Promise<Conn>;
}

/** The connections for bulk of one epoch. */
export interface BulkLanes {
  /** True while all chunks go over it. */
  readonly isUsed: boolean;
  /** How many leases other lanes may have while it is about to stand; `undefined` at other times. */
  readonly leasesMeanwhile: number | undefined;
  /** Tells whether a connection is ours. */
  isOurs(connection: number): boolean;
  /** Takes what the receiver has had over the network so far, bytes. */
  received(bytes: number): void;
  /** Looks whether it is called for; some times a second. */
  look(run: SendRun, rttMs: number | undefined): void;
  /** Puts it to use. */
  joined(message: Joined, run: SendRun): void;
  /** It was lost: what it had goes again. */
  gone(connection: number, run: SendRun): void;
}

/** Numbers of connections from here on are ours. */
const FIRST = 1024;
/**
 * Leases of other lanes while it is about to stand; at first and near by there
 * are none: all entries after them wait for them, and they take longer by QUIC
 * than TCP takes to stand, as both ends have all hands full.
 */
const FEW_LEASES = 4;
/** A dial that takes longer is given up, ms and round trips: it is tried again. */
const DIAL_MS = 2000;
const DIAL_ROUND_TRIPS = 20;
/** More lanes than this bring nothing over TCP: the kernel has the windows. */
export const BULK_LANES = 3;
/** Threads of the receiver at most, and lanes to each: it reads one while another is written. */
const MAX_PLACES = 3;
export const PLACE_LANES = 2;

/** Creates the bulk lanes that go with a wire. */
export function createBulkLanes(
  wire: Wire,
  deps: BulkDeps,
  clock: Clock,
): BulkLanes {
  const { dials, lanes, spawn, log = nullLog } = deps;
  const bulk = createBulk(deps);
  const there = new Set<number>();
  const placed = new Set<number>(); // of them and to come: to threads
  let retiring: readonly number[] = []; // finish what they have
  let last = FIRST - 1;
  let ended = last; // connections up to this are of tries that are over
  let tries = 0;
  let isBarred = false; // threads were tried, and one was lost
  let receivedBytes = 0;

  /** Dials; what is lost by then, or of another try, is closed when it joins. */
  const dialFor = (
    connection: number,
    dial: (signal: AbortSignal) => Promise<Conn>,
    failed: () => void,
  ): void =>
    spawn(async (signal) => {
      try {
        const ms = DIAL_MS + DIAL_ROUND_TRIPS * wire.link.tripMs;
        const conn = await inTime(
          { clock, ms, signal, late: unanswered },
          dial,
        );
        return { type: "joined", epoch: wire.epoch, connection, conn };
      } catch (error) {
        // The transfer goes on over what it has.
        if (!(error instanceof SftpxError) && !signal.aborted) throw error;
        if (!signal.aborted) {
          log.event("bulk.failed", { connection, error: String(error) });
        }
        failed();
        return undefined;
      }
    });
  /** The first one near by has what goes before it to itself. */
  const holdsAll = (): boolean => tries === 1 && wire.link.tripMs < FAR_MS;
  const open = (to: BulkDials): void => {
    const mine = ++tries;
    const connection = ++last;
    dialFor(connection, (signal) => to.dial(connection, signal), () => {
      if (mine === tries) bulk.failed(clock.now());
    });
    if (holdsAll()) {
      // Others may have nothing to do that would have them looked at.
      spawn(async (signal) => {
        await clock.delay(MOMENT_MS + 1, signal).catch(() => {});
        return undefined;
      });
    }
    if (isBarred) return;
    spawn(async (signal) => {
      for (const place of await to.places(MAX_PLACES, signal)) {
        if (mine !== tries) break;
        const connection = ++last;
        placed.add(connection);
        dialFor(
          connection,
          (signal) => to.dialAt(place, connection, signal),
          () => isBarred = true,
        );
      }
      return undefined;
    });
  };
  /** Those that are to have the chunks: threads, if there are any. */
  const goesOn = (connection: number): boolean =>
    there.has(connection) &&
    (placed.has(connection) || ![...there].some((it) => placed.has(it)));
  /** Ends connections, one by one; what each gives back goes again. */
  const end = (
    connections: Iterable<number>,
    by: (connection: number) => readonly Work[],
    run: SendRun,
  ): void => {
    for (const connection of connections) {
      for (const work of by(connection)) run.again(work);
    }
  };
  /** Leaves them all: they finish what they have, or lose it. */
  const leave = (how: "retire" | "drop", run: SendRun): void => {
    tries++;
    ended = last;
    end(there, wire[how], run);
    if (how === "drop") end(retiring, wire.drop, run);
    retiring = how === "retire" ? [...retiring, ...there] : [];
    there.clear();
    placed.clear();
    wire.wake();
  };

  return {
    get isUsed() {
      return there.size > 0 && bulk.isUsed;
    },
    get leasesMeanwhile() {
      if (!bulk.holdsBack(clock.now())) return undefined;
      return holdsAll() ? 0 : FEW_LEASES;
    },
    isOurs: (connection) => connection >= FIRST,
    received(bytes) {
      receivedBytes = bytes;
    },
    look(run, rttMs) {
      if (dials === undefined) return;
      // Near, it is known in a moment whether any of it is wanted.
      const isWanted = run.plan.pendingBytes > 0 || wire.leases > 0;
      const isNear = wire.link.tripMs < FAR_MS;
      if (isNear && !isWanted && there.size === 0) return;
      const { found, durable } = run.ledger.totals;
      const verdict = bulk.sample({
        nowMs: clock.now(),
        receivedBytes,
        rttMs,
        pendingBytes: found - durable,
        isAlone: there.size > 0 && wire.isResting,
      });
      switch (verdict) {
        case "keep":
          return;
        case "try":
          return open(dials);
        case "retire":
        case "back":
          log.event("bulk.left", { how: verdict });
          return leave(verdict === "back" ? "drop" : verdict, run);
        default:
          unreachable(verdict);
      }
    },
    joined({ connection, conn }, run) {
      const isPlaced = placed.has(connection);
      if (connection <= ended) return conn.close();
      if (there.size === 0) bulk.joined();
      there.add(connection);
      wire.join(connection, conn, {
        lanes: isPlaced ? PLACE_LANES : lanes,
        room: largeRoom,
      });
      for (const work of wire.restAllBut(goesOn)) run.again(work);
    },
    gone(connection, run) {
      // One that retired was to finish what it had.
      if (!there.has(connection)) return end([connection], wire.drop, run);
      if (placed.has(connection)) isBarred = true;
      bulk.lost(clock.now());
      leave("drop", run);
    },
  };
}
