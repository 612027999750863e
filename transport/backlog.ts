/**
 * Connections that came in and wait to be accepted.
 *
 * @module
 */
import type { Conn } from "./transport.ts";

/** First come, first accepted; a connection that ends while it waits is forgotten. */
export interface Backlog {
  /** How many connections wait. */
  readonly size: number;
  put(conn: Conn): void;
  /** The next connection; `undefined` once closed. */
  take(): Promise<Conn | undefined>;
  /** Turns away whoever waits, on either side. */
  close(): void;
}

/** Makes an empty backlog. */
export function backlog(): Backlog {
  const waiting = new Set<Conn>();
  const takers: ((conn: Conn | undefined) => void)[] = [];
  let open = true;
  return {
    get size() {
      return waiting.size;
    },
    put(conn) {
      const taker = takers.shift();
      if (taker !== undefined) return taker(conn);
      if (!open) return conn.close("peer-busy", "not listening");
      waiting.add(conn);
      const forget = (): void => {
        waiting.delete(conn);
      };
      conn.closed.then(forget, forget);
    },
    take() {
      const [conn] = waiting;
      if (conn !== undefined) {
        waiting.delete(conn);
        return Promise.resolve(conn);
      }
      if (!open) return Promise.resolve(undefined);
      const { promise, resolve } = Promise.withResolvers<Conn | undefined>();
      takers.push(resolve);
      return promise;
    },
    close() {
      open = false;
      for (const taker of takers.splice(0)) taker(undefined);
      for (const conn of waiting) conn.close("peer-busy", "not listening");
      waiting.clear();
    },
  };
}
