/**
 * Everything of one connection at the receiver: the control stream, the manifest
 * and the lanes that it reads, and the status stream that it writes.
 *
 * @module
 */
import type { Context } from "../core/actor.ts";
import { SftpxError } from "../core/errors.ts";
import type { ControlFrame, Hello } from "../protocol/control.ts";
import { encodePreamble } from "../protocol/lane.ts";
import { decodeManifest, type ManifestFrame } from "../protocol/manifest.ts";
import { encodeStatus, MAX_ARRIVED } from "../protocol/status.ts";
import type { Conn, ReceiveStream } from "../transport/transport.ts";
import { isFarConn, isFarReceive } from "../workers/far_conn.ts";
import type { Link } from "./connection.ts";
import {
  type ControlChannel,
  frameBatches,
  frameQueue,
  MANIFEST_BODY_BYTES,
  readStreamPreamble,
  untilAborted,
} from "./frames.ts";
import { receiveFarLane } from "./lane_far.ts";
import { receiveLane, type ReceiveLaneDeps } from "./lane_receive.ts";
import { type Carrying, stallWatch } from "./receive_stalled.ts";
import { answerProbes } from "./trip_pings.ts";

/** A connection to a sender that has said hello and may come in. */
export interface ReceiveLink extends Link {
  readonly control: ControlChannel;
  readonly hello: Hello;
  /** The first stream that it opens: somebody waited for it already. */
  readonly early?: Promise<ReceiveStream | undefined>;
}

/** What a wire tells the scheduler. Older epochs speak of connections that are gone. */
export type ReceiveWireMessage =
  | {
    readonly type: "manifest";
    readonly epoch: number;
    readonly frames: readonly ManifestFrame[];
  }
  | {
    readonly type: "control";
    readonly epoch: number;
    readonly frame: ControlFrame;
  };

/** One connection at work. */
export interface ReceiveWire {
  readonly epoch: number;
  readonly link: ReceiveLink;
  /** Begins to take manifest and lanes, and to say what the status is. */
  open(): void;
  readonly isOpen: boolean;
  /**
   * Takes lanes over a further connection once it is welcomed; one too many is
   * closed, and one that takes no welcome.
   */
  join(link: ReceiveLink, welcomed: Promise<void>): void;
  /** Puts frames on the status stream. */
  say(...frames: Uint8Array[]): void;
  /** Puts a frame on the control stream, in order. */
  tell(frame: ControlFrame): void;
  /** Ends its tasks. */
  close(): void;
}

/** Status goes before data, which only the other side has. */
const STATUS_PRIORITY = 500;
/** Further connections of one session. */
const MAX_FURTHER = 15;
/** Lanes and a manifest, and some that are ending. */
const MAX_STREAMS = 80;

/** How long one of them may take to hear that it is welcome, ms. */
const WELCOME_MS = 10_000;

/** How often a sender hears from us, ms: it takes silence for a sign. */
const BEAT_MS = 100;
/** And while something comes: it sends as fast as we say that it arrives. */
const BUSY_BEAT_MS = 25;

/**
 * Starts to read a connection's control stream.
 *
 * @param beat What to say on the status stream at regular times, however busy
 * the actors and the disk are.
 */
