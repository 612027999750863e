/**
 * The receiving side of a flow: takes whoever comes, the newest first, says what
 * it has, and puts what comes in order.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { equalBytes } from "../core/bytes.ts";
import { isFinal, SftpxError } from "../core/errors.ts";
import type { RateLimiter } from "../core/rate.ts";
import type { Digest } from "../crypto/digest.ts";
import type { BidiStream, Conn } from "../transport/transport.ts";
import {
  encodeFlow,
  FLOW_FRAME,
  FLOW_LANES,
  FLOW_WINDOW,
  type FlowMessage,
  readFlow,
  readFrame,
} from "./flow_frames.ts";
import { type RunningDigest, runningDigest } from "./flow_digest.ts";
import type { FlowEvent } from "./flow_send.ts";

/** Where it goes. */
export interface FlowSink {
  /** What is there already, of a source that begins at `start`. Asked once. */
  begin(start: number): Promise<FlowStart>;
  /** Reads that, from `base` to `from`. */
  existing(): AsyncIterable<Uint8Array>;
  /** Drops it: it is of another source. */
  reset(): Promise<void>;
  /** Writes what comes next. */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes all of it safe. */
  finish(): Promise<void>;
}

/** What a sink has. */
export interface FlowStart {
  /** Where it begins in the source. */
  readonly base: number;
  /** The byte of the source that it wants next. */
  readonly from: number;
}

/** How it is received. */
export interface FlowReceiveOptions {
  readonly sink: FlowSink;
  /** The next connection of the sender; `undefined` when there will be none. */
  readonly accept: () => Promise<Conn | undefined>;
  readonly digest: Digest;
  readonly limiter?: RateLimiter | undefined;
  readonly clock: Clock;
  readonly onEvent?: (event: FlowEvent) => void;
}

/** What is said of progress, at least after so many bytes or ms. */
const ACK_BYTES = 1 << 20;
const ACK_MS = 200;
/** After the end we stay, in case the sender has not heard of it, ms. */
const FAREWELL_MS = 10_000;

/**
 * Receives all of it.
 *
 * @returns How many bytes there are now.
 * @throws {SftpxError} when it can never be.
 */
export async function receiveFlow(
  options: FlowReceiveOptions,
  signal: AbortSignal,
): Promise<number> {
  const { accept, clock, onEvent = () => {} } = options;
  const state: State = { past: undefined, isSafe: false };
  const result = Promise.withResolvers<number>();
  let current: { conn: Conn; done: Promise<void> } | undefined;

  const serve = async (conn: Conn): Promise<void> => {
    try {
      const total = await receiveOver(conn, options, state);
      // The sender closes when it has heard that all is safe.
      await Promise.race([
        conn.closed.then(() => {}, () => {}),
        clock.delay(FAREWELL_MS, signal).catch(() => {}),
      ]);
      result.resolve(total);
    } catch (error) {
      conn.close();
      if (isFinal(error)) result.reject(error);
      else onEvent({ type: "down", error });
    }
  };
  const run = async (): Promise<void> => {
    for (;;) {
      const conn = await accept();
      if (conn === undefined) {
        signal.throwIfAborted();
        throw new SftpxError(
          "connection-lost",
          "Cannot receive: not listening",
        );
      }
      if (isOver) return conn.close();
      // One writes at a time, or bytes of two would mix.
      current?.conn.close("duplicate");
      await current?.done;
      current = { conn, done: serve(conn) };
    }
  };
  let isOver = signal.aborted;
  const abort = (): void => result.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  run().catch(result.reject);
  try {
    return await result.promise;
  } finally {
    isOver = true;
    signal.removeEventListener("abort", abort);
    current?.conn.close();
    await current?.done;
  }
}

/** What outlives a connection. */
interface State {
  /** What is there; `undefined` before the first connection. */
  past: Past | undefined;
  /** True when all of it is safe, and the sender may not know. */
  isSafe: boolean;
}

/** What is there. */
interface Past {
  readonly base: number;
  /** The next byte of the source. */
  written: number;
  readonly running: RunningDigest;
}

