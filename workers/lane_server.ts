/**
 * What a lane Worker does: holds connections and streams by number, and does
 * with them what is asked.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import type { Native } from "../store/root_native.ts";
import type { SourceDisk } from "../store/source.ts";
import {
  createEndpoint,
  endpointPool,
  quicDialer,
  quicListener,
} from "../transport/quic.ts";
import { tlsListener } from "../transport/tls.ts";
import type {
  Conn,
  Listener,
  ReceiveStream,
  SendStream,
} from "../transport/transport.ts";
import type { HashPool } from "./hash_pool.ts";
import {
  type FarConnInfo,
  type LaneCalls,
  THREAD_ROOM_BYTES,
} from "./lane_calls.ts";
import { type FrameLane, frameLane } from "./lane_frames.ts";
import { type LeaseLane, leaseLane } from "./lane_lease.ts";
import { createRooms } from "./rooms.ts";

/** What a server needs. */
export interface LaneServerDeps {
  readonly clock: Clock;
  readonly pool: HashPool;
  readonly disk: SourceDisk;
  readonly native: Native | undefined;
  /** Told of what comes of a frame that takes long. */
  readonly arrived: (stream: number, bytes: number) => void;
}

/** An answer of which something is moved and not copied. */
interface Moved {
  readonly value: unknown;
  readonly moves: Transferable[];
  readonly [MOVED]: true;
}

const MOVED = Symbol("moved");

/** Tells whether something of an answer is moved. */
export function isMoved(answer: unknown): answer is Moved {
  return Object(answer)[MOVED] === true;
}