export function openReceiveWire(
  cx: Context<ReceiveWireMessage>,
  epoch: number,
  link: ReceiveLink,
  beat: () => Uint8Array,
  lane: Omit<ReceiveLaneDeps, "stream">,
): ReceiveWire {
  const own = new AbortController();
  const signal = AbortSignal.any([cx.signal, own.signal]);
  const { conn, control } = link;
  const status = frameQueue();
  const stalls = stallWatch();
  let isOpen = false;
  let hasManifest = false;

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
  const post = (message: ReceiveWireMessage): Promise<void> =>
    cx.self.send(message, signal);

  task(async () => {
    for (;;) {
      const frame = await control.read();
      if (frame === undefined) return;
      stalls.heard();
      await post({ type: "control", epoch, frame });
    }
  });

  const readManifest = async (stream: ReceiveStream): Promise<void> => {
    const batches = frameBatches(stream, MANIFEST_BODY_BYTES);
    for (;;) {
      // Every entry is answered, and a peer need not read what we answer.
      await status.eased(signal);
      const batch = await batches();
      if (batch === undefined) return;
      const frames = batch.map(decodeManifest).filter((f) => f !== undefined);
      if (frames.length > 0) await post({ type: "manifest", epoch, frames });
    }
  };
  /** What came over each connection that is open, and how many of its lanes wait for more. */
  const arrivals = new Map([[0, { bytes: 0, waiting: 0 }]]);
  const readStream = async (
    stream: ReceiveStream,
    connection: number,
  ): Promise<void> => {
    const ours = arrivals.get(connection);
    const arrived = (bytes: number): void => {
      lane.arrived(bytes);
      if (ours !== undefined) ours.bytes += bytes;
    };
    const waiting = (isWaiting: boolean): void => {
      if (ours !== undefined) ours.waiting += isWaiting ? 1 : -1;
    };
    try {
      const preamble = await readStreamPreamble(stream);
      if (preamble === undefined) return;
      if (preamble.kind === "lane") {
        return await (isFarReceive(stream)
          ? receiveFarLane({ ...lane, stream, arrived, waiting }, signal)
          : receiveLane({ ...lane, stream, arrived, waiting }, signal));
      }
      if (preamble.kind === "manifest" && connection === 0 && !hasManifest) {
        hasManifest = true;
        return await readManifest(stream);
      }
      throw new SftpxError(
        "protocol",
        `Cannot accept a ${preamble.kind} stream from a sender here`,
      );
    } finally {
      await stream.cancel();
    }
  };
  /** Takes the streams that the sender opens on a connection. */
  const takeStreams = async (
    { conn, early, hello }: ReceiveLink,
  ): Promise<void> => {
    let streams = 0;
    for (let first = early;; first = undefined) {
      const stream = await (first ?? conn.acceptUni());
      if (stream === undefined || signal.aborted) return;
      if (++streams > MAX_STREAMS) {
        throw new SftpxError(
          "protocol",
          `Cannot accept more than ${MAX_STREAMS} streams at a time`,
        );
      }
      task(() => readStream(stream, hello.connection).finally(() => streams--));
    }
  };
  const answer = ({ datagrams }: Conn, heard = (): void => {}): void => {
    if (datagrams === undefined) return;
    task(() => answerProbes(datagrams, heard));
  };
  const further = new Map<Conn, number>();
  /** True once a connection has heard that it is welcome: a peer need not take it. */
  const isIn = async (conn: Conn, welcomed: Promise<void>) => {
    const heard = new AbortController();
    const either = AbortSignal.any([signal, heard.signal]);
    cx.clock.delay(WELCOME_MS, either).then(() => conn.close(), () => {});
    try {
      await welcomed;
      return true;
    } catch {
      conn.close(); // whoever dialled it hears of it
      return false;
    } finally {
      heard.abort();
    }
  };
  /** Ends a connection that has what the others need, and brings nothing. */
  const endStalled = (): void => {
    const others = new Map<number, Carrying>(arrivals);
    others.delete(0); // the sender sees to that one
    const stalled = stalls.beat(lane.rooms.isCrowded, others);
    for (const [conn, connection] of further) {
      if (connection !== stalled) continue;
      cx.log.event("connection.stalled", { connection });
      conn.close();
    }
  };
  const sayBeats = async (): Promise<void> => {
    let said = 0;
    let beats = 0;
    for (let quietMs = 0;;) {
      await cx.clock.delay(BUSY_BEAT_MS, signal);
      quietMs += BUSY_BEAT_MS;
      if (++beats % (BEAT_MS / BUSY_BEAT_MS) === 0) endStalled();
      const come = arrivals.values().reduce((sum, { bytes }) => sum + bytes, 0);
      if (come === said && quietMs < BEAT_MS || !status.isEmpty) continue;
      said = come;
      quietMs = 0;
      const connections = [...arrivals].slice(0, MAX_ARRIVED)
        .map(([connection, { bytes }]) => ({ connection, bytes }));
      status.push(beat(), encodeStatus({ type: "arrived", connections }));
    }
  };

  return {
    epoch,
    link,
    get isOpen() {
      return isOpen;
    },
    open() {
      isOpen = true;
      task(async () => {
        const stream = await conn.openUni(STATUS_PRIORITY);
        await stream.write(encodePreamble("status", 0));
        await status.run(stream, signal);
      });
      task(sayBeats);
      answer(conn, stalls.heard);
      task(() => takeStreams(link));
    },
    join(other, welcomed) {
      const { conn } = other;
      if (signal.aborted || !isOpen || further.size >= MAX_FURTHER) {
        return conn.close("peer-busy", "Cannot take another connection");
      }
      const over = conn.closed.catch(() => {});
      if (isFarConn(conn) && !lane.rooms.lend(conn.roomBytes, over)) {
        return conn.close("peer-busy", "Cannot take another thread");
      }
      const { connection } = other.hello;
      further.set(conn, connection);
      task(async () => {
        await conn.closed.catch(() => {});
        further.delete(conn);
        // It may have come again, by another way.
        if ([...further.values()].includes(connection)) return;
        arrivals.delete(connection);
      });
      task(async () => {
        if (!await isIn(conn, welcomed) || !further.has(conn)) return;
        arrivals.set(connection, { bytes: 0, waiting: 0 });
        answer(conn);
        await takeStreams(other);
      });
    },
    say: (...frames) => status.push(...frames),
    tell(frame) {
      task(() => control.write(frame));
    },
    close() {
      own.abort();
      for (const conn of further.keys()) conn.close();
    },
  };
}
