/**
 * The sending side of a flow: reads a source and sends it, dials again as often
 * as the line is lost, and ends when the receiver has all of it.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { equalBytes } from "../core/bytes.ts";
import { isFinal, SftpxError } from "../core/errors.ts";
import type { RateLimiter } from "../core/rate.ts";
import type { Digest } from "../crypto/digest.ts";
import type { BidiStream, Conn, SendStream } from "../transport/transport.ts";
import { runningDigest } from "./flow_digest.ts";
import {
  encodeFlow,
  FLOW_FRAME,
  FLOW_LANES,
  FLOW_WINDOW,
  type FlowMessage,
  readFlow,
  writeFrame,
} from "./flow_frames.ts";

/** What is sent. */
export interface FlowSource {
  /** The first byte that is to go. */
  readonly start: number;
  /** `undefined` for a pipe. */
  readonly size: number | undefined;
  /** The earliest byte that can still be read. */
  oldest(): number;
  /** Up to `length` bytes at `offset`, as soon as there are some; none at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** What stands before `offset` will not be asked for again. */
  forget(offset: number): void;
}

/** What is told of it. */
export type FlowEvent =
  | {
    readonly type: "up";
    readonly conn: Conn;
    /** Where it goes on. */
    readonly from: number;
  }
  | { readonly type: "down"; readonly error: unknown }
  | {
    readonly type: "progress";
    readonly bytes: number;
    readonly size: number | undefined;
  };

/** How it is sent. */
export interface FlowSendOptions {
  readonly source: FlowSource;
  /** Gets the receiver. */
  readonly dial: (signal: AbortSignal) => Promise<Conn>;
  readonly digest: Digest;
  readonly limiter?: RateLimiter | undefined;
  readonly clock: Clock;
  readonly onEvent?: (event: FlowEvent) => void;
}

/** Data that is not acknowledged for so long is on a dead line, ms. */
const STALL_MS = 8_000;
/** How long a close may take to get out, ms. */
const FAREWELL_MS = 100;
/** The waits before another dial, ms: it is never given up. */
const FIRST_WAIT_MS = 500;
const LAST_WAIT_MS = 10_000;

/**
 * Sends all of it.
 *
 * @returns How many bytes the receiver has.
 * @throws {SftpxError} when it can never be: another file is there, bytes of a
 * pipe are gone.
 */
export async function sendFlow(
  options: FlowSendOptions,
  signal: AbortSignal,
): Promise<number> {
  const { dial, clock, onEvent = () => {} } = options;
  for (let waitMs = FIRST_WAIT_MS;;) {
    signal.throwIfAborted();
    let isUp = false;
    try {
      const conn = await dial(signal);
      const abort = (): void => conn.close("cancelled");
      signal.addEventListener("abort", abort, { once: true });
      try {
        signal.throwIfAborted();
        const total = await sendOver(conn, {
          ...options,
          onEvent(event) {
            isUp = true;
            onEvent(event);
          },
        });
        conn.close();
        await clock.delay(FAREWELL_MS); // that the receiver need not wait
        return total;
      } finally {
        signal.removeEventListener("abort", abort);
        conn.close();
      }
    } catch (error) {
      signal.throwIfAborted();
      if (isFinal(error)) throw error;
      onEvent({ type: "down", error });
      if (isUp) waitMs = FIRST_WAIT_MS;
    }
    await clock.delay(waitMs, signal);
    waitMs = Math.min(LAST_WAIT_MS, waitMs * 2);
  }
}

