/**
 * The control connection of a group: frames, signs of life, and last words.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import type { HostPort } from "./address.ts";
import { inOrder } from "./queues.ts";
import {
  encodeFrame,
  FRAME_BODY_BYTES,
  FRAME_HEAD_BYTES,
  type GroupFrame,
  readFrame,
} from "./tls_frames.ts";
import type { TlsSocket } from "./tls_socket.ts";

/** Frames over one connection. */
export interface ControlSocket {
  readonly remote: string;
  readonly peer: HostPort;
  /** Says something; what cannot be said is found out by reading. */
  say(frame: GroupFrame): Promise<void>;
  /** True while what was said last has not been taken. */
  readonly isBusy: boolean;
  /** The next frame; `undefined` at the end. */
  hear(): Promise<GroupFrame | undefined>;
  /** Says the last words and waits until they have arrived, or `lingerMs` are over. */
  farewell(frame: GroupFrame, clock: Clock, lingerMs: number): Promise<void>;
  close(): void;
}

/** Speaks frames over a connection. */
export function controlSocket(socket: TlsSocket): ControlSocket {
  const writes = inOrder();
  const ended = Promise.withResolvers<void>();
  const buffer = new Uint8Array(4 * (FRAME_HEAD_BYTES + FRAME_BODY_BYTES));
  let [from, to] = [0, 0];
  let pending = 0;
  const say = async (bytes: Uint8Array): Promise<void> => {
    pending++;
    try {
      await writes(() => socket.write(bytes));
    } catch {
      // whoever listens hears of it
    } finally {
      pending--;
    }
  };
  const hear = async (): Promise<GroupFrame | undefined> => {
    for (;;) {
      const read = readFrame(buffer.subarray(from, to));
      if (read !== undefined) {
        from += read.end;
        return read.frame;
      }
      buffer.copyWithin(0, from, to);
      [from, to] = [0, to - from];
      const count = await socket.read(buffer.subarray(to), 1);
      if (count === 0) return undefined;
      to += count;
    }
  };
  return {
    remote: socket.remote,
    peer: socket.peer,
    say: (frame) => say(encodeFrame(frame)),
    get isBusy() {
      return pending > 0;
    },
    async hear() {
      try {
        const frame = await hear();
        if (frame === undefined) ended.resolve();
        return frame;
      } catch (error) {
        ended.resolve();
        if (error instanceof SftpxError && error.code === "protocol") {
          socket.close();
        }
        throw error;
      }
    },
    async farewell(frame, clock, lingerMs) {
      const over = new AbortController();
      const late = clock.delay(lingerMs, over.signal).catch(() => {});
      const said = say(encodeFrame(frame)).then(() => socket.end())
        .then(() => ended.promise, () => {});
      await Promise.race([late, said]);
      over.abort();
      socket.close();
    },
    close: () => socket.close(),
  };
}
