/**
 * Restart budgets: how long to wait before a restart, and when to give up.
 *
 * A bug must not look like a bad network, nor a bad network like a bug, so the
 * two are kept apart: crashes are counted within a window, retryable failures
 * are borne for a time, which progress renews.
 *
 * @module
 */
import type { Clock } from "./clock.ts";
import { isFinal, isRetryable } from "./errors.ts";

/** When to restart, how long to wait, when to give up. */
export interface RestartPolicy {
  /** Who restarts: the child that ended, or all that come after it too. */
  readonly strategy: "one-for-one" | "rest-for-one";
  /** More than `maxCrashes` crashes within `crashWindowMs` end the supervisor. */
  readonly maxCrashes: number;
  /** See `maxCrashes`. */
  readonly crashWindowMs: number;
  /** A retryable failure waits up to `backoffMs` doubled each time, at most `backoffCapMs`. */
  readonly backoffMs: number;
  /** See `backoffMs`. */
  readonly backoffCapMs: number;
  /** Retryable failures end the supervisor after this long without progress. */
  readonly patienceMs: number;
  /** A child that has not stopped after this long is reported and left behind. */
  readonly shutdownMs: number;
}

/** What to do about a failure: restart after a while, or give up. */
export type Verdict = { readonly waitMs: number } | { readonly giveUp: string };

/** What is left of a policy's allowances. */
export interface Budget {
  /** Books an end: a failure with `error`, or, with none, one that nobody expected. */
  charge(exit: { readonly failed: boolean; readonly error: unknown }): Verdict;
  /** Renews patience, and makes the next wait a short one. */
  progress(): void;
}

/**
 * Creates the budget of one supervisor.
 *
 * @throws {RangeError} when a number of the policy is negative or none.
 */
export function createBudget(
  policy: RestartPolicy,
  env: { readonly clock: Clock; readonly random: () => number },
): Budget {
  for (const [name, value] of Object.entries(policy)) {
    if (name !== "strategy" && !(value >= 0)) {
      throw new RangeError(
        `Cannot create supervisor as ${name} must be >= 0: current value is ${value}`,
      );
    }
  }
  let crashes: number[] = [];
  let attempt = 0;
  let troubleSince: number | undefined;
  return {
    charge({ failed, error }) {
      const now = env.clock.now();
      if (failed && isRetryable(error)) {
        troubleSince ??= now;
        if (now - troubleSince >= policy.patienceMs) {
          return { giveUp: "patience ran out" };
        }
        const ceiling = policy.backoffMs * 2 ** Math.min(attempt++, 30);
        const leftMs = troubleSince + policy.patienceMs - now;
        // Full jitter: peers that were cut off together do not come back together.
        return {
          waitMs: env.random() * Math.min(policy.backoffCapMs, ceiling, leftMs),
        };
      }
      if (failed && isFinal(error)) return { giveUp: "it cannot go on" };
      crashes = crashes.filter((at) => now - at < policy.crashWindowMs);
      crashes.push(now);
      if (crashes.length <= policy.maxCrashes) return { waitMs: 0 };
      return { giveUp: failed ? "it crashed too often" : "it ended too often" };
    },
    progress() {
      attempt = 0;
      troubleSince = undefined;
    },
  };
}
