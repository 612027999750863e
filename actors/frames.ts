/**
 * Frames over streams: the control channel, and the reading side of manifest
 * and status.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import {
  type ControlFrame,
  decodeControl,
  encodeControl,
} from "../protocol/control.ts";
import { createFrameReader, type Frame } from "../protocol/frame.ts";
import { readPreamble, type StreamKind } from "../protocol/lane.ts";
import type {
  BidiStream,
  ReceiveStream,
  SendStream,
} from "../transport/transport.ts";

/** Largest body of a control frame, bytes. */
export const CONTROL_BODY_BYTES = 16 * 1024;
/** Largest body of a manifest frame, bytes. */
export const MANIFEST_BODY_BYTES = 64 * 1024;
/** Largest body of a status frame, bytes. */
export const STATUS_BODY_BYTES = 1024 * 1024;
/** Bytes asked for in one read. */
const READ_BYTES = 64 * 1024;
/** Control writes that may wait for a peer to read. */
const MAX_UNWRITTEN = 1024;
/** A queue that holds more than this is not eased, bytes. */
const EASED_BYTES = 4 * 1024 * 1024;

/** Control frames, both ways. One reader, any number of writers. */
export interface ControlChannel {
  /** The next frame; `undefined` once the peer has ended the stream. Extensions are passed over. */
  read(): Promise<ControlFrame | undefined>;
  /**
   * Writes `frames` at once, after all that was written before.
   *
   * @throws {SftpxError} `protocol` when the peer has long not read any.
   */
  write(...frames: ControlFrame[]): Promise<void>;
}

/** Speaks control frames over `stream`. */
export function controlChannel(stream: BidiStream): ControlChannel {
  const batches = frameBatches(stream.receive, CONTROL_BODY_BYTES);
  const waiting: ControlFrame[] = [];
  const write = serialWriter(stream.send);
  let unwritten = 0;
  return {
    async read() {
      for (;;) {
        const control = waiting.shift();
        if (control !== undefined) return control;
        const frames = await batches();
        if (frames === undefined) return undefined;
        waiting.push(...frames.map(decodeControl).filter(isDefined));
      }
    },
    async write(...list) {
      if (unwritten >= MAX_UNWRITTEN) {
        throw new SftpxError(
          "protocol",
          "Cannot say more: the peer asks and does not read the answers",
        );
      }
      unwritten++;
      try {
        await write(joinBytes(list.map(encodeControl)));
      } finally {
        unwritten--;
      }
    },
  };
}

/**
 * Reads frames, as many at a time as have come; `undefined` at the end.
 *
 * @throws {SftpxError} `connection-lost` for an end within a frame.
 */
export function frameBatches(
  stream: ReceiveStream,
  maxBody: number,
): () => Promise<readonly Frame[] | undefined> {
  const reader = createFrameReader(maxBody);
  let buffer = new Uint8Array(READ_BYTES);
  return async () => {
    for (;;) {
      const got = await stream.readSome(buffer);
      if (got.length === 0) {
        if (reader.buffered === 0) return undefined;
        throw new SftpxError(
          "connection-lost",
          "Cannot read frame: the stream ended within it",
        );
      }
      reader.push(got);
      buffer = new Uint8Array(got.buffer);
      const frames: Frame[] = [];
      for (
        let frame = reader.next();
        frame !== undefined;
        frame = reader.next()
      ) frames.push(frame);
      if (frames.length > 0) return frames;
    }
  };
}

/** Frames on their way out: added without waiting, written in order by one task. */
export interface FrameQueue {
  /** True when all that was added is written, or on its way. */
  readonly isEmpty: boolean;
  /** Adds `frames`. Who adds them because of what a peer says waits for `eased` before it hears more. */
  push(...frames: Uint8Array[]): void;
  /** Waits until not too much waits to be written. */
  eased(signal: AbortSignal): Promise<void>;
  /** Writes what is there and what comes, until `signal` aborts. */
  run(stream: SendStream, signal: AbortSignal): Promise<void>;
}

/** Creates an empty queue. */
export function frameQueue(): FrameQueue {
  let waiting: Uint8Array[] = [];
  let unwritten = 0;
  let wake: () => void = () => {};
  let ease = Promise.withResolvers<void>();
  return {
    get isEmpty() {
      return waiting.length === 0;
    },
    push(...frames) {
      for (const frame of frames) {
        if (frame.length === 0) continue;
        waiting.push(frame);
        unwritten += frame.length;
      }
      wake();
    },
    async eased(signal) {
      while (unwritten > EASED_BYTES && !signal.aborted) {
        await untilAborted(ease.promise, signal);
      }
    },
    async run(stream, signal) {
      signal.addEventListener("abort", () => wake(), { once: true });
      while (!signal.aborted) {
        if (waiting.length === 0) {
          await new Promise<void>((resolve) => wake = resolve);
          continue;
        }
        const batch = waiting;
        waiting = [];
        const bytes = joinBytes(batch);
        await stream.write(bytes);
        unwritten -= bytes.length;
        ease.resolve();
        ease = Promise.withResolvers<void>();
      }
    },
  };
}

/** Reads what a one-way stream says of itself first; `undefined` when it says nothing. */
export async function readStreamPreamble(
  stream: ReceiveStream,
): Promise<{ readonly kind: StreamKind; readonly id: number } | undefined> {
  let bytes: Uint8Array = new Uint8Array();
  for (;;) {
    const got = await stream.readFully(new Uint8Array(1));
    if (got.length === 0) return undefined;
    bytes = joinBytes([bytes, got]);
    const preamble = readPreamble(bytes);
    if (preamble !== undefined) return preamble;
  }
}

/** Makes writes to one stream wait for each other, so that frames never interleave. */
export function serialWriter(
  stream: SendStream,
): (bytes: Uint8Array) => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  return (bytes) => {
    const turn = last.then(() => stream.write(bytes));
    last = turn.catch(() => {}); // the writer itself hears of it
    return turn;
  };
}

/** Joins `parts` into one array. */
export function joinBytes(
  parts: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * Waits for `work`, but no longer than until `signal` aborts: streams know
 * nothing of signals, and whoever waits for one may have to end before it does.
 * What becomes of the work then is nobody's concern.
 */
export async function untilAborted(
  work: Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const abort = (): void => resolve();
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) resolve();
  work.catch(() => {});
  try {
    await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function isDefined<T>(value: T | undefined): value is T {
  return value !== undefined;
}
