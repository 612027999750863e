/**
 * The sender's lanes over one connection, opened as there is work for them.
 *
 * @module
 */
import { Mailbox } from "../core/mailbox.ts";
import type { RateLimiter } from "../core/rate.ts";
import { encodePreamble } from "../protocol/lane.ts";
import type { Outgoing, Work } from "../protocol/outgoing.ts";
import type { Conn, SendStream } from "../transport/transport.ts";
import type { FarSendStream, isFarSend } from "../workers/far_conn.ts";
import type { farSendLane } from "../workers/far_lane.ts";
import type { HashPool } from "../workers/hash_pool.ts";
import {
  type LeaseReport,
  type Payload,
  type Readable,
  type RoomMaker,
  sendLane,
  type SendWatch,
} from "../workers/lane_send.ts";

/** What lanes need, whatever they go over. */
export interface LanesDeps {
  readonly ledger: Outgoing<Readable>;
  readonly pool: HashPool;
  readonly limiter: RateLimiter | undefined;
  readonly watch?: SendWatch;
  readonly room?: RoomMaker;
  readonly wrote: (payload: Payload) => void;
  /** What runs the lanes of a connection that another thread holds. @default {there is none} */
  readonly far?: {
    readonly isFarSend: typeof isFarSend;
    readonly farSendLane: typeof farSendLane;
  } | undefined;
}

/** What a wire has once there may be further connections. */
export interface WireEquipment {
  /** Holds back the first connection. */
  readonly pace: RateLimiter | undefined;
  /** What runs the lanes of a connection that another thread holds. */
  readonly far: LanesDeps["far"];
}

/** Which connection, and who runs the lanes. */
export interface LaneGroupOptions extends LanesDeps {
  /** Number of the connection within its session; 0 is the first. */
  readonly connection: number;
  readonly conn: Conn;
  /** Lanes at most. */
  readonly lanes: number;
  /** Number of the first: others of this connection may have ended. @default {0} */
  readonly firstLane?: number;
  readonly signal: AbortSignal;
  /** Runs a lane for as long as it lives. */
  readonly task: (run: () => Promise<void>) => void;
  readonly report: (
    connection: number,
    lane: number,
    report: LeaseReport,
  ) => Promise<void>;
}

/** The lanes of one connection. */
export interface LaneGroup {
  readonly connection: number;
  readonly conn: Conn;
  /** Leases that the lane with the least of them holds; `Infinity` when all are full. */
  readonly load: number;
  /** Gives a lease to the lane that has least to do. */
  give(items: readonly Work[]): void;
  /** Takes note that a lane has finished a lease. */
  done(lane: number): void;
  /** Ends its lanes; the connection stays. */
  stop(): void;
  /** Takes no more leases, and finishes those it has. */
  retire(): void;
  /** True once it was told to retire, or to stop. */
  readonly isRetired: boolean;
  /** Takes back what it was given and has not sent whole. */
  yield(): readonly Work[];
  /** Takes no more leases until `wake`; returns those that no lane has begun. */
  rest(): readonly Work[];
  /** Takes leases again. */
  wake(): void;
  /** Leases that its lanes hold. */
  readonly leases: number;
  /** Bytes of frames that were handed to the connection. */
  readonly written: number;
  /** Lanes that wait for the connection to take what they write. */
  readonly writing: number;
  /** Forgets leases that are of no interest any more. */
  prune(isDone: (work: Work) => boolean): void;
  /** All that was given and not pruned: it may be lost with the connection. */
  readonly given: readonly Work[];
}

/** Leases that a lane holds: one in hand, and the next so that it never waits. */
const LANE_LEASES = 2;
/** Numbers of lanes that belong to one connection. */
const LANE_NUMBERS = 64;

interface Lane {
  readonly inbox: Mailbox<Lease>;
  leases: number;
}

interface Lease {
  readonly items: readonly Work[];
  readonly over: AbortController;
}

