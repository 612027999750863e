/**
 * One direction of a stream within the process: bytes that wait to be read, up
 * to a limit.
 *
 * It is as strict as the platform's QUIC: a read takes the caller's buffer
 * away, a write is done when the bytes are taken, reads and writes keep their
 * order.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { inOrder } from "./queues.ts";
import type { ReceiveStream, SendStream } from "./transport.ts";

/** Both ends of one direction. */
export interface Pipe {
  readonly send: SendStream;
  readonly receive: ReceiveStream;
  /** Ends everything that waits: the connection is gone. */
  fail(): void;
  /** Lets no byte through until it is thawed. */
  freeze(frozen: boolean): void;
}

/** What happens to a pipe, for those who count streams. */
export interface PipeEvents {
  /** The first byte, or the end: from here on the peer sees the stream. */
  readonly begun: () => void;
  /** Nothing more will be read. */
  readonly done: () => void;
}

/** Makes a pipe that holds `capacity` bytes. */
export function memoryPipe(capacity: number, events: PipeEvents): Pipe {
  const chunks: Uint8Array[] = [];
  let held = 0;
  let state: "open" | "ended" | "cancelled" | "gone" = "open";
  let frozen = false;
  let begun = false;
  let done = false;
  let changed = Promise.withResolvers<void>();

  const wake = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const begin = (): void => {
    if (!begun) events.begun();
    begun = true;
  };
  const finish = (): void => {
    if (!done) events.done();
    done = true;
  };
  const gone = (doing: string): SftpxError =>
    new SftpxError(
      "connection-lost",
      `Cannot ${doing}: the connection is gone`,
    );

  const put = async (bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.length;) {
      if (state === "gone") throw gone("write stream");
      if (state === "cancelled") {
        throw new SftpxError(
          "connection-lost",
          "Cannot write stream: the peer does not read on",
        );
      }
      if (state === "ended") {
        throw new SftpxError(
          "connection-lost",
          "Cannot write stream: it has ended",
        );
      }
      const room = frozen ? 0 : capacity - held;
      if (room === 0) {
        await changed.promise;
        continue;
      }
      const piece = bytes.slice(at, at + room);
      chunks.push(piece);
      held += piece.length;
      at += piece.length;
      begin();
      wake();
    }
  };

  const take = async (
    view: Uint8Array<ArrayBuffer>,
    min: number,
  ): Promise<Uint8Array<ArrayBuffer>> => {
    if (view.length === 0) return view;
    const { byteOffset, length } = view;
    // As the platform does: the caller's view is of no use from here on.
    const into = new Uint8Array(view.buffer.transfer(), byteOffset, length);
    let filled = 0;
    for (;;) {
      if (state === "gone") throw gone("read stream");
      if (state === "cancelled") return into.subarray(0, 0);
      while (!frozen && filled < length) {
        const chunk = chunks.shift();
        if (chunk === undefined) break;
        const piece = chunk.subarray(0, length - filled);
        into.set(piece, filled);
        filled += piece.length;
        held -= piece.length;
        if (piece.length < chunk.length) {
          chunks.unshift(chunk.subarray(piece.length));
        }
      }
      wake();
      if (filled >= min) return into.subarray(0, filled);
      if (state === "ended" && chunks.length === 0) {
        finish();
        return into.subarray(0, filled);
      }
      await changed.promise;
    }
  };

  const writes = inOrder();
  const reads = inOrder();
  return {
    send: {
      write: (bytes) => writes(() => put(bytes)),
      end: () =>
        writes(() => {
          if (state === "gone") throw gone("end stream");
          if (state === "open") state = "ended";
          begin();
          wake();
        }),
    },
    receive: {
      readFully: (view) => reads(() => take(view, view.length)),
      readSome: (view) => reads(() => take(view, 1)),
      cancel() {
        if (state !== "gone") state = "cancelled";
        chunks.length = 0;
        finish();
        wake();
        return Promise.resolve();
      },
    },
    fail() {
      state = "gone";
      chunks.length = 0;
      wake();
    },
    freeze(now) {
      frozen = now;
      wake();
    },
  };
}
