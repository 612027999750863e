/**
 * Connections that a client opens before they are needed: a stream then begins
 * at once, and the server, which cannot dial, has some to open streams on.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { TlsGroup } from "./tls_conn.ts";
import { closedError } from "./tls_errors.ts";
import type { SocketKind } from "./tls_frames.ts";
import type { TlsSocket } from "./tls_socket.ts";

/** What spares need. */
export interface SparesDeps {
  /** Opens a connection of the group. */
  readonly open: (
    kind: SocketKind,
    signal: AbortSignal,
  ) => Promise<TlsSocket>;
  readonly clock: Clock;
  /** Connections that the peer has to begin streams on. @default {2} */
  readonly lent?: number;
  /** How many streams of ours there will be, if that is known: they are all made ready, and none after. */
  readonly streams?: number;
}

/** Connections that are ready, of one group. */
export interface Spares {
  /** Opens the first ones, beside the group's control connection. */
  prepare(): void;
  /** A connection for a stream of ours. */
  take(): Promise<TlsSocket>;
  /** Lends connections to the peer, from now on until `close`. */
  lend(group: TlsGroup): void;
  /** Closes those that nobody uses. */
  close(): void;
}

/** Connections that are ready for streams of ours: control and manifest begin at once. */
const OWN = 2;
/** As {@linkcode SparesDeps.lent} has it. */
const LENT = 2;
/** A middlebox may have forgotten one that was silent for longer, ms. */
const FRESH_MS = 30_000;
/** Before another is lent when one could not be opened, ms. */
const AGAIN_MS = 1000;

interface Spare {
  readonly socket: Promise<TlsSocket>;
  readonly since: number;
}

/** Keeps connections ready. */
export function tlsSpares(
  { open, clock, lent: count = LENT, streams }: SparesDeps,
): Spares {
  const over = new AbortController();
  const { signal } = over;
  const own: Spare[] = [];
  const lent: Promise<TlsSocket>[] = [];
  const start = (kind: SocketKind): Promise<TlsSocket> => {
    const socket = open(kind, signal);
    socket.catch(() => {}); // whoever takes it hears of it
    return socket;
  };
  const drop = (socket: Promise<TlsSocket>): void => {
    socket.then((socket) => socket.close(), () => {});
  };
  const refill = (least = streams === undefined ? OWN : 0): void => {
    while (own.length < least && !signal.aborted) {
      own.push({ socket: start("client-stream"), since: clock.now() });
    }
  };
  const keepLent = async (
    first: Promise<TlsSocket>,
    group: TlsGroup,
  ): Promise<void> => {
    for (let next = first; !signal.aborted; next = start("server-stream")) {
      let socket: TlsSocket;
      try {
        socket = await next;
      } catch {
        // The peer goes on with what it has.
        await clock.delay(AGAIN_MS, signal);
        continue;
      }
      const began = clock.now();
      const isUsed = await group.join(socket);
      if (!isUsed && clock.now() - began < AGAIN_MS) {
        await clock.delay(AGAIN_MS, signal); // it does not want them
      }
    }
  };
  return {
    prepare() {
      refill(streams);
      while (lent.length < count) lent.push(start("server-stream"));
    },
    async take() {
      if (signal.aborted) throw closedError("open stream");
      for (;;) {
        const spare = own.shift();
        if (spare === undefined) {
          refill();
          return await start("client-stream");
        }
        if (clock.now() - spare.since <= FRESH_MS) {
          refill();
          // One that failed as a spare may go well now.
          return await spare.socket.catch(() => start("client-stream"));
        }
        drop(spare.socket);
      }
    },
    lend(group) {
      for (const socket of lent.splice(0)) {
        keepLent(socket, group).catch(() => {}); // over
      }
    },
    close() {
      over.abort();
      for (const { socket } of own.splice(0)) drop(socket);
      for (const socket of lent.splice(0)) drop(socket);
    },
  };
}
