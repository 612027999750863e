/**
 * An HTTP/2 connection of a client that asks one thing after another.
 *
 * It is our own because it must run over a connection whose certificate was
 * pinned before the first byte, which `fetch` cannot be given, and must neither
 * reconnect nor pool behind our back: a session of XFTP belongs to one
 * connection. The client of `node:http2` grants 64 KiB at a time.
 *
 * @module
 */
import { concatBytes } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";
import type { Bytes } from "./encoding.ts";
import { bodyFrames } from "./client_h2_body.ts";
import {
  FIRST_WINDOW,
  FLAG,
  FRAME,
  frame,
  FRAME_HEAD,
  type FrameHead,
  MAX_FRAME,
  MAX_WINDOW,
  PREFACE,
  readFrameHead,
  requestHeaders,
  resetFrame,
  settingsFrame,
  statusOf,
  windowFrame,
} from "./client_h2_frames.ts";

/** What it runs over. */
export interface ByteStream {
  /** Reads some bytes; `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes. */
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** A connection. */
export interface H2Client {
  /** Bytes of bodies that have gone out or come in. */
  readonly moved: number;
  /**
   * Says `POST /` with a body in parts, and waits until it is being answered.
   * The answer before must have been read to its end, or cancelled.
   */
  post(
    headers: Readonly<Record<string, string>>,
    body: readonly Uint8Array[],
  ): Promise<H2Answer>;
  /** Ends it; what waits fails with `error`. */
  close(error?: SftpxError): void;
}

/** An answer, as it comes in. */
export interface H2Answer {
  /** `undefined` if it cannot be read. */
  readonly status: number | undefined;
  /** Fills `into` as far as there is something; less is the end. */
  read(into: Uint8Array): Promise<number>;
}

/** May be on its way to us: two chunks of the largest size. */
const OUR_WINDOW = 8 * 1024 * 1024;
/** Said once for so much, and not for every frame. */
const GRANT_BYTES = 256 * 1024;
const READ_BYTES = 256 * 1024;
const WRITE_BYTES = 256 * 1024;
const MAX_HEADER_BLOCK = 64 * 1024;
/** Answers to pings and settings that nobody took yet; more is an attack. */
const MAX_UNSENT = 1000;
const CANCEL = 8;

/** Where a request stands. */
interface Exchange {
  readonly stream: number;
  /** Bytes that the router lets us send. */
  window: number;
  status: number | undefined;
  headers: Bytes | undefined;
  isAnswered: boolean;
  /** The router has said all. */
  isEnded: boolean;
  /** The router wants no more of the body. */
  isRefused: boolean;
  readonly pieces: Bytes[];
}

/** Starts HTTP/2. @param remote Whom errors are to name. */
export function h2Client(
  stream: ByteStream,
  authority: string,
  remote: string,
): H2Client {
  let failure: SftpxError | undefined;
  let exchange: Exchange | undefined;
  let nextStream = 1;
  let window = FIRST_WINDOW;
  let firstWindow = FIRST_WINDOW;
  let unsent = 0;
  let queued = 0;
  let taken = 0;
  let moved = 0;
  let writing: Promise<void> = Promise.resolve();
  let changed = Promise.withResolvers<void>();

  const wake = (): void => {
    changed.resolve();
    changed = Promise.withResolvers<void>();
  };
  const fail = (error: SftpxError): void => {
    if (failure !== undefined) return;
    failure = error;
    stream.close();
    wake();
  };
  const check = (): void => {
    if (failure !== undefined) throw failure;
  };
  const lost = (cause?: unknown): SftpxError =>
    new SftpxError(
      "connection-lost",
      `Cannot go on with router "${remote}": the connection was lost`,
      cause,
    );
  const broken = (reason: string): SftpxError =>
    new SftpxError(
      "protocol",
      `Cannot understand router "${remote}": ${reason}`,
    );

  const write = (bytes: Uint8Array, isBody = false): Promise<void> => {
    const before = writing;
    writing = (async () => {
      await before;
      check();
      for (let rest = bytes; rest.length > 0;) {
        const count = await stream.write(rest);
        if (isBody) moved += count;
        rest = rest.subarray(count);
      }
    })().catch((error) => {
      fail(error instanceof SftpxError ? error : lost(error));
    });
    return writing.then(check);
  };
  /** Says something short without waiting for it. */
  const say = (bytes: Uint8Array): void => {
    if (++unsent > MAX_UNSENT) {
      fail(broken("it asks for more answers than it takes"));
      return;
    }
    write(bytes).then(() => unsent--, () => {}); // `failure` has it
  };

  /** Lets the router send as much again as we have taken in. */
  const grant = (bytes: number): void => {
    taken += bytes;
    if (taken >= GRANT_BYTES) {
      say(windowFrame(0, taken));
      taken = 0;
    }
  };

  const onData = (head: FrameHead, payload: Bytes): void => {
    const current = exchange?.stream === head.stream ? exchange : undefined;
    if (current === undefined) { // of a stream that we gave up
      grant(head.length);
      return;
    }
    if (!current.isAnswered || current.isEnded) {
      throw broken("it sends a body without headers");
    }
    const padding = head.flags & FLAG.padded ? 1 + (payload[0] ?? 0) : 0;
    if (padding > payload.length) {
      throw broken("a frame is shorter than it says");
    }
    const from = head.flags & FLAG.padded ? 1 : 0;
    const bytes = payload.slice(from, payload.length - padding + from);
    grant(head.length - bytes.length);
    queued += bytes.length;
    moved += bytes.length;
    if (queued > OUR_WINDOW) throw broken("it sends more than it may");
    if (bytes.length > 0) current.pieces.push(bytes);
    const isLast = (head.flags & FLAG.endStream) !== 0;
    if (isLast) current.isEnded = true;
    wake();
  };
  const onHeaders = (head: FrameHead, payload: Bytes): void => {
    if (exchange?.stream !== head.stream) return;
    if (head.flags & FLAG.endStream && head.type === FRAME.headers) {
      exchange.isEnded = true;
    }
    let block = payload;
    if (head.type === FRAME.headers) {
      const padding = head.flags & FLAG.padded ? payload[0] ?? 0 : 0;
      const from = (head.flags & FLAG.padded ? 1 : 0) +
        (head.flags & FLAG.priority ? 5 : 0);
      if (from + padding > payload.length) {
        throw broken("a frame is shorter than it says");
      }
      block = payload.subarray(from, payload.length - padding);
    }
    const all = concatBytes(exchange.headers ?? new Uint8Array(), block);
    if (all.length > MAX_HEADER_BLOCK) throw broken("its headers are too long");
    exchange.headers = all;
    if (head.flags & FLAG.endHeaders) {
      const status = statusOf(all);
      exchange.headers = undefined;
      const isFinal = status === undefined || status >= 200;
      if (!exchange.isAnswered && isFinal) {
        exchange.status = status;
        exchange.isAnswered = true;
      }
      wake();
    }
  };
  const onSettings = (head: FrameHead, payload: Bytes): void => {
    if (head.flags & FLAG.ack) return;
    const view = new DataView(payload.buffer, payload.byteOffset);
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      if (view.getUint16(at) !== 4) continue;
      const value = view.getUint32(at + 2);
      if (value > MAX_WINDOW) throw broken("its window is too large");
      if (exchange !== undefined) exchange.window += value - firstWindow;
      firstWindow = value;
    }
    say(frame(FRAME.settings, FLAG.ack, 0, new Uint8Array()));
    wake();
  };
  const onFrame = (head: FrameHead, payload: Bytes): void => {
    const view = new DataView(payload.buffer, payload.byteOffset);
    switch (head.type) {
      case FRAME.data:
        return onData(head, payload);
      case FRAME.headers:
      case FRAME.continuation:
        return onHeaders(head, payload);
      case FRAME.settings:
        return onSettings(head, payload);
      case FRAME.window: {
        if (payload.length !== 4) throw broken("a frame has a wrong length");
        const more = view.getUint32(0) & MAX_WINDOW;
        if (head.stream === 0) window += more;
        else if (exchange?.stream === head.stream) exchange.window += more;
        if (window > MAX_WINDOW) throw broken("its window is too large");
        return wake();
      }
      case FRAME.ping:
        if (payload.length !== 8) throw broken("a frame has a wrong length");
        if ((head.flags & FLAG.ack) === 0) {
          say(frame(FRAME.ping, FLAG.ack, 0, payload.slice()));
        }
        return;
      case FRAME.reset:
        if (exchange?.stream !== head.stream) return;
        if (
          exchange.isEnded && payload.length === 4 && view.getUint32(0) === 0
        ) {
          exchange.isRefused = true; // answered without reading all: that is fine
          return wake();
        }
        throw lost(new Error("the router gave up the request"));
      case FRAME.goAway:
        throw lost(new Error("the router closes the connection"));
      case FRAME.push:
        throw broken("it sends what nobody asked for");
      default:
        return;
    }
  };

