/**
 * A clock that a test moves by hand.
 *
 * @module
 */
import { checkDelay, type Clock } from "../../core/clock.ts";

/** Where the wall clock of a `FakeClock` begins: 2024-01-01T00:00:00Z. */
export const FAKE_EPOCH_MS = 1_704_067_200_000;

/** A clock that stands still until it is advanced. */
export class FakeClock implements Clock {
  readonly #settle: () => Promise<void>;
  #now = 0;
  #wallAheadMs = FAKE_EPOCH_MS;
  #timers: Timer[] = [];

  /**
   * @param between Lets the code run between timers. A turn of the event loop is
   * quick, and less than a file takes.
   */
  constructor(between: () => Promise<void> = settle) {
    this.#settle = between;
  }

  now(): number {
    return this.#now;
  }

  wallMs(): number {
    return this.#now + this.#wallAheadMs;
  }

  /** Timers that wait. Zero at the end of a test, or something leaks. */
  get pending(): number {
    return this.#timers.length;
  }

  delay(ms: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    try {
      checkDelay(ms);
      signal?.throwIfAborted();
    } catch (error) {
      reject(error);
      return promise;
    }
    const abort = (): void => {
      this.#timers = this.#timers.filter((other) => other !== timer);
      reject(signal?.reason);
    };
    const timer: Timer = {
      at: this.#now + ms,
      fire() {
        signal?.removeEventListener("abort", abort);
        resolve();
      },
    };
    signal?.addEventListener("abort", abort, { once: true });
    this.#timers.push(timer);
    return promise;
  }

  /** Fires what is due within `ms`, in order, letting the code run in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.#settle();
    for (;;) {
      this.#timers.sort((a, b) => a.at - b.at);
      const next = this.#timers[0];
      if (next === undefined || next.at > end) break;
      this.#timers.shift();
      this.#now = next.at;
      next.fire();
      await this.#settle();
    }
    this.#now = end;
  }

  /** The machine sleeps: the wall clock goes on, the monotonic one does not. */
  sleep(ms: number): void {
    this.#wallAheadMs += ms;
  }
}

/** Lets every promise that can settle do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

interface Timer {
  readonly at: number;
  fire(): void;
}
