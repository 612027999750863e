/**
 * Actors: one mailbox, one message at a time, and tasks beside it, for one life.
 *
 * How a life ends: by `cx.exit()`, by its supervisor's signal, or by a failure
 * of `start`, `receive`, `stop` or a task. Then its signal aborts, `stop` runs
 * as soon as `start` or `receive` has returned, and every task is waited for.
 *
 * @module
 */
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import type { Address, Mailbox } from "./mailbox.ts";
import { rejectReply } from "./reply.ts";

/** What an actor does during one life. A restart makes a new one. */
export interface Behavior<M> {
  /** Acquires what this life needs. Failing here is failing to start. */
  start?(cx: Context<M>): Promise<void> | void;
  /** Handles one message. Long work goes to `cx.spawn`, not into an await here. */
  receive(message: M, cx: Context<M>): Promise<void> | void;
  /** Releases what this life holds, so that its tasks can end. Always runs, even when `start` did not. */
  stop?(): Promise<void> | void;
}

/** What the runtime lends to one life of an actor. */
export interface Context<M> {
  /** Its own address, for tasks to report to. */
  readonly self: Address<M>;
  /** Aborts when this life ends, whatever the reason. */
  readonly signal: AbortSignal;
  /** Waits go by it. */
  readonly clock: Clock;
  /** Names the actor in each event. */
  readonly log: Log;
  /** Runs `task` beside the actor. Its failure is the actor's failure. Does nothing once this life has ended. */
  spawn(task: (signal: AbortSignal) => Promise<void>): void;
  /** Sends `message` to self after `ms`, unless this life has ended by then. Returns what calls it off. */
  after(ms: number, message: M): () => void;
  /** Ends this life, normally. */
  exit(): void;
}

/** What surrounds one life. */
export interface LifeEnv {
  /** Ends the life from outside. */
  readonly signal: AbortSignal;
  /** Lent to the behavior. */
  readonly clock: Clock;
  /** Lent to the behavior. */
  readonly log: Log;
  /** See `SupervisorEnv.intercept`. */
  readonly intercept?: ((message: unknown) => void) | undefined;
}

/** Lives one life: resolves on exit or abort, rejects with what went wrong. */
export async function live<M>(
  behavior: Behavior<M>,
  mailbox: Mailbox<M>,
  env: LifeEnv,
): Promise<void> {
  const life = new AbortController();
  const { signal } = life;
  const tasks = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown): void => {
    // Ask the signal, not the error: an AbortError may come from elsewhere.
    if (signal.aborted) return;
    failure = { error };
    life.abort(error);
  };
  const ended = (): void => life.abort(env.signal.reason);
  env.signal.addEventListener("abort", ended, { once: true });
  if (env.signal.aborted) ended();

  const cx = context(mailbox, env, life, tasks, fail);
  try {
    if (!signal.aborted) await behavior.start?.(cx);
    while (!signal.aborted) {
      if (mailbox.size === 0) {
        await mailbox.ready(signal);
        continue; // this life may have ended since
      }
      await handle(behavior, mailbox.take(), cx, env);
    }
  } catch (error) {
    fail(error);
  }
  life.abort();
  env.signal.removeEventListener("abort", ended);
  try {
    await behavior.stop?.();
  } catch (error) {
    env.log.event("actor.stop-failed", { reason: String(error) });
    failure ??= { error };
  }
  await Promise.allSettled(tasks); // no more can come: see spawn
  if (failure !== undefined) throw failure.error;
}

/** Marks a switch arm that no message can reach; the compiler checks it. */
export function unreachable(message: never): never {
  // Only the type: the rest may be a secret, or long.
  const { type } = Object(message) as { readonly type?: unknown };
  throw new TypeError(`Cannot handle message of type "${String(type)}"`);
}

function context<M>(
  mailbox: Mailbox<M>,
  env: LifeEnv,
  life: AbortController,
  tasks: Set<Promise<void>>,
  fail: (error: unknown) => void,
): Context<M> {
  const { signal } = life;
  const spawn: Context<M>["spawn"] = (task) => {
    if (signal.aborted) return;
    const run = Promise.try(task, signal).catch(fail).finally(() =>
      tasks.delete(run)
    );
    tasks.add(run);
  };
  return {
    self: mailbox,
    signal,
    clock: env.clock,
    log: env.log,
    spawn,
    after(ms, message) {
      const timer = new AbortController();
      const cancel = (): void => timer.abort();
      spawn(async () => {
        signal.addEventListener("abort", cancel, { once: true });
        try {
          await env.clock.delay(ms, timer.signal);
          await mailbox.send(message, timer.signal);
        } catch (error) {
          if (!timer.signal.aborted) throw error;
        } finally {
          signal.removeEventListener("abort", cancel);
        }
      });
      return cancel;
    },
    exit: () => life.abort(),
  };
}

async function handle<M>(
  behavior: Behavior<M>,
  message: M,
  cx: Context<M>,
  env: LifeEnv,
): Promise<void> {
  try {
    env.intercept?.(message);
    await behavior.receive(message, cx);
  } catch (error) {
    rejectReply(message, error);
    throw error;
  }
}