async function sendOver(
  conn: Conn,
  options: FlowSendOptions & { readonly onEvent: (event: FlowEvent) => void },
): Promise<number> {
  const { source, digest, limiter, clock, onEvent } = options;
  const control = await conn.openBidi();
  const from = await agree(control, source, digest);
  onEvent({ type: "up", conn, from });
  let acked = from;
  let heardAt = clock.now();
  let wake = Promise.withResolvers<void>();
  const finished = Promise.withResolvers<void>();
  finished.promise.catch(() => {});
  const fail = (error: unknown): void => {
    finished.reject(error);
    wake.reject(error);
    wake.promise.catch(() => {});
  };
  const listen = async (): Promise<void> => {
    for (;;) {
      const message = await readFlow(control.receive);
      if (message === undefined) throw lost();
      heardAt = clock.now();
      if (message.type === "ack") {
        acked = Math.max(acked, message.written);
        source.forget(acked);
        onEvent({ type: "progress", bytes: acked, size: source.size });
        wake.resolve();
        wake = Promise.withResolvers();
      } else if (message.type === "done") return finished.resolve();
      else if (message.type === "wrong") throw wrong(message.why);
      else throw odd(message);
    }
  };
  listen().catch(fail);
  const over = new AbortController();
  let sent = from;
  const watch = async (): Promise<void> => {
    for (;;) {
      await clock.delay(1000, over.signal);
      if (sent > acked && clock.now() - heardAt > STALL_MS) throw lost();
    }
  };
  watch().catch((error) => over.signal.aborted ? undefined : fail(error));
  conn.closed.then(() => fail(lost()), fail);

  const lanes: Lane[] = [];
  const hasher = digest.hasher();
  const produce = async (): Promise<void> => {
    for (let turn = 0;; turn++) {
      while (sent - acked >= FLOW_WINDOW) await wake.promise;
      const bytes = await source.read(sent, FLOW_FRAME);
      if (bytes.length === 0) break;
      await limiter?.take(bytes.length, over.signal);
      if (sent === acked) heardAt = clock.now();
      hasher.update(bytes);
      const at = turn % FLOW_LANES;
      const lane = lanes[at] ??= laneOf(await conn.openUni());
      await lane.put(sent, bytes);
      sent += bytes.length;
    }
    for (const lane of lanes) await lane.end();
    heardAt = clock.now();
    await control.send.write(
      encodeFlow({ type: "end", total: sent, digest: hasher.digest() }),
    );
  };
  try {
    await Promise.race([
      produce().then(() => finished.promise),
      finished.promise,
    ]);
    return sent;
  } finally {
    over.abort();
  }
}

/** Finds the byte from which to go on, that both sides have the same bytes before. */
async function agree(
  control: BidiStream,
  source: FlowSource,
  digest: Digest,
): Promise<number> {
  const { start, size } = source;
  await control.send.write(encodeFlow({ type: "hello", start, size }));
  for (let tries = 0; tries < 2; tries++) {
    const answer = await readFlow(control.receive);
    if (answer === undefined) throw lost();
    if (answer.type === "wrong") throw wrong(answer.why);
    if (answer.type !== "start") throw odd(answer);
    const { base, from } = answer;
    const isThere = from >= start && (size === undefined || from <= size);
    const isSame = isThere && await hasSame(answer, source, digest);
    if (isSame && from < source.oldest()) {
      throw new SftpxError(
        "local-io",
        `Cannot go on at byte ${from}: what was read from the pipe before byte ${source.oldest()} is gone`,
      );
    }
    await control.send.write(encodeFlow({ type: "go", ok: isSame }));
    if (isSame) return from;
    if (from < start) throw wrong("skip");
    if (from === base) break; // it has nothing that it could drop
  }
  throw wrong("digest");
}

/** Whether the receiver's bytes are the source's; of a pipe nobody can tell. */
async function hasSame(
  { base, from, digest: theirs }: FlowMessage & { type: "start" },
  source: FlowSource,
  digest: Digest,
): Promise<boolean> {
  if (source.size === undefined || from === base) return true;
  const running = runningDigest(digest);
  for (let at = base; at < from;) {
    const bytes = await source.read(at, Math.min(FLOW_FRAME, from - at));
    if (bytes.length === 0) return false;
    running.update(bytes);
    at += bytes.length;
  }
  return equalBytes(running.digest(), theirs);
}

interface Lane {
  /** Writes when the one before is written. */
  put(offset: number, bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
}

function laneOf(stream: SendStream): Lane {
  let before: Promise<void> = Promise.resolve();
  return {
    async put(offset, bytes) {
      await before;
      before = writeFrame(stream, offset, bytes);
      before.catch(() => {}); // the next one hears of it
    },
    async end() {
      await before;
      await stream.end();
    },
  };
}

function lost(): SftpxError {
  return new SftpxError("connection-lost", "Cannot send: the line is dead");
}

function odd({ type }: FlowMessage): SftpxError {
  return new SftpxError("protocol", `Cannot send: the peer says ${type}`);
}

function wrong(why: "skip" | "digest" | "disk"): SftpxError {
  const reasons = {
    skip:
      "it skips bytes that the receiver does not have; give both the same skip",
    digest: "what the receiver has is of another file",
    disk: "the receiver cannot write",
  };
  return new SftpxError(
    why === "disk" ? "local-io" : "integrity",
    `Cannot send: ${reasons[why]}`,
  );
}
