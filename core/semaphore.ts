/**
 * A counting semaphore: first come, first served.
 *
 * @module
 */

/** Bounds how much goes on at once. */
export interface Semaphore {
  /** What can be had right now. */
  readonly available: number;
  /** Those who wait. */
  readonly waiting: number;
  /** Waits for `count` permits. Later ones wait behind earlier ones, even for less. */
  acquire(signal?: AbortSignal, count?: number): Promise<Permit>;
  /** Takes `count` permits if they can be had without waiting. */
  tryAcquire(count?: number): Permit | undefined;
}

/** The right to go on, until it is given back. */
export interface Permit extends Disposable {
  /** Gives it back; once, however often it is called. */
  release(): void;
}

/**
 * Creates a semaphore of `permits`.
 *
 * @throws {RangeError} when `permits` is not an integer of 1 or more.
 *
 * @example Usage
 * ```ts ignore
 * const opens = createSemaphore(16);
 * using _permit = await opens.acquire(signal);
 * ```
 */
export function createSemaphore(permits: number): Semaphore {
  checkCount("create semaphore", permits, Number.MAX_SAFE_INTEGER);
  let available = permits;
  let queue: Waiter[] = [];

  const grant = (count: number): Permit => {
    available -= count;
    let held = true;
    const release = (): void => {
      if (!held) return;
      held = false;
      available += count;
      serve();
    };
    return { release, [Symbol.dispose]: release };
  };

  const serve = (): void => {
    for (;;) {
      const next = queue[0];
      if (next === undefined || next.count > available) return;
      queue.shift();
      next.take(grant(next.count));
    }
  };

  const tryAcquire = (count = 1): Permit | undefined => {
    checkCount("acquire", count, permits);
    return queue.length === 0 && count <= available ? grant(count) : undefined;
  };

  return {
    get available() {
      return available;
    },
    get waiting() {
      return queue.length;
    },
    tryAcquire,
    async acquire(signal, count = 1) {
      signal?.throwIfAborted();
      const permit = tryAcquire(count);
      if (permit !== undefined) return permit;
      const { promise, resolve, reject } = Promise.withResolvers<Permit>();
      const abort = (): void => {
        queue = queue.filter((other) => other !== waiter);
        reject(signal?.reason);
        serve(); // those behind may want less
      };
      const waiter: Waiter = {
        count,
        take(permit) {
          signal?.removeEventListener("abort", abort);
          resolve(permit);
        },
      };
      signal?.addEventListener("abort", abort, { once: true });
      queue.push(waiter);
      return await promise;
    },
  };
}

interface Waiter {
  readonly count: number;
  take(permit: Permit): void;
}

function checkCount(action: string, count: number, max: number): void {
  if (!Number.isSafeInteger(count) || count < 1 || count > max) {
    throw new RangeError(
      `Cannot ${action} as permits must be an integer in 1..${max}: current value is ${count}`,
    );
  }
}
