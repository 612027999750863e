/**
 * Everything of one connection at the sender: the manifest stream it writes, the
 * status stream it reads, the control stream, and the lanes.
 *
 * A wire never judges the loss of its connection; the connection actor does.
 * What was leased to lanes that are lost is simply not durable, and comes up
 * again on the next wire.
 *
 * @module
 */
import type { Context } from "../core/actor.ts";
import { SftpxError } from "../core/errors.ts";
import type {
  ControlFrame,
  Hello,
  Offer,
  Welcome,
} from "../protocol/control.ts";
import { bothLimit, type RateLimiter } from "../core/rate.ts";
import { encodePreamble } from "../protocol/lane.ts";
import type { Work } from "../protocol/outgoing.ts";
import type { WireStatus } from "../protocol/status.ts";
import type { Conn } from "../transport/transport.ts";
import type { Link } from "./connection.ts";
import { type ControlChannel, frameQueue, untilAborted } from "./frames.ts";
import {
  type LaneGroup,
  laneGroup,
  type LanesDeps,
  watchedLimiter,
  type WireEquipment,
} from "./lane_group.ts";
import { readStatus } from "./status_read.ts";
import type { LeaseReport, RoomMaker } from "../workers/lane_send.ts";

/** A connection to a receiver that has heard our offer. */
export interface SendLink extends Link {
  /** Rejects with what the receiver has against it. But for the answer nothing is heard, and no byte of a file sent, before. */
  readonly accepted: Promise<void>;
  readonly control: ControlChannel;
  /** What was said until then. */
  readonly hello: Hello;
  readonly welcome: Welcome;
  readonly offer: Offer;
  /** The shorter of the round trips that it took, ms. */
  readonly tripMs: number;
  /** Ports that were asked for with the offer. */
  readonly portsWanted: number;
}

/** What a wire tells the scheduler. Older epochs speak of connections that are gone. */
export type WireMessage =
  /** What is on the way by now may be wanted. */
  | { readonly type: "accepted"; readonly epoch: number }
  | {
    readonly type: "status";
    readonly epoch: number;
    readonly frames: readonly WireStatus[];
  }
  | {
    readonly type: "control";
    readonly epoch: number;
    readonly frame: ControlFrame;
  }
  | {
    readonly type: "lane-done";
    readonly epoch: number;
    readonly connection: number;
    readonly lane: number;
    readonly report: LeaseReport;
  }
  /** A further connection was lost. */
  | {
    readonly type: "connection-gone";
    readonly epoch: number;
    readonly connection: number;
  };

/** What a wire needs. */
export interface WireDeps extends LanesDeps {
  /** Lanes of one connection at most. */
  readonly lanes: number;
  /** Told whenever the receiver was heard. */
  readonly heard: () => void;
}

/** One connection at work, and further ones that carry lanes for it. */
export interface Wire {
  readonly epoch: number;
  readonly link: SendLink;
  /** Connections, the first one included. */
  readonly connections: number;
  /** True for one that is there, or was there first. */
  has(connection: number): boolean;
  /** Puts frames on the manifest stream. */
  announce(...frames: Uint8Array[]): void;
  /** Leases that were given and are not finished. */
  readonly leases: number;
  /** True when a lane has room for a lease. */
  hasRoom(): boolean;
  /** Gives a lease to the lane that has least to do. */
  give(items: readonly Work[]): void;
  /** Takes note that a lane has finished a lease. */
  done(connection: number, lane: number): void;
  /** Gives it what it takes to have further connections. */
  equip(equipment: WireEquipment): void;
  /** Adds the lanes of a further connection. */
  join(connection: number, conn: Conn, options?: JoinOptions): void;
  /**
   * Ends a further connection, or the lanes of the first; returns what may be
   * lost with it. The first has lanes again when no other has.
   */
  drop(connection: number): readonly Work[];
  /**
   * Gives a further connection no more work, and ends it once all of what it had
   * is there; returns what it has not begun.
   */
  retire(connection: number): readonly Work[];
  /** Takes back what all connections were given and have not sent whole. */
  yield(): readonly Work[];
  /** True when more is on its way over a connection than the `arrived` bytes. */
  isBusy(connection: number, arrived: number): boolean;
  /** Ends the lanes of all connections but one; returns what may be lost with them. */
  leaveAllBut(connection: number): readonly Work[];
  /** Gives no more to all connections but one; returns what they have not begun. */
  restAllBut(goesOn: (connection: number) => boolean): readonly Work[];
  /** Gives to all connections again. */
  wake(): void;
  /** True when nothing is under way over connections that rest. */
  readonly isResting: boolean;
  /** Of them those of lower numbers than {@linkcode FIRST_OTHER}. */
  readonly grown: number;
  /** The one of these that came last and is to stay; `undefined` when there is none but the first. */
  readonly newest: number | undefined;
  /** Forgets leases that are of no interest any more. */
  prune(isDone: (work: Work) => boolean): void;
  /** Ends its tasks, and the further connections. */
  close(): void;
}

