import type { Clock } from "../../core/clock.ts";

interface Timer {
  at: number;
  resolve(): void;
}

/** A clock that a test moves by hand. */
export class FakeClock implements Clock {
  #now = 0;
  #timers: Timer[] = [];

  now(): number {
    return this.#now;
  }

  get pending(): number {
    return this.#timers.length;
  }

  delay(ms: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (signal?.aborted) {
      reject(signal.reason);
      return promise;
    }
    const timer = { at: this.#now + ms, resolve };
    this.#timers.push(timer);
    signal?.addEventListener("abort", () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
      reject(signal.reason);
    }, { once: true });
    return promise;
  }

  /** Fires what is due within `ms`, in order, letting the code run in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      this.#timers.sort((a, b) => a.at - b.at);
      const next = this.#timers[0];
      if (next === undefined || next.at > end) break;
      this.#timers.shift();
      this.#now = next.at;
      next.resolve();
      await settle();
    }
    this.#now = end;
  }
}

/** Lets every promise that can settle do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
