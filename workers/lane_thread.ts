/**
 * This side of a lane Worker: starts it, asks it, and sees when it has died.
 *
 * A Worker that has died is a connection that is lost: all that it was asked
 * fails with `connection-lost`, and so does what it is asked from then on.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { SftpxError, sftpxErrorOf } from "../core/errors.ts";
import type { LaneAnswer, LaneCall, LaneCalls } from "./lane_calls.ts";
import { spawnLaneWorker } from "./lane_worker.ts";

/** A Worker that holds connections. */
export interface LaneThread {
  /** Asks it; what is in `transfer` is moved over. */
  call<K extends keyof LaneCalls>(
    call: K,
    args: Parameters<LaneCalls[K]>,
    transfer?: Transferable[],
  ): ReturnType<LaneCalls[K]>;
  /** Tells `heard` of what comes over a stream, until it is told to stop. */
  listen(stream: number, heard: (bytes: number) => void): () => void;
  /** Resolves when it is there no more, with why if it died. Never rejects. */
  readonly ended: Promise<SftpxError | undefined>;
  /** Ends it at once, also as one that has died. */
  end(error?: SftpxError): void;
}

/** What a thread needs. */
export interface LaneThreadOptions {
  readonly clock: Clock;
  /** Starts the Worker. @default {spawnLaneWorker} */
  readonly spawn?: () => Worker;
}

/** How often a Worker that has something to do is asked whether it is there, ms. */
const PING_MS = 2000;
/** How long it may take to answer: a disk that hangs has its own threads, ms. */
const SILENT_MS = 10_000;
/** How long a Worker may take to start, ms. */
const START_MS = 10_000;
/**
 * A Worker that is gone may have left a write to the system. For so long its
 * file is taken to be written to, so that nobody closes or uses it anew, ms.
 */
const SETTLE_MS = 2000;

/**
 * Starts a Worker and waits until it listens.
 *
 * @throws {SftpxError} `internal` when it does not come up.
 */
export async function startLaneThread(
  { clock, spawn = spawnLaneWorker }: LaneThreadOptions,
): Promise<LaneThread> {
  const waiting = new Map<number, Waiting>();
  const listeners = new Map<number, (bytes: number) => void>();
  const ready = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<SftpxError | undefined>();
  const own = new AbortController();
  let over: SftpxError | undefined;
  let lastId = 0;

  const end = (error?: SftpxError): void => {
    if (over !== undefined) return;
    over = error ??
      new SftpxError("connection-lost", "Cannot go on: the thread has ended");
    const why = over;
    worker.terminate();
    own.abort();
    ready.reject(why);
    for (const { call, reject } of waiting.values()) {
      if (call !== "place") reject(why);
      else clock.delay(SETTLE_MS).then(() => reject(why));
    }
    waiting.clear();
    listeners.clear();
    ended.resolve(error);
  };
  const hear = (answer: LaneAnswer): void => {
    switch (answer.type) {
      case "ready":
        return ready.resolve();
      case "arrived":
        return listeners.get(answer.stream)?.(answer.bytes);
      case "done":
        waiting.get(answer.id)?.resolve(answer.value);
        break;
      case "failed": {
        const { code, message } = answer.failure;
        waiting.get(answer.id)?.reject(new SftpxError(code, message));
      }
    }
    waiting.delete(answer.id);
  };

  let worker: Worker;
  try {
    worker = spawn();
  } catch (error) {
    throw cannotStart(String(error), error);
  }
  worker.onmessage = ({ data }: MessageEvent<LaneAnswer>) => {
    if (over === undefined) hear(data);
  };
  worker.onerror = (event) => {
    event.preventDefault(); // or it would end the process
    end(
      new SftpxError(
        "connection-lost",
        `Cannot go on: a thread has died: ${event.message}`,
      ),
    );
  };

  const started = new AbortController();
  try {
    await Promise.race([
      ready.promise,
      clock.delay(START_MS, started.signal).then(() => {
        throw new Error("it does not answer");
      }),
    ]);
  } catch (error) {
    end();
    throw cannotStart(error instanceof Error ? error.message : "", error);
  } finally {
    started.abort();
  }

  const call: LaneThread["call"] = (call, args, transfer = []) => {
    const answer = new Promise<unknown>((resolve, reject) => {
      if (over !== undefined) return reject(over);
      const id = ++lastId;
      const asked: LaneCall = { id, call, args };
      waiting.set(id, { call, resolve, reject });
      try {
        worker.postMessage(asked, transfer);
      } catch (error) { // what was given cannot be sent over
        waiting.delete(id);
        reject(error);
      }
    });
    return answer as ReturnType<LaneCalls[typeof call]>;
  };
  /** Sees when it does not answer any more; ends with it. */
  const watch = async (): Promise<void> => {
    for (;;) {
      await clock.delay(PING_MS, own.signal);
      if (waiting.size === 0) continue;
      const heard = new AbortController();
      const either = AbortSignal.any([own.signal, heard.signal]);
      await Promise.race([
        call("ping", []),
        clock.delay(SILENT_MS, either).then(() => {
          throw new SftpxError(
            "connection-lost",
            "Cannot go on: a thread does not answer",
          );
        }),
      ]).finally(() => heard.abort());
    }
  };
  watch().catch((error) => end(sftpxErrorOf(error)));

  return {
    ended: ended.promise,
    end,
    listen(stream, heard) {
      listeners.set(stream, heard);
      return () => listeners.delete(stream);
    },
    call,
  };
}

interface Waiting {
  readonly call: keyof LaneCalls;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

function cannotStart(reason: string, cause: unknown): SftpxError {
  return new SftpxError(
    "internal",
    `Cannot start a thread for a connection: ${reason}`,
    cause,
  );
}
