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
  type Endpoint,
  endpointPool,
  quicDialer,
  quicListener,
} from "../transport/quic.ts";
import type {
  BidiStream,
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
  const left = new Map<string, AbortController>();
  const rooms = createRooms(THREAD_ROOM_BYTES);
  let listener: Listener | undefined;
  let numbers = 0;

  const hold = (conn: Conn): FarConnInfo => {
    const number = ++numbers;
    conns.set(number, conn);
    return { conn: number, remote: conn.remote };
  };
  const holdBidi = ({ send, receive }: BidiStream): number => {
    const number = ++numbers;
    sending.set(number, send);
    receiving.set(number, receive);
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
    async listen({ hostname, ports, key, quic, ...own }) {
      const endpoint = bindFirst(hostname, ports);
      listener = quicListener({
        ...own,
        ...quic,
        key: new TextDecoder().decode(key),
        endpoint,
      });
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
      return holdBidi(await conn(number).openBidi());
    },
    async openUni(number, priority) {
      const stream = await conn(number).openUni(priority);
      sending.set(++numbers, stream);
      return numbers;
    },
    async acceptBidi(number) {
      const stream = await conn(number).acceptBidi();
      return stream && holdBidi(stream);
    },
    async acceptUni(number) {
      const stream = await conn(number).acceptUni();
      if (stream === undefined) return undefined;
      receiving.set(++numbers, stream);
      return numbers;
    },
    write: (stream, bytes) => found(sending, stream).write(bytes),
    async end(stream) {
      await leases.get(stream)?.close();
      if (!leases.has(stream)) await found(sending, stream).end();
      leases.delete(stream);
      sending.delete(stream);
    },
    async read(stream, bytes, isAll) {
      const view = new Uint8Array(bytes);
      const from = found(receiving, stream);
      return await (isAll ? from.readFully(view) : from.readSome(view));
    },
    async cancel(stream) {
      frames.get(stream)?.close();
      frames.delete(stream);
      await receiving.get(stream)?.cancel();
      receiving.delete(stream);
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

/** Binds the first of these ports that can be had. */
function bindFirst(hostname: string, ports: readonly number[]): Endpoint {
  for (const port of ports.slice(0, -1)) {
    try {
      return createEndpoint({ hostname, port });
    } catch (error) {
      if (!(error instanceof SftpxError)) throw error;
    }
  }
  return createEndpoint({ hostname, port: ports.at(-1) ?? 0 });
}

type FrameAnswer = NonNullable<Awaited<ReturnType<LaneCalls["frame"]>>>;

function found<T>(held: ReadonlyMap<number, T>, number: number): T {
  const it = held.get(number);
  if (it === undefined) {
    throw new SftpxError("connection-lost", "Cannot find it: it is over");
  }
  return it;
}
