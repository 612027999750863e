/**
 * Messages over a stream, to a helper or from a peer.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { inOrder } from "../transport/queues.ts";
import type { BidiStream } from "../transport/transport.ts";
import {
  decodeBody,
  decodeHeader,
  encodeMessage,
  HEADER_LENGTH,
  type Message,
} from "./messages.ts";

/** Messages, both ways. */
export interface Channel {
  /** The next message; `undefined` once the other has ended the stream. One reader at a time. */
  read(): Promise<Message | undefined>;
  /** Says `message`, after all that was said before. */
  write(message: Message): Promise<void>;
  /** Says no more, and listens no more. Never rejects. */
  close(): Promise<void>;
}

/** Speaks messages over `stream`. */
export function createChannel({ send, receive }: BidiStream): Channel {
  const writes = inOrder();
  const readAll = async (
    length: number,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    if (length === 0) return new Uint8Array();
    const got = await receive.readFully(new Uint8Array(length));
    return got.length === length ? got : undefined;
  };
  return {
    async read() {
      const header = await readAll(HEADER_LENGTH);
      if (header === undefined) return undefined;
      const { type, length } = decodeHeader(header);
      const body = await readAll(length);
      return body && decodeBody(type, body);
    },
    write: (message) => writes(() => send.write(encodeMessage(message))),
    async close() {
      await Promise.allSettled([writes(() => send.end()), receive.cancel()]);
    },
  };
}

/**
 * Waits for `work`, `ms` at most.
 *
 * @throws {SftpxError} `unreachable` that says `what` when it takes longer.
 */
export async function within<T>(
  work: Promise<T>,
  ms: number,
  what: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<T> {
  const done = new AbortController();
  const late = clock.delay(ms, AbortSignal.any([signal, done.signal]))
    .then((): never => {
      throw new SftpxError("unreachable", what);
    });
  late.catch(() => {});
  work.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    done.abort();
  }
}
