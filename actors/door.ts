/**
 * The door: where connections wait while nobody takes them in.
 *
 * A listener cannot be told that nobody waits for the next connection any more.
 * So the wait is kept here, for whoever asks next: a reception that starts
 * again finds the socket open, and nobody lost.
 *
 * @module
 */
import type { Conn, Listener } from "../transport/transport.ts";

/** Lets connections in, one at a time. */
export interface Door {
  /**
   * The next connection; `undefined` once the listener is closed. One caller at
   * a time; one that is aborted takes nothing.
   */
  next(signal: AbortSignal): Promise<Conn | undefined>;
  /** Closes the listener, and turns away who waits. */
  close(): void;
}

/** Makes the door of `listener`. */
export function createDoor(listener: Listener): Door {
  let coming: Promise<Conn | undefined> | undefined;
  return {
    async next(signal) {
      signal.throwIfAborted();
      const waiting = coming ??= listener.accept();
      const { promise: aborted, reject } = Promise.withResolvers<never>();
      const abort = (): void => reject(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      try {
        const conn = await Promise.race([waiting, aborted]);
        coming = undefined;
        return conn;
      } catch (error) {
        if (!signal.aborted) coming = undefined;
        throw error;
      } finally {
        signal.removeEventListener("abort", abort);
      }
    },
    close() {
      listener.close();
      coming?.then((conn) => conn?.close("peer-busy"), () => {});
      coming = undefined;
    },
  };
}
