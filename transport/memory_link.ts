/**
 * Two connections within the process that are each other's peer.
 *
 * @module
 */
import { type ErrorCode, ERRORS, SftpxError } from "../core/errors.ts";
import { memoryPipe, type Pipe } from "./memory_pipe.ts";
import { type Arrivals, arrivals, type Credit, credit } from "./queues.ts";
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
