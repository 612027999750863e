/**
 * A stream on a TLS connection of its own.
 *
 * Its end is the end of TLS, which a broken line cannot forge. Whoever does not
 * read on says so on the control connection of the group; that the stream's own
 * connection is closed then tells the opener that there is room for another.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { inOrder } from "./queues.ts";
import { closedError } from "./tls_errors.ts";
import { encodeHeader } from "./tls_frames.ts";
import type { TlsSocket } from "./tls_socket.ts";
import type { BidiStream } from "./transport.ts";

/** What a group hears of its streams. */
export interface StreamEvents {
  /** Our first byte goes now: what the stream is called. */
  readonly begin: () => number;
  /** Something came from the peer. */
  readonly heard: () => void;
  /** The peer is to learn that nobody reads on. */
  readonly stop: () => void;
  /** The connection broke: the group's too, unless the peer explains itself. */
  readonly broken: (error: unknown) => void;
  /** All is over, and the connection closed. */
  readonly done: () => void;
}

/** A stream, as its group sees it. */
export interface TlsStream extends BidiStream {
  /** The peer does not read on. */
  stopped(): void;
  /** The group is gone: whatever waits rejects. The connection is not freed. */
  fail(): void;
}

/** Which directions a stream has. */
export interface TlsStreamOptions {
  readonly bidi: boolean;
  /** True when we open it: then a header goes before the first byte. */
  readonly ours: boolean;
}

/** Bytes up to which a header and what follows are put together. */
const JOINED_BYTES = 16 * 1024;

/** Makes a stream of a connection. */
export function tlsStream(
  socket: TlsSocket,
  { bidi, ours }: TlsStreamOptions,
  events: StreamEvents,
): TlsStream {
  let isBegun = !ours;
  let sending: "open" | "ended" | "stopped" | "none" = bidi || ours
    ? "open"
    : "none";
  let receiving: "open" | "ended" | "cancelled" | "none" = bidi || !ours
    ? "open"
    : "none";
  let failed = false;
  let isDone = false;
  const reading = new Set<Reject>();
  const writing = new Set<Reject>();

  const finish = (): void => {
    if (isDone) return;
    isDone = true;
    socket.close();
    events.done();
  };
  /** Runs `task`, and rejects as soon as one of `rejects` is called. */
  const unlessGone = async <T>(
    rejects: Set<Reject>,
    task: () => Promise<T>,
  ): Promise<T> => {
    if (failed) throw closedError("go on with stream");
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    rejects.add(reject);
    task().then(resolve, reject);
    try {
      return await promise;
    } finally {
      rejects.delete(reject);
    }
  };

  // The receiving half.
  const watch = async (): Promise<void> => {
    try {
      const count = await socket.read(new Uint8Array(1), 1);
      if (count > 0) throw closedError("go on with stream");
      if (sending === "open") throw notRead();
    } catch (error) {
      if (sending === "open") broke(error);
    }
    finish();
  };
  const broke = (error: unknown): void => {
    if (failed || isDone) return;
    if (sending === "open") sending = "stopped";
    rejectAll(writing, notRead());
    events.broken(error);
  };
  const drain = async (): Promise<void> => {
    const trash = new Uint8Array(16 * 1024);
    try {
      while (await socket.read(trash, 1) > 0); // so that our own words arrive
    } catch {
      // gone, as wished
    }
    if (sending !== "open") finish();
  };
  const take = async (
    view: Uint8Array<ArrayBuffer>,
    least: number,
  ): Promise<Uint8Array<ArrayBuffer>> => {
    const { byteOffset, length } = view;
    // As with QUIC: the caller's view is of no use from here on.
    const into = new Uint8Array(view.buffer.transfer(), byteOffset, length);
    if (receiving !== "open") return into.subarray(0, 0);
    let count: number;
    try {
      count = await socket.read(into, least);
    } catch (error) {
      if (receiving !== "open") return into.subarray(0, 0);
      if (!failed) events.broken(error);
      throw error;
    }
    events.heard();
    if (count < least && receiving === "open") {
      receiving = "ended";
      if (sending !== "open") finish();
    }
    return into.subarray(0, count);
  };

  // The sending half.
  const put = async (bytes: Uint8Array): Promise<void> => {
    if (sending === "stopped") throw notRead();
    if (sending !== "open") {
      throw new SftpxError(
        "connection-lost",
        "Cannot write stream: it has ended",
      );
    }
    try {
      const isWanted = (): boolean => sending === "open";
      if (isBegun) return await socket.write(bytes, isWanted);
      isBegun = true;
      const first = encodeHeader({ bidi, id: events.begin() });
      if (bytes.length > JOINED_BYTES) {
        await socket.write(first);
        return await socket.write(bytes, isWanted);
      }
      const joined = new Uint8Array(first.length + bytes.length);
      joined.set(first);
      joined.set(bytes, first.length);
      await socket.write(joined);
    } catch (error) {
      if (sending === "open") broke(error);
      throw error;
    }
  };
  const end = async (): Promise<void> => {
    if (sending !== "open") return;
    if (!isBegun) await put(new Uint8Array(0));
    sending = "ended";
    await socket.end();
    if (receiving === "ended") finish();
  };

  const reads = inOrder();
  const writes = inOrder();
  if (receiving === "none") watch(); // never rejects
  return {
    send: {
      async write(bytes) {
        if (bytes.length === 0) return;
        await unlessGone(writing, () => writes(() => put(bytes)));
      },
      end: () => unlessGone(writing, () => writes(end)),
    },
    receive: {
      async readFully(view) {
        if (view.length === 0) return view;
        return await unlessGone(
          reading,
          () => reads(() => take(view, view.length)),
        );
      },
      async readSome(view) {
        if (view.length === 0) return view;
        return await unlessGone(reading, () => reads(() => take(view, 1)));
      },
      cancel() {
        if (receiving !== "open") return Promise.resolve();
        receiving = "cancelled";
        if (!failed) events.stop();
        if (bidi) reads(drain); // never rejects
        else finish();
        return Promise.resolve();
      },
    },
    stopped() {
      if (sending !== "open") return;
      sending = "stopped";
      rejectAll(writing, notRead());
      if (!bidi || receiving === "ended") return finish();
      // The peer reads what is under way, so that it can be ended.
      writes(() => socket.end()).catch(() => {});
    },
    fail() {
      failed = true;
      const error = closedError("go on with stream");
      rejectAll(reading, error);
      rejectAll(writing, error);
    },
  };
}

type Reject = (error: SftpxError) => void;

function rejectAll(rejects: Set<Reject>, error: SftpxError): void {
  for (const reject of rejects) reject(error);
  rejects.clear();
}

function notRead(): SftpxError {
  return new SftpxError(
    "connection-lost",
    "Cannot write stream: the peer does not read on",
  );
}
