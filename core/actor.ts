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
  /** Releases what this life holds, so that its tasks can end. Always runs. */
  stop?(): Promise<void> | void;
}

/** What the runtime lends to one life of an actor. */
export interface Context<M> {
  readonly self: Address<M>;
  /** Aborts when this life ends, whatever the reason. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Log;
  /** Runs `task` beside the actor. Its failure is the actor's failure. */
  spawn(task: (signal: AbortSignal) => Promise<void>): void;
  /** Sends `message` to self after `ms`, unless this life has ended by then. */
  after(ms: number, message: M): void;
  /** Ends this life, normally. */
  exit(): void;
}

/** Lives one life: resolves on exit or abort, rejects with what went wrong. */
export async function live<M>(
  behavior: Behavior<M>,
  mailbox: Mailbox<M>,
  env: { signal: AbortSignal; clock: Clock; log: Log },
): Promise<void> {
  const life = new AbortController();
  const signal = AbortSignal.any([env.signal, life.signal]);
  const tasks = new Set<Promise<void>>();
  let failure: { error: unknown } | undefined;
  const fail = (error: unknown): void => {
    // Ask the signal, not the error: an AbortError may come from elsewhere.
    if (signal.aborted) return;
    failure = { error };
    life.abort(error);
  };
  const cx: Context<M> = {
    self: mailbox,
    signal,
    clock: env.clock,
    log: env.log,
    spawn(task) {
      const run = task(signal).catch(fail).finally(() => tasks.delete(run));
      tasks.add(run);
    },
    after(ms, message) {
      cx.spawn(async (signal) => {
        await env.clock.delay(ms, signal);
        await mailbox.send(message, signal);
      });
    },
    exit: () => life.abort(),
  };
  try {
    await behavior.start?.(cx);
    for (;;) {
      const message = await mailbox.receive(signal);
      try {
        await behavior.receive(message, cx);
      } catch (error) {
        rejectReply(message, error);
        throw error;
      }
    }
  } catch (error) {
    fail(error);
  } finally {
    life.abort();
    await behavior.stop?.();
    await Promise.allSettled(tasks);
  }
  if (failure !== undefined) throw failure.error;
}

/** Marks a switch arm that no message can reach; the compiler checks it. */
export function unreachable(message: never): never {
  throw new TypeError(`Cannot handle message ${JSON.stringify(message)}`);
}