/** How a further connection is used. */
export interface JoinOptions {
  /** Lanes at most. @default {as many as others have} */
  readonly lanes?: number;
  /** Holds back what goes over it. */
  readonly limiter?: RateLimiter | undefined;
  /** Makes room for frames. @default {any memory} */
  readonly room?: RoomMaker;
}

/** Connections from this number on are there for other reasons than the windows. */
export const FIRST_OTHER = 512;

/** Control goes before manifest, manifest before data. */
const MANIFEST_PRIORITY = 500;

/** Starts the tasks of a connection; they end with `cx`'s life or with `close()`. */
export function openWire(
  cx: Context<WireMessage>,
  epoch: number,
  link: SendLink,
  deps: WireDeps,
): Wire {
  const own = new AbortController();
  const signal = AbortSignal.any([cx.signal, own.signal]);
  const queue = frameQueue();
  const lanes = Math.max(1, Math.min(deps.lanes, link.welcome.maxLanes));
  const groups = new Map<number, LaneGroup>();
  const resting = new Set<LaneGroup>();
  const { conn, control } = link;

  /** Runs a task; what it suffers by the loss of its connection is not its failure. */
  const task = (run: () => Promise<void>, lost?: () => void): void => {
    cx.spawn(async () => {
      try {
        await untilAborted(run(), signal);
      } catch (error) {
        const isLoss = error instanceof SftpxError &&
          error.code === "connection-lost";
        if (!signal.aborted && !isLoss) throw error;
        if (!signal.aborted) lost?.();
      }
    });
  };
  const say = (message: WireMessage): Promise<void> =>
    cx.self.send(message, signal);

  task(async () => {
    const stream = await conn.openUni(MANIFEST_PRIORITY);
    await stream.write(encodePreamble("manifest", 0));
    await queue.run(stream, signal);
  });
  /** The same, once the offer is accepted; whoever holds the connection judges it when it is not. */
  const later = (run: () => Promise<void>): void =>
    task(async () => {
      if (await link.accepted.then(() => true, () => false)) await run();
    });
  later(() => say({ type: "accepted", epoch }));
  later(() =>
    readStatus(conn, (frames) => {
      deps.heard();
      return say({ type: "status", epoch, frames });
    })
  );
  later(async () => {
    for (;;) {
      const frame = await control.read();
      if (frame === undefined) return;
      deps.heard();
      await say({ type: "control", epoch, frame });
    }
  });

  const addGroup = (
    connection: number,
    conn: Conn,
    { lanes: most = lanes, limiter, room }: JoinOptions,
    lost?: () => void,
  ): void => {
    const { ledger, pool, wrote, watch } = deps;
    groups.set(
      connection,
      laneGroup({
        ledger,
        pool,
        limiter: bothLimit(
          watchedLimiter(deps.limiter, watch, "rate"),
          watchedLimiter(limiter, watch, "pace"),
        ),
        ...(watch && { watch }),
        ...(room && { room }),
        wrote,
        far: equipment?.far,
        connection,
        conn,
        lanes: Math.min(lanes, most),
        firstLane: connection === 0 ? firstLane : 0,
        signal,
        task: (run) => task(run, lost),
        report: (connection, lane, report) =>
          say({ type: "lane-done", epoch, connection, lane, report }),
      }),
    );
  };
  const idlest = (): LaneGroup | undefined => {
    let best: LaneGroup | undefined;
    for (const group of groups.values()) {
      // The newest has nothing under way yet, which others with as little to do may have.
      if (best === undefined || group.load <= best.load) best = group;
    }
    return best;
  };
  const working = (): LaneGroup[] =>
    [...groups.values()].filter(({ isRetired }) => !isRetired);
  const grown = (): LaneGroup[] =>
    working().filter(({ connection }) => connection < FIRST_OTHER);
  const end = (group: LaneGroup): void => {
    groups.delete(group.connection);
    group.stop(); // what waits for its turn would take it from others
    group.conn.close();
  };
  let equipment: WireEquipment | undefined;
  const first: JoinOptions = {
    limiter: { // it may be there before what holds it back
      get pieceBytes() {
        return equipment?.pace?.pieceBytes ?? Infinity;
      },
      take: (bytes, signal) =>
        equipment?.pace?.take(bytes, signal) ?? Promise.resolve(),
    },
  };
  let firstLane = 0; // of the lanes that the first connection has now
  addGroup(0, conn, first);

  return {
    epoch,
    link,
    get connections() {
      return working().length;
    },
    has: (connection) => groups.has(connection),
    get grown() {
      return grown().length;
    },
    get newest() {
      const last = grown().at(-1)?.connection;
      return last === 0 ? undefined : last;
    },
    announce: (...frames) => queue.push(...frames),
    get leases() {
      let sum = 0;
      for (const { leases } of groups.values()) sum += leases;
      return sum;
    },
    hasRoom: () => !signal.aborted && (idlest()?.load ?? Infinity) < Infinity,
    give: (items) => idlest()?.give(items),
    done: (connection, lane) => groups.get(connection)?.done(lane),
    equip: (given) => void (equipment = given),
    join(connection, conn, options = {}) {
      let isTold = false;
      const lost = (): void => {
        if (isTold) return;
        isTold = true;
        task(() => say({ type: "connection-gone", epoch, connection }));
      };
      addGroup(connection, conn, options, lost);
      task(async () => {
        await conn.closed.catch(() => {});
        lost();
      });
    },
    drop(connection) {
      const group = groups.get(connection);
      if (group === undefined) return [];
      const { given } = group;
      if (connection > 0) end(group);
      else group.stop();
      // The first is always there, and does what no other does.
      if (working().length === 0) {
        firstLane += lanes;
        addGroup(0, conn, first);
      }
      return given;
    },
    retire(connection) {
      const group = connection > 0 ? groups.get(connection) : undefined;
      group?.retire();
      return group?.rest() ?? [];
    },
    yield: () => [...groups.values()].flatMap((group) => group.yield()),
    isBusy(connection, arrived) {
      const group = groups.get(connection);
      if (group === undefined) return false;
      // One that retired may stall before it is done; the first has other lanes then.
      const isOver = connection === 0 || group.given.length === 0;
      if (group.isRetired && isOver) return false;
      // A lane that waits for the disk or for its turn has nothing to do with it.
      return group.writing > 0 || group.written > arrived;
    },
    leaveAllBut(connection) {
      const left: Work[] = [];
      for (const group of groups.values()) {
        if (group.connection === connection) continue;
        left.push(...group.given);
        if (group.connection === 0) group.stop();
        else end(group);
      }
      return left;
    },
    restAllBut(goesOn) {
      const rest: Work[] = [];
      for (const group of groups.values()) {
        if (goesOn(group.connection) || resting.has(group)) continue;
        resting.add(group);
        rest.push(...group.rest());
      }
      return rest;
    },
    wake() {
      for (const group of resting) group.wake();
      resting.clear();
    },
    get isResting() {
      return [...resting].every(({ leases }) => leases === 0);
    },
    prune(isDone) {
      for (const group of groups.values()) {
        group.prune(isDone);
        const isIdle = group.isRetired && group.given.length === 0;
        if (isIdle && group.connection > 0) end(group);
      }
    },
    close() {
      own.abort();
      for (const { connection, conn } of groups.values()) {
        if (connection > 0) conn.close();
      }
    },
  };
}