/** Creates a server; it does a call and says what came of it. */
export function createLaneServer(
  deps: LaneServerDeps,
): (call: keyof LaneCalls, args: readonly unknown[]) => Promise<unknown> {
  const conns = new Map<number, Conn>();
  const sending = new Map<number, SendStream>();
  const receiving = new Map<number, ReceiveStream>();
  const leases = new Map<number, LeaseLane>();
  const frames = new Map<number, FrameLane>();
  const owners = new Map<number, number>(); // the connection of each stream
  const left = new Map<string, AbortController>();
  // None in large pages: there may be many threads, and each such page is half lost.
  const rooms = createRooms(THREAD_ROOM_BYTES, 0);
  let listener: Listener | undefined;
  let mayWait = false; // for the disk
  let numbers = 0;

  const hold = (conn: Conn): FarConnInfo => {
    const number = ++numbers;
    conns.set(number, conn);
    // Who comes and goes leaves nothing.
    conn.closed.catch(() => {}).finally(() => {
      conns.delete(number);
      for (const [stream, owner] of owners) {
        if (owner === number) forget(stream, "both");
      }
    });
    return {
      conn: number,
      carrier: conn.carrier ?? "quic",
      remote: conn.remote,
    };
  };
  const forget = (stream: number, which: "send" | "receive" | "both"): void => {
    if (which !== "receive") {
      sending.delete(stream);
      leases.delete(stream);
    }
    if (which !== "send") {
      receiving.delete(stream);
      frames.get(stream)?.close();
      frames.delete(stream);
    }
    if (!sending.has(stream) && !receiving.has(stream)) owners.delete(stream);
  };
  /** A number for a stream of a connection. */
  const numberOf = (
    conn: number,
    send?: SendStream,
    receive?: ReceiveStream,
  ): number => {
    const number = ++numbers;
    if (send !== undefined) sending.set(number, send);
    if (receive !== undefined) receiving.set(number, receive);
    owners.set(number, conn);
    return number;
  };
  const conn = (number: number): Conn => found(conns, number);

  const calls: LaneCalls = {
    ping: () => Promise.resolve(),
    async dial({ quic, ...peer }) {
      const endpoints = endpointPool();
      const dialer = quicDialer({ ...peer, ...quic, endpoint: endpoints });
      return hold(await dialer.dial(new AbortController().signal));
    },
    // deno-lint-ignore require-await -- a failure is to be a rejection
    async listen({ carrier, ports, key, limits, quic, tls, ...own }) {
      const { hostname } = own;
      const whole = { ...own, ...limits, key: new TextDecoder().decode(key) };
      listener = firstBound(
        ports,
        (port) =>
          carrier === "tcp"
            ? tlsListener({ ...whole, ...tls, port })
            : quicListener({
              ...whole,
              ...quic,
              endpoint: createEndpoint({ hostname, port }),
            }),
      );
      mayWait = carrier === "tcp";
      key.fill(0);
      return { address: listener.address };
    },
    async accept() {
      const come = await listener?.accept();
      return come && hold(come);
    },
    closed: (number) => conn(number).closed,
    async close(number, code, reason) {
      conn(number).close(code, reason);
      await Promise.resolve();
    },
    async openBidi(number) {
      const { send, receive } = await conn(number).openBidi();
      return numberOf(number, send, receive);
    },
    async openUni(number, priority) {
      return numberOf(number, await conn(number).openUni(priority));
    },
    async acceptBidi(number) {
      const stream = await conn(number).acceptBidi();
      return stream && numberOf(number, stream.send, stream.receive);
    },
    async acceptUni(number) {
      const stream = await conn(number).acceptUni();
      return stream && numberOf(number, undefined, stream);
    },
    write: (stream, bytes) => found(sending, stream).write(bytes),
    async end(stream) {
      const lane = leases.get(stream) ?? {
        close: () => found(sending, stream).end(),
      };
      await lane.close().finally(() => forget(stream, "send"));
    },
    async read(stream, bytes, isAll) {
      const view = new Uint8Array(bytes);
      const from = found(receiving, stream);
      return await (isAll ? from.readFully(view) : from.readSome(view));
    },
    async cancel(stream) {
      const from = receiving.get(stream);
      forget(stream, "receive");
      await from?.cancel();
    },
    async lease(stream, id, works) {
      let lane = leases.get(stream);
      if (lane === undefined) {
        lane = leaseLane({ ...deps, stream: found(sending, stream) });
        leases.set(stream, lane);
      }
      const own = new AbortController();
      left.set(id, own);
      try {
        return await lane.send(works, own.signal);
      } finally {
        left.delete(id);
      }
    },
    async leave(id) {
      left.get(id)?.abort();
      await Promise.resolve();
    },
    async frame(stream, maxBody) {
      let lane = frames.get(stream);
      if (lane === undefined) {
        lane = frameLane({
          ...deps,
          rooms,
          mayWait,
          stream: found(receiving, stream),
          arrived: (bytes) => deps.arrived(stream, bytes),
        });
        frames.set(stream, lane);
      }
      return await lane.next(maxBody);
    },
    place: (stream, ...part) => found(frames, stream).place(...part),
    // deno-lint-ignore require-await -- a failure is to be a rejection
    async bring(stream, start, end) {
      return found(frames, stream).bring(start, end);
    },
  };

  return async (call, args) => {
    const work = calls[call] as (...args: readonly unknown[]) => unknown;
    const answer = await work(...args);
    if (call !== "frame" || answer === undefined) return answer;
    const { heads, digests, body } = answer as FrameAnswer;
    const moves = [heads, digests, body].flatMap((it) => it?.buffer ?? []);
    return { value: answer, moves, [MOVED]: true };
  };
}

/** Listens on the first of these ports that can be had. */
function firstBound(
  ports: readonly number[],
  listen: (port: number) => Listener,
): Listener {
  for (const port of ports.slice(0, -1)) {
    try {
      return listen(port);
    } catch (error) {
      if (!(error instanceof SftpxError)) throw error;
    }
  }
  return listen(ports.at(-1) ?? 0);
}

type FrameAnswer = NonNullable<Awaited<ReturnType<LaneCalls["frame"]>>>;

function found<T>(held: ReadonlyMap<number, T>, number: number): T {
  const it = held.get(number);
  if (it === undefined) {
    throw new SftpxError("connection-lost", "Cannot find it: it is over");
  }
  return it;
}
