/**
 * Threads for connections: each connection that is dialled by one of these, and
 * each entrance that is opened, has a Worker of its own.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { Conn, Dialer, Listener } from "../transport/transport.ts";
import { farConn } from "./far_conn.ts";
import type { FarEntrance, FarPeer } from "./lane_calls.ts";
import {
  type LaneThread,
  type LaneThreadOptions,
  startLaneThread,
} from "./lane_thread.ts";

/** Threads of one transfer, or of one receiver. */
export interface LaneThreads {
  /** Threads at most. */
  readonly max: number;
  /** True while another can be started. */
  readonly hasRoom: boolean;
  /** Dials a peer from a thread of its own, which ends with the connection. */
  dialer(peer: FarPeer): Dialer;
  /** Listens on a thread of its own, which ends with the listener. */
  listen(entrance: FarEntrance): Promise<FarListener>;
  /** Ends all, once the last words are said. */
  close(): Promise<void>;
}

/** A listener on a thread of its own. */
export interface FarListener extends Listener {
  /** Ends all that came in by it, too. */
  close(): void;
  /** Resolves when it is no more. Never rejects. */
  readonly ended: Promise<unknown>;
}

/** What threads need. */
export interface LaneThreadsOptions extends LaneThreadOptions {
  readonly max: number;
}

/** How long the word that a connection is closed takes to be sent, ms. */
const FAREWELL_MS = 50;

/** Creates threads; none is started yet. */
export function createLaneThreads(options: LaneThreadsOptions): LaneThreads {
  const { clock, max } = options;
  const threads = new Set<LaneThread>();
  const leaving = new Set<Promise<void>>();
  let starting = 0;
  let isClosed = false;
  let isBroken = false; // one could not be started

  const hasRoom = (): boolean =>
    !isClosed && !isBroken && threads.size + starting < max;
  const start = async (): Promise<LaneThread> => {
    if (!hasRoom()) {
      throw new SftpxError("peer-busy", "Cannot start another thread: enough");
    }
    starting++;
    try {
      const thread = await startLaneThread(options);
      threads.add(thread);
      thread.ended.then(() => threads.delete(thread));
      if (isClosed) thread.end();
      return thread;
    } catch (error) {
      isBroken = true;
      throw error;
    } finally {
      starting--;
    }
  };
  /** The only connection of a thread: that ends with it, also one that answers no more. */
  const only = (thread: LaneThread, conn: Conn): Conn => {
    const over = Promise.withResolvers<void>();
    const gone = Promise.race([conn.closed.catch(() => {}), over.promise])
      .then(() => clock.delay(FAREWELL_MS))
      .then(() => thread.end())
      .finally(() => leaving.delete(gone));
    leaving.add(gone);
    return {
      ...conn,
      close(code, reason) {
        conn.close(code, reason);
        over.resolve();
      },
    };
  };

  return {
    max,
    get hasRoom() {
      return hasRoom();
    },
    dialer: (peer) => ({
      async dial(signal) {
        signal.throwIfAborted();
        const thread = await start();
        const stop = (): void => thread.end();
        signal.addEventListener("abort", stop);
        try {
          signal.throwIfAborted();
          const info = await thread.call("dial", [peer]);
          return only(thread, farConn(thread, info));
        } catch (error) {
          thread.end();
          throw error;
        } finally {
          signal.removeEventListener("abort", stop);
        }
      },
    }),
    async listen(entrance) {
      const { key } = entrance;
      let thread: LaneThread | undefined;
      try {
        thread = await start();
        const answer = thread.call("listen", [entrance], [key.buffer]);
        const { address } = await answer;
        return farListener(thread, address);
      } catch (error) {
        thread?.end();
        throw error;
      } finally {
        if (!key.buffer.detached) key.fill(0); // it did not get there
      }
    },
    async close() {
      isClosed = true;
      if (threads.size > 0) await clock.delay(FAREWELL_MS);
      for (const thread of threads) thread.end();
      await Promise.all(leaving);
    },
  };
}

function farListener(thread: LaneThread, address: string): FarListener {
  return {
    address,
    ended: thread.ended,
    close: () => thread.end(),
    async accept() {
      try {
        const info = await thread.call("accept", []);
        return info && farConn(thread, info);
      } catch {
        return undefined; // the thread is over, and so is this entrance
      }
    },
  };
}