  const listen = async (): Promise<void> => {
    const buffer = new Uint8Array(READ_BYTES);
    let held = 0;
    for (;;) {
      const count = await stream.read(buffer.subarray(held));
      if (count === null) throw lost();
      held += count;
      let at = 0;
      while (held - at >= FRAME_HEAD) {
        const head = readFrameHead(buffer.subarray(at, at + FRAME_HEAD));
        if (head.length > MAX_FRAME) throw broken("a frame is too long");
        const end = at + FRAME_HEAD + head.length;
        if (end > held) break;
        onFrame(head, buffer.subarray(at + FRAME_HEAD, end));
        at = end;
      }
      buffer.copyWithin(0, at, held);
      held -= at;
    }
  };
  listen().catch((error) =>
    fail(error instanceof SftpxError ? error : lost(error))
  );

  /** Sends a body as far as it is wanted. */
  const sendBody = async (
    current: Exchange,
    parts: readonly Uint8Array[],
  ): Promise<void> => {
    const body = bodyFrames(parts);
    const batch = new Uint8Array(WRITE_BYTES);
    while (body.left > 0) {
      const allowed = Math.min(window, current.window);
      const { filled, sent } = body.fill(batch, current.stream, allowed);
      window -= sent;
      current.window -= sent;
      check();
      if (current.isEnded || current.isRefused) {
        if (!current.isRefused) say(resetFrame(current.stream, CANCEL));
        return;
      }
      if (filled === 0) await changed.promise;
      else await write(batch.subarray(0, filled), true);
    }
  };

