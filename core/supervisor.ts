/**
 * Supervisors: who starts actors, who starts them again, and when to give up.
 *
 * The rules:
 *
 * - Children start in the order they were added, and stop in reverse order,
 *   one after the other. Each has its own signal, so that none falls early.
 * - A restart makes a new behavior and keeps the mailbox: addresses stay valid,
 *   and all messages but the one it failed on are still there.
 * - Under one-for-one only the child that ended starts again. Under rest-for-one
 *   a child depends on all that were added before it and restarts with them.
 * - A retryable failure waits, with jitter, and is charged to patience, which
 *   `progress()` renews. Any other, and the unexpected end of a permanent child,
 *   restarts at once and is charged to the crash budget. When either runs out,
 *   `run()` stops all children and rejects with a `SupervisorError`.
 * - A child's end is kept with the child until it is judged, so that none is
 *   lost, and what is kept is bounded by the number of children.
 *
 * @module
 */
import { type Budget, createBudget, type RestartPolicy } from "./budget.ts";
import {
  type Child,
  type ChildSpec,
  createChild,
  type Exit,
  isFinished,
  startChild,
  stopChild,
  type SupervisorEnv,
} from "./child.ts";
import type { Address } from "./mailbox.ts";

export type { RestartPolicy } from "./budget.ts";
export type { ChildSpec, RestartInfo, SupervisorEnv } from "./child.ts";

/** Runs children and restarts them. Its own failure is its parent's to judge. */
export class Supervisor {
  /** Begins the names of its children's mailboxes. */
  readonly name: string;
  readonly #policy: RestartPolicy;
  readonly #env: SupervisorEnv;
  readonly #budget: Budget;
  readonly #children: Child[] = [];
  #state: "new" | "running" | "ended" = "new";
  #wake: () => void = () => {};

  /** Names it, and takes the policy's numbers as they are for all its life. */
  constructor(name: string, policy: RestartPolicy, env: SupervisorEnv) {
    this.name = name;
    this.#policy = policy;
    this.#env = env;
    this.#budget = createBudget(policy, env);
  }

  /**
   * Adds a child, before `run` or while it runs. Under rest-for-one it depends
   * on those added earlier: while one of them is down, it waits for it.
   *
   * @throws {TypeError} when the supervisor has ended.
   */
  add<M>(spec: ChildSpec<M>): Address<M> {
    if (this.#state === "ended") {
      throw new TypeError(
        `Cannot add "${spec.name}" to "${this.name}": it has ended`,
      );
    }
    const { child, address } = createChild(spec, {
      ...this.#env,
      supervisor: this.name,
      shutdownMs: this.#policy.shutdownMs,
    });
    this.#children.push(child);
    this.#startReady();
    return address;
  }

  /** Told by whoever sees progress: patience is renewed, and the next wait is short again. */
  progress(): void {
    this.#budget.progress();
  }

  /** Ends the waits before restarts: something has changed, and a try is worth it now. */
  hurry(): void {
    for (const child of [...this.#children]) {
      if (child.wait !== undefined) this.#restart(child);
    }
  }

  /**
   * Runs the children until `signal` aborts or none is left.
   *
   * @throws {SupervisorError} when it gives up on a child; the cause is what the
   * child failed with, and `codeOf` finds its code.
   */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#state !== "new") {
      throw new TypeError(`Cannot run "${this.name}": it has run before`);
    }
    this.#state = "running";
    const wake = (): void => this.#wake();
    signal.addEventListener("abort", wake, { once: true });
    try {
      if (!signal.aborted) this.#startReady();
      while (!signal.aborted && this.#children.length > 0) {
        const child = this.#children.find(({ exit }) => exit !== undefined);
        if (child?.exit === undefined) {
          await new Promise<void>((resolve) => this.#wake = resolve);
        } else {
          await this.#judge(child, child.exit, signal);
        }
      }
    } finally {
      this.#state = "ended";
      signal.removeEventListener("abort", wake);
      await this.#stop(this.#children);
      this.#children.forEach((child) => child.close());
    }
  }

  async #judge(child: Child, exit: Exit, signal: AbortSignal): Promise<void> {
    if (child.restart === "temporary" || isFinished(child)) {
      this.#drop(child);
      this.#startReady(); // one that was added may have waited for this one
      return;
    }
    const { name } = child;
    const verdict = this.#budget.charge(exit);
    // First: those that are stopped now may have to say so to others.
    if ("giveUp" in verdict) this.#env.onGiveUp?.(exit.error);
    const group = this.#from(child);
    const finished = await this.#stop(group);
    for (const other of group) {
      if (finished.has(other) || other.restart === "temporary") {
        this.#drop(other);
      }
    }
    if (signal.aborted) return;
    if ("giveUp" in verdict) {
      throw new SupervisorError(name, verdict.giveUp, exit.error);
    }
    const { waitMs } = verdict;
    this.#env.log.event("actor.restart", { actor: name, waitMs });
    this.#env.onRestart?.({ actor: name, error: exit.error, waitMs });
    if (waitMs === 0) this.#restart(child);
    else this.#restartAfter(child, waitMs);
  }

  #restartAfter(child: Child, waitMs: number): void {
    const wait = child.wait = new AbortController();
    this.#env.clock.delay(waitMs, wait.signal).then(() => {
      // A stop may come between the timer and this.
      if (child.wait === wait) this.#restart(child);
    }, () => {});
  }

  #restart(child: Child): void {
    child.wait?.abort();
    child.wait = undefined;
    for (const other of this.#from(child)) other.held = false;
    this.#startReady();
  }

  /** Those that fall with `child`, in order. */
  #from(child: Child): Child[] {
    return this.#policy.strategy === "one-for-one"
      ? [child]
      : this.#children.slice(this.#children.indexOf(child));
  }

  /** Starts all that are down and need not wait. */
  #startReady(): void {
    if (this.#state !== "running") return;
    for (const child of this.#children) {
      const waits = child.held || child.exit !== undefined;
      if (waits && this.#policy.strategy === "rest-for-one") return;
      if (!waits) startChild(child, () => this.#wake());
    }
  }

  /**
   * Stops in reverse order, and calls off restarts that wait. Returns those
   * that had finished by themselves before.
   */
  async #stop(children: readonly Child[]): Promise<Set<Child>> {
    const finished = new Set<Child>();
    for (const child of children) {
      child.held = true;
      child.wait?.abort();
      child.wait = undefined;
    }
    for (const child of children.toReversed()) {
      if (isFinished(child)) finished.add(child);
      await stopChild(child);
    }
    return finished;
  }

  #drop(child: Child): void {
    child.close();
    this.#children.splice(this.#children.indexOf(child), 1);
  }
}

/** A supervisor gave up on a child. The cause is what the child failed with. */
export class SupervisorError extends Error {
  /** Tells it from other errors. */
  override name = "SupervisorError";
  /** Name of the child. */
  readonly child: string;
  /** Says which child, and why. */
  constructor(child: string, why: string, cause: unknown) {
    super(`Cannot keep "${child}" running: ${why}`, { cause });
    this.child = child;
  }
}