/** Creates the lanes of a connection; the first is opened when there is work. */
export function laneGroup(options: LaneGroupOptions): LaneGroup {
  const { connection, conn, task, firstLane = 0 } = options;
  const own = new AbortController();
  const signal = AbortSignal.any([options.signal, own.signal]);
  const lanes: Lane[] = [];
  let given: Work[] = [];
  let unfinished = new Set<Lease>(); // by lanes
  let isRetired = false;
  let written = 0;
  let writing = 0;
  let isResting = false;

  const open = (): Lane => {
    const number = firstLane + lanes.length;
    const lane: Lane = {
      inbox: new Mailbox(`lane ${connection}.${number}`, LANE_LEASES),
      leases: 0,
    };
    const priority = LANE_NUMBERS - lanes.length;
    lanes.push(lane);
    task(async () => {
      // What was begun first is finished first: over a slow path that is a
      // chunk now and then, and not all of them at last.
      const stream = await conn.openUni(priority);
      const id = connection * LANE_NUMBERS + number;
      await stream.write(encodePreamble("lane", id));
      const wrote = (payload: Payload): void => {
        written += payload.body;
        options.wrote(payload);
      };
      const counted: SendStream = {
        async write(bytes) {
          writing++;
          try {
            await stream.write(bytes);
          } finally {
            writing--;
          }
        },
        end: () => stream.end(),
      };
      const far = (stream: FarSendStream): FarSendStream => ({
        ...stream,
        lease(works) {
          writing++;
          const lease = stream.lease(works);
          const done = (): void => void writing--;
          lease.report.then(done, done);
          return lease;
        },
      });
      const sender = options.far?.isFarSend(stream)
        ? options.far.farSendLane({ ...options, stream: far(stream), wrote })
        : sendLane({ ...options, stream: counted, wrote });
      try {
        while (!signal.aborted) {
          const lease = await lane.inbox.receive(signal);
          const { items, over } = lease;
          const report = await sender.send(items, signal, over.signal);
          unfinished.delete(lease);
          await options.report(connection, number, report);
        }
      } catch (error) {
        if (!own.signal.aborted) throw error;
      } finally {
        await sender.close().catch(() => {}); // the stream may be gone already
      }
    });
    return lane;
  };
  const idlest = (): Lane | undefined => {
    let best: Lane | undefined;
    for (const lane of lanes) {
      if (best === undefined || lane.leases < best.leases) best = lane;
    }
    return best;
  };

  return {
    connection,
    conn,
    get given() {
      return given;
    },
    get load() {
      if (isRetired || isResting) return Infinity;
      const least = idlest()?.leases ?? 0;
      if (least > 0 && lanes.length < options.lanes) return 0;
      return least < LANE_LEASES ? least : Infinity;
    },
    give(items) {
      let lane = idlest();
      const isFree = lane !== undefined && lane.leases === 0;
      if (!isFree && lanes.length < options.lanes) lane = open();
      const lease: Lease = { items, over: new AbortController() };
      if (lane === undefined || !lane.inbox.offer(lease)) {
        throw new TypeError("Cannot give a lease: no lane has room");
      }
      unfinished.add(lease);
      lane.leases++;
      given.push(...items);
    },
    done(number) {
      const lane = lanes[number - firstLane];
      if (lane !== undefined) lane.leases--;
    },
    stop() {
      isRetired = true;
      own.abort();
    },
    retire() {
      isRetired = true;
    },
    get isRetired() {
      return isRetired;
    },
    yield() {
      const back = given;
      for (const lease of unfinished) lease.over.abort();
      unfinished = new Set();
      given = [];
      return back;
    },
    rest() {
      isResting = true;
      const unbegun: Work[] = [];
      for (const lane of lanes) {
        for (; lane.inbox.size > 0; lane.leases--) {
          const lease = lane.inbox.take();
          unfinished.delete(lease);
          unbegun.push(...lease.items);
        }
      }
      const taken = new Set(unbegun);
      given = given.filter((work) => !taken.has(work));
      return unbegun;
    },
    wake() {
      isResting = false;
    },
    get written() {
      return written;
    },
    get writing() {
      return writing;
    },
    get leases() {
      return lanes.reduce((sum, { leases }) => sum + leases, 0);
    },
    prune(isDone) {
      given = given.filter((work) => !isDone(work));
    },
  };
}

/** A limiter whose waits are counted. */
export function watchedLimiter(
  limiter: RateLimiter | undefined,
  watch: SendWatch | undefined,
  kind: "rate" | "pace",
): RateLimiter | undefined {
  if (limiter === undefined || watch === undefined) return limiter;
  return {
    get pieceBytes() {
      return limiter.pieceBytes ?? Infinity;
    },
    take: (bytes, signal) => watch.time(kind, limiter.take(bytes, signal)),
  };
}
