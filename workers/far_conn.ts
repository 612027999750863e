/**
 * A connection that a lane Worker holds, as one of this thread.
 *
 * The first words of a conversation and preambles go through it as through any
 * other connection, so that who comes and with what proof is decided where it
 * always is. What is large does not: see {@linkcode FarSendStream} and
 * {@linkcode FarReceiveStream}.
 *
 * @module
 */
import type { BytesElsewhere } from "../store/root_file.ts";
import type {
  CloseInfo,
  Conn,
  ReceiveStream,
  SendStream,
} from "../transport/transport.ts";
import {
  type FarConnInfo,
  type FarFrame,
  type FarReport,
  type FarWork,
  THREAD_ROOM_BYTES,
} from "./lane_calls.ts";
import type { LaneThread } from "./lane_thread.ts";

/** A stream that a Worker writes: it takes leases. */
export interface FarSendStream extends SendStream {
  /** Has chunks read, hashed and sent; once `over` aborts, what is not begun is left. */
  lease(works: readonly FarWork[]): FarLease;
}

/** A lease that is under way. */
export interface FarLease {
  readonly report: Promise<FarReport>;
  /** What is not begun is left to others. */
  leave(): void;
}

/** A stream that a Worker reads: it gives frames. */
export interface FarReceiveStream extends ReceiveStream {
  /** The next frame; that before is forgotten. `undefined` at the end. */
  frame(maxBody: number): Promise<FarFrame | undefined>;
  /** Bytes of the frame that is there. */
  part(start: number, end: number): BytesElsewhere;
  /** Tells of bytes of the next frame while it comes; returns what ends that. */
  listen(heard: (bytes: number) => void): () => void;
}

/** A connection that a Worker holds. */
export interface FarConn extends Conn {
  /** What its thread has for frames, bytes. */
  readonly roomBytes: number;
}

/** Tells whether a connection is another thread's. */
export function isFarConn(conn: Conn): conn is FarConn {
  return "roomBytes" in conn;
}

/** Tells whether leases can be given to a stream. */
export function isFarSend(stream: SendStream): stream is FarSendStream {
  return "lease" in stream;
}

/** Tells whether frames can be taken from a stream. */
export function isFarReceive(
  stream: ReceiveStream,
): stream is FarReceiveStream {
  return "frame" in stream;
}

/** A connection of `thread`. */
export function farConn(
  thread: LaneThread,
  { conn, carrier, remote }: FarConnInfo,
): FarConn {
  const closed: Promise<CloseInfo> = thread.call("closed", [conn]);
  closed.catch(() => {}); // nobody must listen
  return {
    carrier,
    roomBytes: THREAD_ROOM_BYTES,
    remote,
    closed,
    async openBidi() {
      const stream = await thread.call("openBidi", [conn]);
      return {
        send: farSendStream(thread, stream),
        receive: farReceiveStream(thread, stream),
      };
    },
    async openUni(priority = 0) {
      const stream = await thread.call("openUni", [conn, priority]);
      return farSendStream(thread, stream);
    },
    async acceptBidi() {
      const stream = await thread.call("acceptBidi", [conn]);
      return stream === undefined ? undefined : {
        send: farSendStream(thread, stream),
        receive: farReceiveStream(thread, stream),
      };
    },
    async acceptUni() {
      const stream = await thread.call("acceptUni", [conn]);
      return stream === undefined
        ? undefined
        : farReceiveStream(thread, stream);
    },
    close(code, reason = "") {
      // A thread that is over has closed it.
      thread.call("close", [conn, code, reason]).catch(() => {});
    },
  };
}

function farSendStream(thread: LaneThread, stream: number): FarSendStream {
  let leases = 0;
  return {
    write: (bytes) => thread.call("write", [stream, bytes]),
    end: () => thread.call("end", [stream]),
    lease(works) {
      const id = `${stream}.${++leases}`;
      return {
        report: thread.call("lease", [stream, id, works]),
        leave: () => void thread.call("leave", [id]).catch(() => {}),
      };
    },
  };
}

function farReceiveStream(
  thread: LaneThread,
  stream: number,
): FarReceiveStream {
  return {
    readFully: (view) => thread.call("read", [stream, view.length, true]),
    readSome: (view) => thread.call("read", [stream, view.length, false]),
    cancel: () => thread.call("cancel", [stream]).catch(() => {}),
    frame: (maxBody) => thread.call("frame", [stream, maxBody]),
    listen: (heard) => thread.listen(stream, heard),
    part: (start, end) => ({
      length: end - start,
      writeTo: (place) => thread.call("place", [stream, start, end, place]),
      bring: (from) => thread.call("bring", [stream, start + from, end]),
    }),
  };
}
