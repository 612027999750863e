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
import { Mailbox } from "../core/mailbox.ts";
import type { RateLimiter } from "../core/rate.ts";
import type {
  ControlFrame,
  Hello,
  Offer,
  Welcome,
} from "../protocol/control.ts";
import { encodePreamble } from "../protocol/lane.ts";
import type { Outgoing, Work } from "../protocol/outgoing.ts";
import { decodeStatus, type StatusFrame } from "../protocol/status.ts";
import type { Conn } from "../transport/transport.ts";
import type { HashPool } from "../workers/hash_pool.ts";
import type { Link } from "./connection.ts";
import {
  type ControlChannel,
  frameBatches,
  frameQueue,
  readStreamPreamble,
  STATUS_BODY_BYTES,
  untilAborted,
} from "./frames.ts";
import { type LeaseReport, type Readable, sendLane } from "./lane_send.ts";

/** A connection to a receiver that has accepted. */
export interface SendLink extends Link {
  readonly control: ControlChannel;
  /** What was said until the receiver accepted. */
  readonly hello: Hello;
  readonly welcome: Welcome;
  readonly offer: Offer;
}

/** What a wire tells the scheduler. Older epochs speak of connections that are gone. */
export type WireMessage =
  | {
    readonly type: "status";
    readonly epoch: number;
    readonly frames: readonly StatusFrame[];
  }
  | {
    readonly type: "control";
    readonly epoch: number;
    readonly frame: ControlFrame;
  }
  | {
    readonly type: "lane-done";
    readonly epoch: number;
    readonly lane: number;
    readonly items: readonly Work[];
    readonly report: LeaseReport;
  };

/** What a wire needs. */
export interface WireDeps {
  readonly ledger: Outgoing<Readable>;
  readonly pool: HashPool;
  readonly limiter: RateLimiter | undefined;
  /** Lanes at most. */
  readonly lanes: number;
  /** Told whenever the receiver was heard. */
  readonly heard: () => void;
}

/** One connection at work. */
export interface Wire {
  readonly epoch: number;
  readonly link: SendLink;
  /** Puts frames on the manifest stream. */
  announce(...frames: Uint8Array[]): void;
  /** True when a lane has room for a lease. */
  hasRoom(): boolean;
  /** Gives a lease to the lane that has least to do. */
  give(items: readonly Work[]): void;
  /** Takes note that a lane has finished a lease. */
  done(lane: number): void;
  /** Ends its tasks. */
  close(): void;
}

/** Leases that a lane holds: one in hand, and the next so that it never waits. */
const LANE_LEASES = 2;
/** Control goes before manifest, manifest before data. */
const MANIFEST_PRIORITY = 500;

interface Lane {
  readonly id: number;
  readonly inbox: Mailbox<readonly Work[]>;
  leases: number;
}

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
  const lanes: Lane[] = [];
  const maxLanes = Math.max(1, Math.min(deps.lanes, link.welcome.maxLanes));
  const { conn, control } = link;

  const task = (run: () => Promise<void>): void => {
    cx.spawn(async () => {
      try {
        await untilAborted(run(), signal);
      } catch (error) {
        const isOurs = signal.aborted ||
          error instanceof SftpxError && error.code === "connection-lost";
        if (!isOurs) throw error;
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
  task(() =>
    readStatus(conn, (frames) => {
      deps.heard();
      return say({ type: "status", epoch, frames });
    })
  );
  task(async () => {
    for (;;) {
      const frame = await control.read();
      if (frame === undefined) return;
      deps.heard();
      await say({ type: "control", epoch, frame });
    }
  });

  const openLane = (): Lane => {
    const id = lanes.length + 1;
    const lane: Lane = {
      id,
      inbox: new Mailbox(`lane ${id}`, LANE_LEASES),
      leases: 0,
    };
    lanes.push(lane);
    task(async () => {
      const stream = await conn.openUni();
      await stream.write(encodePreamble("lane", id));
      const { ledger, pool, limiter } = deps;
      const sender = sendLane({ stream, ledger, pool, limiter });
      try {
        for (;;) {
          const items = await lane.inbox.receive(signal);
          const report = await sender.send(items, signal);
          await say({ type: "lane-done", epoch, lane: id, items, report });
        }
      } finally {
        await sender.close().catch(() => {}); // the stream may be gone already
      }
    });
    return lane;
  };

  return {
    epoch,
    link,
    announce: (...frames) => queue.push(...frames),
    hasRoom: () =>
      !signal.aborted &&
      (lanes.length < maxLanes ||
        lanes.some(({ leases }) => leases < LANE_LEASES)),
    give(items) {
      let lane = lanes.toSorted((a, b) => a.leases - b.leases)[0];
      const isFree = lane !== undefined && lane.leases === 0;
      if (!isFree && lanes.length < maxLanes) lane = openLane();
      if (lane === undefined || !lane.inbox.offer(items)) {
        throw new TypeError("Cannot give a lease: no lane has room");
      }
      lane.leases++;
    },
    done(id) {
      const lane = lanes[id - 1];
      if (lane !== undefined) lane.leases--;
    },
    close: () => own.abort(),
  };
}

/** Reads the status stream, which the receiver opens once it has something to say. */
async function readStatus(
  conn: Conn,
  say: (frames: readonly StatusFrame[]) => Promise<void>,
): Promise<void> {
  const stream = await conn.acceptUni();
  if (stream === undefined) return;
  const preamble = await readStreamPreamble(stream);
  if (preamble === undefined) return;
  if (preamble.kind !== "status") {
    throw new SftpxError(
      "protocol",
      `Cannot accept a ${preamble.kind} stream from a receiver`,
    );
  }
  const batches = frameBatches(stream, STATUS_BODY_BYTES);
  for (;;) {
    const frames = await batches();
    if (frames === undefined) return;
    const known = frames.map(decodeStatus).filter((f) => f !== undefined);
    if (known.length > 0) await say(known);
  }
}