  // Settings: no table of headers, no push, our window; then the connection's.
  say(concatBytes(
    PREFACE,
    settingsFrame([[1, 0], [2, 0], [4, OUR_WINDOW]]),
    windowFrame(0, OUR_WINDOW - FIRST_WINDOW),
  ));

  return {
    get moved() {
      return moved;
    },
    async post(headers, body) {
      check();
      if (exchange !== undefined && !exchange.isEnded) {
        throw new RangeError("Cannot ask as the answer before was not read");
      }
      const current: Exchange = exchange = {
        stream: nextStream,
        window: firstWindow,
        status: undefined,
        headers: undefined,
        isAnswered: false,
        isEnded: false,
        isRefused: false,
        pieces: [],
      };
      nextStream += 2;
      const isEmpty = body.every((part) => part.length === 0);
      await write(frame(
        FRAME.headers,
        FLAG.endHeaders | (isEmpty ? FLAG.endStream : 0),
        current.stream,
        requestHeaders(authority, headers),
      ));
      await sendBody(current, body);
      while (!current.isAnswered) {
        check();
        await changed.promise;
      }
      return { status: current.status, read: (into) => read(current, into) };
    },
    close(error) {
      fail(error ?? lost(new Error("we closed it")));
    },
  };

  async function read(current: Exchange, into: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < into.length) {
      const piece = current.pieces[0];
      if (piece === undefined) {
        if (current.isEnded) break;
        check();
        await changed.promise;
        continue;
      }
      const part = piece.subarray(0, into.length - filled);
      into.set(part, filled);
      filled += part.length;
      queued -= part.length;
      grant(part.length);
      if (part.length === piece.length) current.pieces.shift();
      else current.pieces[0] = piece.subarray(part.length);
    }
    return filled;
  }
}
