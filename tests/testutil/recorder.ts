/**
 * A neighbour that only listens: an address that keeps what it is told.
 *
 * @module
 */
import type { Address } from "../../core/mailbox.ts";

/** An address that keeps its messages for the test to look at. */
export interface Recorder<M> extends Address<M> {
  /** All messages, oldest first. */
  readonly messages: readonly M[];
  readonly size: number;
  /** While true, `offer` is refused and `send` waits: a neighbour that is slow. */
  full: boolean;
  /** Takes out all messages. */
  drain(): M[];
  /** Resolves with the first message that fits, of those that are here or come. */
  next<N extends M>(fits: (message: M) => message is N): Promise<N>;
  next(fits?: (message: M) => boolean): Promise<M>;
}

/** Creates a recorder, with room for everything. */
export function recorder<M>(name = "recorder"): Recorder<M> {
  let messages: M[] = [];
  let full = false;
  let watchers: (() => boolean)[] = [];
  const changed = (): void => {
    const watching = watchers;
    watchers = []; // before: who is woken may bring the next change
    for (const done of watching) if (!done()) watchers.push(done);
  };
  const keep = (message: M): void => {
    messages.push(message);
    changed();
  };
  const next = (fits: (message: M) => boolean = () => true): Promise<M> =>
    new Promise((resolve) => {
      const look = (): boolean => {
        const found = messages.findIndex(fits);
        if (found >= 0) resolve(messages[found] as M);
        return found >= 0;
      };
      if (!look()) watchers.push(look);
    });
  return {
    name,
    get messages() {
      return messages;
    },
    get size() {
      return messages.length;
    },
    get full() {
      return full;
    },
    set full(value) {
      full = value;
      changed();
    },
    offer(message) {
      if (!full) keep(message);
      return !full;
    },
    send(message, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const abort = (): void => reject(signal?.reason);
      const look = (): boolean => {
        if (signal?.aborted) return true;
        if (full) return false;
        signal?.removeEventListener("abort", abort);
        keep(message);
        resolve();
        return true;
      };
      signal?.addEventListener("abort", abort, { once: true });
      if (signal?.aborted) abort();
      else if (!look()) watchers.push(look);
      return promise;
    },
    drain() {
      const all = messages;
      messages = [];
      return all;
    },
    next: next as Recorder<M>["next"],
  };
}
