/**
 * A dialer that can begin before it is known whether its connection is wanted:
 * what is over by then need not be waited for.
 *
 * @module
 */
import type { Conn, Dialer } from "./transport.ts";

/** A dialer with a head start. */
export interface AheadDialer extends Dialer {
  /** Begins to dial for who dials next; once. */
  begin(): void;
  /** Closes what nobody took. Dials go on as usual. */
  close(): void;
}

/** Makes one of another. */
export function aheadDialer(dialer: Dialer): AheadDialer {
  const over = new AbortController();
  let begun: Promise<Conn> | undefined;
  let hasBegun = false;
  const take = (): Promise<Conn> | undefined => {
    const taken = begun;
    begun = undefined;
    return taken;
  };
  return {
    begin() {
      if (hasBegun || over.signal.aborted) return;
      hasBegun = true;
      begun = dialer.dial(over.signal);
      begun.catch(() => {}); // who takes it hears of it
    },
    async dial(signal) {
      const taken = take();
      if (taken === undefined) return await dialer.dial(signal);
      signal.throwIfAborted();
      const { promise, reject } = Promise.withResolvers<never>();
      const abort = (): void => {
        taken.then((conn) => conn.close(), () => {}); // nobody wants it
        reject(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
      try {
        return await Promise.race([taken, promise]);
      } finally {
        signal.removeEventListener("abort", abort);
      }
    },
    close() {
      take()?.then((conn) => conn.close(), () => {});
      over.abort();
    },
  };
}
