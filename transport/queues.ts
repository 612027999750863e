/**
 * What waits on a connection: streams that arrived, and the right to open more.
 *
 * @module
 */

/** Things in the order in which they came. */
export interface Arrivals<T> {
  /** How many wait. */
  readonly size: number;
  /** Adds one; false once closed: whoever brings it keeps it. */
  put(thing: T): boolean;
  /** The next one; `undefined` once closed. */
  take(): Promise<T | undefined>;
  /** Lets all go who wait for more, and gives back what nobody took. */
  close(): readonly T[];
}

/** Makes an empty queue of arrivals. */
export function arrivals<T>(): Arrivals<T> {
  const waiting: T[] = [];
  const takers: ((thing: T | undefined) => void)[] = [];
  let open = true;
  return {
    get size() {
      return waiting.length;
    },
    put(thing) {
      if (!open) return false;
      const taker = takers.shift();
      if (taker === undefined) waiting.push(thing);
      else taker(thing);
      return true;
    },
    take() {
      const thing = waiting.shift();
      if (thing !== undefined || !open) return Promise.resolve(thing);
      const { promise, resolve } = Promise.withResolvers<T | undefined>();
      takers.push(resolve);
      return promise;
    },
    close() {
      open = false;
      for (const taker of takers.splice(0)) taker(undefined);
      return waiting.splice(0);
    },
  };
}

/** The right to have streams open. */
export interface Credit {
  /** Waits until a stream may be opened, or the connection is gone. */
  take(): Promise<void>;
  give(): void;
  close(): void;
}

/** Lets `limit` streams be open at a time. */
export function credit(limit: number): Credit {
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

/** Runs tasks one after the other, whatever becomes of them. */
export function inOrder(): <T>(task: () => T | Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const run = last.then(task);
    last = run.catch(() => {});
    return run;
  };
}
