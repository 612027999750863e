/**
 * All the ways to a receiver beside the first connection: the fleet, bulk over
 * TCP, threads, side ports, and what holds all of them back.
 *
 * None of it is of use before some round trips, so it is loaded for a transfer
 * that takes longer than that, and a scheduler does without for as long as it is
 * not there.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { Limiter } from "../core/events.ts";
import type { Log } from "../core/log.ts";
import type { RateLimiter } from "../core/rate.ts";
import type { BulkOptions } from "../protocol/bulk.ts";
import type { ControlFrame, PortCarrier } from "../protocol/control.ts";
import type { WireStatus } from "../protocol/status.ts";
import type { Conn } from "../transport/transport.ts";
import { isFarSend } from "../workers/far_conn.ts";
import { farSendLane } from "../workers/far_lane.ts";
import { pacesOf } from "./path_pace.ts";
import { BULK_LANES, createBulkLanes } from "./send_bulk.ts";
import { createDials, type DialsDeps, type SendThreads } from "./send_dials.ts";
import {
  type CongestionChoice,
  createFleet,
  type Fleet,
  type FleetDeps,
  type Joined,
  type PathSeen,
} from "./send_fleet.ts";
import type { SendRun } from "./send_run.ts";
import { createThreadLanes } from "./send_threads.ts";
import type { Wire } from "./send_wire.ts";

/** What the ways of a session need. */
export interface WaysDeps extends DialsDeps {
  /** How the first connection goes, and whether others may go otherwise. */
  readonly congestion: CongestionChoice;
  /** A rate that was asked for. */
  readonly limiter: RateLimiter | undefined;
  /** See {@linkcode FleetDeps.growth}. */
  readonly growth?: FleetDeps["growth"];
  /** When chunks go over TCP beside QUIC. @default {short paths only} */
  readonly bulk?: BulkOptions;
  readonly threads?: SendThreads | undefined;
  /** Has sockets hold what fast paths need. @default {they do} */
  readonly enlarge?: () => void;
}

/** The ways of a session. */
export interface Ways {
  /** See {@linkcode SideDials.early}. */
  early(conn: Conn, tripMs: number): number;
  /** Those that go with a wire. */
  open(wire: Wire, deps: OpenWaysDeps): OpenWays;
}

/** What the ways of one epoch need of the scheduler. */
export interface OpenWaysDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly say: (frame: ControlFrame) => void;
  /** Runs a task beside the actor; what comes of it is sent to the actor. */
  readonly spawn: FleetDeps["spawn"];
}

/** The ways of one epoch. */
export interface OpenWays {
  /** How full the path is, for who says what limits it. */
  readonly path: PathSeen;
  /** Bytes of the next lease; 0 while none should be given. */
  leaseBytes(pendingBytes: number): number;
  /** Takes the receiver's answer to a ping. */
  pong(id: number): void;
  /** Takes which side ports it has. */
  ports(carrier: PortCarrier, ports: readonly number[]): void;
  /** Takes what the receiver says of how much came over which. */
  status(frames: readonly WireStatus[]): void;
  /** Looks whether chunks should go over TCP, before any are given. */
  beforeLeases(run: SendRun): void;
  /** Looks whether more or fewer are called for; some times a second. */
  look(run: SendRun, limiter: Limiter | undefined): void;
  /** Puts a further connection to use. */
  joined(message: Joined, run: SendRun): void;
  /** One was lost: what it had goes again. */
  gone(connection: number, run: SendRun): void;
}

/** Bytes of a lease while a faster way is about to stand. */
const SHORT_LEASE_BYTES = 1024 * 1024;

/** Makes the ways of a session. */
export function createWays(deps: WaysDeps): Ways {
  const dials = createDials(deps);
  return {
    early: dials.side.early,
    open(wire, { clock, log, say, spawn }) {
      const { link } = wire;
      const ours = dials.of(link);
      const { pace, path } = pacesOf(link, deps, clock);
      deps.enlarge?.();
      wire.equip({
        pace: pace ?? path?.join(0),
        far: { isFarSend, farSendLane },
      });
      const mayBulk = deps.limiter === undefined && link.conn.carrier !== "tcp";
      const bulk = createBulkLanes(wire, {
        ...deps.bulk,
        dials: mayBulk ? ours.bulk : undefined,
        lanes: BULK_LANES,
        log,
        spawn,
      }, clock);
      const threads = deps.threads && createThreadLanes(
        wire,
        { ...deps.threads, dial: ours.thread },
        spawn,
        clock,
      );
      dials.side.begin({
        ...link,
        want: (carrier, count) => say({ type: "want-ports", carrier, count }),
      });
      const fleet = createFleet(wire, {
        ...(deps.growth && { growth: deps.growth }),
        log,
        connections: deps.connections,
        // A rate that was asked for looks like a path that carries no more.
        congestion: deps.limiter !== undefined && deps.congestion === "auto"
          ? "cubic"
          : deps.congestion,
        pace,
        path,
        threads: () => 1 + (threads?.count ?? 0),
        dialMore: ours.more,
        ping: (id) => say({ type: "ping", id }),
        spawn,
      }, clock);
      /** Whose a further connection is. */
      const holderOf = (connection: number): Pick<Fleet, "joined" | "gone"> =>
        [bulk, threads].find((it) => it?.isOurs(connection)) ?? fleet;
      return {
        get path() {
          return fleet.path;
        },
        leaseBytes(pendingBytes) {
          const bytes = fleet.leaseBytes(pendingBytes);
          const { leasesMeanwhile: most } = bulk;
          if (most === undefined) return bytes;
          return wire.leases >= most ? 0 : SHORT_LEASE_BYTES;
        },
        pong: fleet.pong,
        ports: dials.side.heard,
        status(frames) {
          for (const frame of frames) {
            if (frame.type === "arrived") fleet.arrived(frame.connections);
            if (frame.type !== "progress") continue;
            fleet.received(frame.receivedBytes);
            bulk.received(frame.receivedBytes);
          }
        },
        beforeLeases: (run) => bulk.look(run, fleet.rttMs),
        look(run, limiter) {
          fleet.look(run, bulk.isUsed);
          if (!bulk.isUsed) threads?.look(run, limiter);
        },
        joined: (message, run) =>
          holderOf(message.connection).joined(message, run),
        gone: (connection, run) => holderOf(connection).gone(connection, run),
      };
    },
  };
}
