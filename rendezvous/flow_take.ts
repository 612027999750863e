/**
 * One connection of the receiving side of a flow: says what is there, and puts
 * what comes in order.
 *
 * @module
 */
import { equalBytes } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";
import type { BidiStream, Conn } from "../transport/transport.ts";
import { type RunningDigest, runningDigest } from "./flow_digest.ts";
import {
  encodeFlow,
  FLOW_FRAME,
  FLOW_LANES,
  FLOW_WINDOW,
  type FlowMessage,
  readFlow,
  readFrame,
} from "./flow_frames.ts";
import type { FlowReceiveOptions, FlowSink } from "./flow_receive.ts";

/** What is said of progress, at least after so many bytes or ms. */
const ACK_BYTES = 1 << 20;
const ACK_MS = 200;

/** A sender that has come. */
export interface Caller {
  readonly conn: Conn;
  readonly control: BidiStream;
  readonly hello: FlowMessage & { type: "hello" };
}

/** What outlives a connection. */
export interface State {
  /** What is there; `undefined` before the first connection. */
  past: Past | undefined;
  /** True when all of it is safe, and the sender may not know. */
  isSafe: boolean;
}

/** What is there. */
export interface Past {
  readonly base: number;
  /** The next byte of the source. */
  written: number;
  readonly running: RunningDigest;
}

/** Takes what one connection brings, to the end. */
export async function takeFlow(
  { conn, control, hello }: Caller,
  options: FlowReceiveOptions,
  state: State,
): Promise<number> {
  const { sink, digest, limiter, clock, onEvent = () => {} } = options;
  const say = (message: FlowMessage): Promise<void> =>
    control.send.write(encodeFlow(message));
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

/** What was said out of turn. */
export function odd({ type }: Pick<FlowMessage, "type">): SftpxError {
  return new SftpxError("protocol", `Cannot receive: the peer says ${type}`);
}