async function receiveOver(
  conn: Conn,
  options: FlowReceiveOptions,
  state: State,
): Promise<number> {
  const { sink, digest, limiter, clock, onEvent = () => {} } = options;
  const control = await conn.acceptBidi();
  if (control === undefined) throw lost();
  const say = (message: FlowMessage): Promise<void> =>
    control.send.write(encodeFlow(message));
  const hello = await readFlow(control.receive);
  if (hello === undefined) throw lost();
  if (hello.type !== "hello") throw odd(hello);
  const past = await agree(control, hello, options, state);
  const from = past.written;
  onEvent({ type: "up", conn, from });

  const hasher = digest.hasher();
  const waiting = new Map<number, Uint8Array>();
  let written = from;
  let moved = Promise.withResolvers<void>();
  let ackedAt = clock.now();
  let acked = from;
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const room = async (offset: number, length: number): Promise<void> => {
    if (offset < written || offset + length > written + MAX_AHEAD) {
      throw new SftpxError("protocol", "Cannot take frame: it is out of place");
    }
    // All that is kept is within the window, as the sender keeps to it too.
    while (offset > written + FLOW_WINDOW) await moved.promise;
  };
  let isWriting = false;
  const drain = async (): Promise<void> => {
    if (isWriting) return;
    isWriting = true;
    try {
      for (;;) {
        const bytes = waiting.get(written);
        if (bytes === undefined) break;
        waiting.delete(written);
        await limiter?.take(bytes.length);
        hasher.update(bytes);
        await write(sink, bytes, say);
        past.running.update(bytes);
        written += bytes.length;
        past.written = written;
        moved.resolve();
        moved = Promise.withResolvers();
        const isDue = written - acked >= ACK_BYTES ||
          clock.now() - ackedAt >= ACK_MS || !waiting.has(written);
        if (isDue) await ack();
      }
    } finally {
      isWriting = false;
    }
  };
  const ack = async (): Promise<void> => {
    [acked, ackedAt] = [written, clock.now()];
    onEvent({ type: "progress", bytes: written, size: hello.size });
    await say({ type: "ack", written });
  };
  const readLane = async (): Promise<void> => {
    const stream = await conn.acceptUni();
    if (stream === undefined) return;
    for (;;) {
      const frame = await readFrame(stream, room);
      if (frame === undefined) return;
      if (waiting.has(frame.offset)) {
        throw new SftpxError("protocol", "Cannot take frame: it came before");
      }
      waiting.set(frame.offset, frame.bytes);
      await drain();
    }
  };
  for (let i = 0; i < FLOW_LANES; i++) readLane().catch(failed.reject);
  conn.closed.then(() => failed.reject(lost()), failed.reject);

  const end = await Promise.race([readFlow(control.receive), failed.promise]);
  if (end === undefined) throw lost();
  if (end.type !== "end") throw odd(end);
  while (written < end.total) {
    await Promise.race([moved.promise, failed.promise]);
  }
  const isRight = written === end.total &&
    equalBytes(hasher.digest(), end.digest);
  if (!isRight) {
    await say({ type: "wrong", why: "digest" });
    throw new SftpxError(
      "integrity",
      "Cannot receive: what came is not what was sent",
    );
  }
  if (!state.isSafe) await sink.finish();
  state.isSafe = true;
  await say({ type: "done" });
  return written - past.base;
}

/** Says where to go on, and drops what is there if it is of another source. */
async function agree(
  control: BidiStream,
  hello: FlowMessage & { type: "hello" },
  { sink, digest }: FlowReceiveOptions,
  state: State,
): Promise<Past> {
  const say = (message: FlowMessage): Promise<void> =>
    control.send.write(encodeFlow(message));
  const look = async (): Promise<Past> => {
    const { base, from } = await sink.begin(hello.start);
    const running = runningDigest(digest);
    for await (const bytes of sink.existing()) running.update(bytes);
    return { base, written: from, running };
  };
  for (let tries = 0; tries < 2; tries++) {
    let past: Past;
    try {
      past = state.past ??= await look();
    } catch (error) {
      await say({ type: "wrong", why: "skip" });
      throw error;
    }
    const { base, written: from, running } = past;
    await say({ type: "start", base, from, digest: running.digest() });
    const go = await readFlow(control.receive);
    if (go === undefined) throw lost();
    if (go.type === "wrong") break;
    if (go.type !== "go") throw odd(go);
    if (go.ok) return past;
    if (from === base) break;
    await sink.reset();
    state.past = undefined;
  }
  throw new SftpxError("integrity", "Cannot receive: it is of another file");
}

async function write(
  sink: FlowSink,
  bytes: Uint8Array,
  say: (message: FlowMessage) => Promise<void>,
): Promise<void> {
  try {
    await sink.write(bytes);
  } catch (error) {
    await say({ type: "wrong", why: "disk" });
    throw error;
  }
}

/** A frame may lie so far ahead: what is under way, and one frame. */
const MAX_AHEAD = FLOW_WINDOW + FLOW_FRAME;

function lost(): SftpxError {
  return new SftpxError("connection-lost", "Cannot receive: the line is dead");
}

function odd({ type }: Pick<FlowMessage, "type">): SftpxError {
  return new SftpxError("protocol", `Cannot receive: the peer says ${type}`);
}
