/**
 * Outboxes: facts on their way back up, from many producers to one consumer.
 *
 * What goes back up the pipeline must not wait, or two actors wait for each
 * other; and what must not be lost cannot be offered. An outbox does neither:
 * what is added under the same key becomes one, so that it holds at most one
 * value a key, however slow the consumer is.
 *
 * @module
 */

/** A conflating hand-over. */
export interface Outbox<K, V> {
  /** Keys that wait to be taken. */
  readonly size: number;
  /** Adds a fact, never waiting; `false` when the outbox is closed. */
  add(key: K, value: V): boolean;
  /**
   * Waits until there is something, then takes all of it, in the order of the
   * keys' first `add`. A consumer that is aborted takes nothing. The batch is
   * empty only when the outbox is closed and nothing is left.
   */
  take(signal: AbortSignal): Promise<Map<K, V>>;
  /** Takes what is there, without waiting. */
  drain(): Map<K, V>;
  /** Refuses new facts; those that are there can still be taken. */
  close(): void;
}

/**
 * Creates an outbox. Pass it in through deps, so that it outlives a restart of
 * its consumer; a consumer that fails with a batch in hand has lost it, unless
 * it adds the batch again.
 *
 * @param merge Makes one value of the one that waits, if any, and the new one.
 *
 * @example Usage
 * ```ts ignore
 * const durable = createOutbox<number, number>((old, add) => Math.max(old ?? 0, add));
 * durable.add(3, 10);
 * durable.add(3, 12);
 * const batch = await durable.take(signal); // Map { 3 => 12 }
 * ```
 */
export function createOutbox<K, V>(
  merge: (old: V | undefined, add: V) => V,
): Outbox<K, V> {
  let waiting = new Map<K, V>();
  let wake: (() => void) | undefined;
  let closed = false;

  const drain = (): Map<K, V> => {
    const batch = waiting;
    waiting = new Map();
    return batch;
  };

  const wait = (signal: AbortSignal): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = (): void => {
      wake = undefined;
      signal.removeEventListener("abort", abort);
    };
    const abort = (): void => {
      leave();
      reject(signal.reason);
    };
    wake = (): void => {
      leave();
      resolve();
    };
    signal.addEventListener("abort", abort, { once: true });
    return promise;
  };

  return {
    get size() {
      return waiting.size;
    },
    add(key, value) {
      if (closed) return false;
      waiting.set(key, merge(waiting.get(key), value));
      wake?.();
      return true;
    },
    async take(signal) {
      for (;;) {
        signal.throwIfAborted();
        if (waiting.size > 0 || closed) return drain();
        if (wake !== undefined) {
          throw new TypeError("Cannot take from outbox: it has a consumer");
        }
        await wait(signal);
      }
    },
    drain,
    close() {
      closed = true;
      wake?.();
    },
  };
}
