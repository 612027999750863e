/**
 * Two connections within the process that are each other's peer.
 *
 * @module
 */
import { type ErrorCode, ERRORS, SftpxError } from "../core/errors.ts";
import { memoryPipe, type Pipe } from "./memory_pipe.ts";
import { closeCode } from "./quic_errors.ts";
import type {
  BidiStream,
  CloseInfo,
  Conn,
  ReceiveStream,
} from "./transport.ts";

/** How much a link holds. */
export interface LinkOptions {
  /** Bytes that a stream holds unread. */
  readonly bufferBytes: number;
  /** Streams of one direction that an end may have open. */
  readonly maxUniStreams: number;
  /** Streams of both directions that an end may have open. */
  readonly maxBidiStreams: number;
}

/** Both ends, and what can happen to them. */
export interface Link {
  readonly ends: readonly [Conn, Conn];
  /** The connection is lost, on both ends. */
  lose(): void;
  /** Nothing moves until it is thawed. */
  freeze(frozen: boolean): void;
  /** What `ends[to]` sees of its peer's address from now on. */
  move(to: 0 | 1, remote: string): void;
}

/** Makes a link; `remotes[i]` is what `ends[i]` sees of its peer. */
export function memoryLink(
  remotes: readonly [string, string],
  options: LinkOptions,
): Link {
  const seen = [...remotes];
  const pipes = new Set<Pipe>();
  const accepts = {
    uni: [arrivals<ReceiveStream>(), arrivals<ReceiveStream>()],
    bidi: [arrivals<BidiStream>(), arrivals<BidiStream>()],
  } as const;
  const credits = {
    uni: [credit(options.maxUniStreams), credit(options.maxUniStreams)],
    bidi: [credit(options.maxBidiStreams), credit(options.maxBidiStreams)],
  } as const;
  const closed = [
    Promise.withResolvers<CloseInfo>(),
    Promise.withResolvers<CloseInfo>(),
  ] as const;
  for (const { promise } of closed) promise.catch(() => {}); // nobody must listen
  let gone = false;
  let frozen = false;

  const finish = (settle: () => void): void => {
    if (gone) return;
    gone = true;
    settle();
    for (const pipe of pipes) pipe.fail();
    pipes.clear();
    const all = [
      ...accepts.uni,
      ...accepts.bidi,
      ...credits.uni,
      ...credits.bidi,
    ];
    for (const one of all) one.close();
  };
  const pipe = (begun: () => void, done: () => void): Pipe => {
    const made: Pipe = memoryPipe(options.bufferBytes, {
      begun,
      done() {
        pipes.delete(made);
        done();
      },
    });
    made.freeze(frozen);
    pipes.add(made);
    return made;
  };

  const end = (me: 0 | 1): Conn => {
    const peer = me === 0 ? 1 : 0;
    const take = async (credits: Credit): Promise<void> => {
      await credits.take();
      if (gone) {
        throw new SftpxError(
          "connection-lost",
          "Cannot open stream: the connection is gone",
        );
      }
    };
    const next = async <T>(from: Arrivals<T>): Promise<T | undefined> => {
      const stream = await from.take();
      if (stream === undefined) await closed[me].promise; // rejects when lost
      return stream;
    };
    return {
      get remote() {
        return seen[me] ?? "";
      },
      closed: closed[me].promise,
      async openUni() {
        await take(credits.uni[me]);
        const { send, receive } = pipe(
          () => accepts.uni[peer].put(receive),
          () => credits.uni[me].give(),
        );
        return send;
      },
      async openBidi() {
        await take(credits.bidi[me]);
        let open = 2;
        const done = (): void => {
          if (--open === 0) credits.bidi[me].give();
        };
        const back = pipe(() => {}, done);
        const forth = pipe(
          () =>
            accepts.bidi[peer].put({ send: back.send, receive: forth.receive }),
          done,
        );
        return { send: forth.send, receive: back.receive };
      },
      acceptUni: () => next(accepts.uni[me]),
      acceptBidi: () => next(accepts.bidi[me]),
      close(code, reason = "") {
        finish(() => {
          closed[me].resolve({ code, reason, remote: false });
          closed[peer].resolve({ code: travelled(code), reason, remote: true });
        });
      },
    };
  };

  return {
    ends: [end(0), end(1)],
    lose() {
      finish(() => {
        for (const [i, { reject }] of closed.entries()) {
          reject(
            new SftpxError(
              "connection-lost",
              `Cannot go on with "${seen[i]}": the connection was lost`,
            ),
          );
        }
      });
    },
    freeze(now) {
      frozen = now;
      for (const pipe of pipes) pipe.freeze(now);
    },
    move(to, remote) {
      seen[to] = remote;
    },
  };
}

/** What arrives of `code`: only its number travels. */
function travelled(code: ErrorCode | undefined): ErrorCode | undefined {
  return code === undefined ? undefined : closeCode(ERRORS[code].close);
}

interface Arrivals<T> {
  put(stream: T): void;
  /** `undefined` once closed. */
  take(): Promise<T | undefined>;
  close(): void;
}

/** Streams in the order of their first bytes. */
function arrivals<T>(): Arrivals<T> {
  const waiting: T[] = [];
  const takers: ((stream: T | undefined) => void)[] = [];
  let open = true;
  return {
    put(stream) {
      const taker = takers.shift();
      if (taker === undefined) waiting.push(stream);
      else taker(stream);
    },
    take() {
      const stream = waiting.shift();
      if (stream !== undefined || !open) return Promise.resolve(stream);
      const { promise, resolve } = Promise.withResolvers<T | undefined>();
      takers.push(resolve);
      return promise;
    },
    close() {
      open = false;
      waiting.length = 0;
      for (const taker of takers.splice(0)) taker(undefined);
    },
  };
}

interface Credit {
  /** Waits until a stream may be opened, or the link is gone. */
  take(): Promise<void>;
  give(): void;
  close(): void;
}

/** Counts open streams. */
function credit(limit: number): Credit {
  let left = limit;
  let open = true;
  const takers: (() => void)[] = [];
  return {
    take() {
      if (left > 0 || !open) {
        left--;
        return Promise.resolve();
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      takers.push(resolve);
      return promise;
    },
    give() {
      const taker = takers.shift();
      if (taker === undefined) left++;
      else taker();
    },
    close() {
      open = false;
      for (const taker of takers.splice(0)) taker();
    },
  };
}
