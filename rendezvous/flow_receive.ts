/**
 * The receiving side of a flow: takes whoever comes, the newest first, says what
 * it has, and puts what comes in order.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { isFinal, SftpxError } from "../core/errors.ts";
import type { RateLimiter } from "../core/rate.ts";
import type { Digest } from "../crypto/digest.ts";
import type { Conn } from "../transport/transport.ts";
import { readFlow } from "./flow_frames.ts";
import type { FlowEvent } from "./flow_send.ts";
import { type Caller, odd, type State, takeFlow } from "./flow_take.ts";

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

  const serve = async (caller: Caller): Promise<void> => {
    const { conn } = caller;
    try {
      const total = await takeFlow(caller, options, state);
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
  /** A connection counts when the sender speaks on it: of several it takes one. */
  const greet = async (conn: Conn): Promise<void> => {
    greeting.add(conn);
    const [oldest] = greeting;
    if (greeting.size > MAX_GREETING) oldest?.close("peer-busy");
    try {
      const control = await conn.acceptBidi();
      const hello = control && await readFlow(control.receive);
      if (control === undefined || hello === undefined) return;
      if (hello.type !== "hello") throw odd(hello);
      turns = turns.then(async () => {
        // One writes at a time, or bytes of two would mix.
        current?.conn.close("duplicate");
        await current?.done;
        if (isOver) return conn.close();
        current = { conn, done: serve({ conn, control, hello }) };
      });
    } catch (error) {
      conn.close();
      if (!isOver) onEvent({ type: "down", error });
    } finally {
      greeting.delete(conn);
    }
  };
  const greeting = new Set<Conn>();
  let turns: Promise<void> = Promise.resolve();
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
      greet(conn); // never rejects
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
    for (const conn of greeting) conn.close();
    current?.conn.close();
    await turns;
    await current?.done;
  }
}

/** Connections on which nothing was said yet. */
const MAX_GREETING = 4;
