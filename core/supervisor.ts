import { type Behavior, live } from "./actor.ts";
import type { Clock } from "./clock.ts";
import { isRetryable } from "./errors.ts";
import type { Log } from "./log.ts";
import { type Address, Mailbox, MailboxClosedError } from "./mailbox.ts";
import { rejectReply } from "./reply.ts";

/** How to make, and remake, one child. */
export interface ChildSpec<M> {
  readonly name: string;
  readonly capacity: number;
  /** Restarted always, only after a failure, or never. */
  readonly restart: "permanent" | "transient" | "temporary";
  create(): Behavior<M>;
}

/** When to restart, how long to wait, when to give up. */
export interface RestartPolicy {
  readonly strategy: "one-for-one" | "rest-for-one";
  /** More than `maxCrashes` crashes within `crashWindowMs` end the supervisor. */
  readonly maxCrashes: number;
  readonly crashWindowMs: number;
  /** A retryable failure waits up to `backoffMs` doubled each time, at most `backoffCapMs`. */
  readonly backoffMs: number;
  readonly backoffCapMs: number;
  /** Retryable failures end the supervisor after this long without progress. */
  readonly patienceMs: number;
  /** A child that has not stopped after this long is reported and left behind. */
  readonly shutdownMs: number;
}

interface Child {
  readonly spec: ChildSpec<unknown>;
  readonly mailbox: Mailbox<unknown>;
  life: AbortController;
  ended: Promise<void>;
}

type Event =
  | { type: "exit"; child: Child; life: AbortController; error?: unknown }
  | { type: "restart"; group: [Child, AbortController][] };

/** Runs children and restarts them. Its own failure is its parent's to judge. */
export class Supervisor {
  readonly name: string;
  #policy: RestartPolicy;
  #env: { clock: Clock; log: Log; random: () => number };
  #children: Child[] = [];
  #events = new Mailbox<Event>("events", 1024);
  #crashes: number[] = [];
  #attempt = 0;
  #troubleSince: number | undefined;

  constructor(
    name: string,
    policy: RestartPolicy,
    env: { clock: Clock; log: Log; random: () => number },
  ) {
    this.name = name;
    this.#policy = policy;
    this.#env = env;
  }

  /** Declares a child before `run`. Under rest-for-one, later depends on earlier. */
  add<M>(spec: ChildSpec<M>): Address<M> {
    const mailbox = new Mailbox<M>(`${this.name}/${spec.name}`, spec.capacity);
    this.#children.push({
      spec: spec as unknown as ChildSpec<unknown>,
      mailbox: mailbox as unknown as Mailbox<unknown>,
      life: new AbortController(),
      ended: Promise.resolve(),
    });
    return mailbox;
  }

  /** Told by whoever sees progress: the next wait is the shortest again. */
  progress(): void {
    this.#attempt = 0;
    this.#troubleSince = undefined;
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      for (const child of this.#children) this.#start(child);
      while (this.#children.length > 0) {
        const event = await this.#events.receive(signal);
        if (event.type === "restart") {
          for (const [child, life] of event.group) {
            if (child.life === life) this.#start(child);
          }
        } else if (event.child.life === event.life) {
          await this.#onExit(event.child, event.error, signal);
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      await this.#stop(this.#children);
      for (const { mailbox } of this.#children) {
        const closed = new MailboxClosedError(mailbox.name);
        for (const message of mailbox.close()) rejectReply(message, closed);
      }
    }
  }

  async #onExit(
    child: Child,
    error: unknown,
    signal: AbortSignal,
  ): Promise<void> {
    const { name, restart } = child.spec;
    const failed = error !== undefined;
    const at = this.#children.indexOf(child);
    this.#env.log.event("actor.exit", { actor: name, failed });
    if (restart === "temporary" || (restart === "transient" && !failed)) {
      child.mailbox.close();
      this.#children.splice(at, 1);
      return;
    }
    const group = this.#policy.strategy === "one-for-one"
      ? [child]
      : this.#children.slice(at);
    await this.#stop(group);
    const waitMs = this.#charge(name, error);
    const restartGroup = group.map((
      c,
    ): [Child, AbortController] => [c, c.life]);
    this.#env.clock.delay(waitMs, signal).then(
      () => void this.#events.offer({ type: "restart", group: restartGroup }),
      () => {},
    );
  }

  /** Books a failure; returns the wait before the restart, or throws to escalate. */
  #charge(name: string, error: unknown): number {
    const now = this.#env.clock.now();
    const policy = this.#policy;
    if (isRetryable(error)) {
      this.#troubleSince ??= now;
      if (now - this.#troubleSince >= policy.patienceMs) {
        throw new SupervisorError(name, "patience ran out", error);
      }
      const ceiling = policy.backoffMs * 2 ** this.#attempt++;
      return this.#env.random() * Math.min(policy.backoffCapMs, ceiling);
    }
    this.#crashes = this.#crashes.filter((t) => now - t < policy.crashWindowMs);
    this.#crashes.push(now);
    if (this.#crashes.length > policy.maxCrashes) {
      throw new SupervisorError(name, "it crashed too often", error);
    }
    return 0;
  }

  #start(child: Child): void {
    const life = child.life = new AbortController();
    const { log, clock } = this.#env;
    const env = { clock, log: log.child({ actor: child.spec.name }) };
    child.ended = Promise.try(() =>
      live(child.spec.create(), child.mailbox, { signal: life.signal, ...env })
    ).then(
      () => void this.#events.offer({ type: "exit", child, life }),
      (error) => void this.#events.offer({ type: "exit", child, life, error }),
    );
  }

  /** Stops in reverse order, and makes exits and restarts under way stale. */
  async #stop(children: Child[]): Promise<void> {
    for (const child of children.toReversed()) {
      child.life.abort();
      const waited = new AbortController();
      const late = this.#env.clock.delay(this.#policy.shutdownMs, waited.signal)
        .then(() =>
          this.#env.log.event("actor.stuck", { actor: child.spec.name })
        )
        .catch(() => {});
      await Promise.race([child.ended, late]);
      waited.abort();
      child.life = new AbortController();
    }
  }
}

/** A supervisor gave up on a child. */
export class SupervisorError extends Error {
  override name = "SupervisorError";
  readonly child: string;
  constructor(child: string, why: string, cause: unknown) {
    super(`Cannot keep "${child}" running: ${why}`, { cause });
    this.child = child;
  }
}
