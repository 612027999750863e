/**
 * One child of a supervisor: its mailbox, which stays, and its lives, which do not.
 *
 * @module
 */
import { type Behavior, live } from "./actor.ts";
import type { Clock } from "./clock.ts";
import { codeOf } from "./errors.ts";
import type { Log } from "./log.ts";
import { type Address, Mailbox, MailboxClosedError } from "./mailbox.ts";
import { rejectReply } from "./reply.ts";

/** How to make, and remake, one child. */
export interface ChildSpec<M> {
  /** Unique among its siblings; events and errors name it. */
  readonly name: string;
  /** Messages that its mailbox holds. */
  readonly capacity: number;
  /** Restarted always, only after a failure, or never. */
  readonly restart: "permanent" | "transient" | "temporary";
  /** How long it may take to stop. @default {the policy's} */
  readonly shutdownMs?: number;
  /** Makes the behavior of one life. */
  create(): Behavior<M>;
}

/** What a supervisor needs. */
export interface SupervisorEnv {
  /** Waits and time limits go by it. */
  readonly clock: Clock;
  /** Told of exits, restarts and children that are stuck. */
  readonly log: Log;
  /** Jitter, in [0, 1). */
  readonly random: () => number;
  /** Told of every restart that is coming. It must not throw. */
  readonly onRestart?: (restart: RestartInfo) => void;
  /**
   * Told why the supervisor gives up, before it stops its children, so that
   * they can say so in their last words. It must not throw.
   */
  readonly onGiveUp?: (error: unknown) => void;
  /**
   * Called before an actor handles a message, on its behalf: what this throws,
   * the actor has thrown. It exists for tests, which fail any actor on any
   * message with it, once, and see that all still ends well.
   */
  readonly intercept?: (actor: string, message: unknown) => void;
}

/** A restart that is coming. */
export interface RestartInfo {
  /** Name of the child that ended; under rest-for-one later ones come along. */
  readonly actor: string;
  /** What it failed with; `undefined` when it just ended. */
  readonly error: unknown;
  /** How long it will be down. */
  readonly waitMs: number;
}

/** How a life ended. */
export interface Exit {
  /** False when it ended by itself or was stopped. */
  readonly failed: boolean;
  /** What it failed with, if it failed. */
  readonly error: unknown;
}

/** What a supervisor knows of a child. */
export interface Child {
  /** Unique among its siblings. */
  readonly name: string;
  /** When it runs again. */
  readonly restart: "permanent" | "transient" | "temporary";
  /** Lives one life; never rejects. */
  live(signal: AbortSignal): Promise<Exit>;
  /** Waits for the end of a life, but not for ever. */
  waitFor(ended: Promise<void>): Promise<void>;
  /** Closes the mailbox for good. */
  close(): void;
  /** The life that runs, or has ended and is not judged; none while the child is down. */
  life: Life | undefined;
  /** How this life ended, until that is judged. */
  exit: Exit | undefined;
  /** True from a stop until the restart: nothing else may start it. */
  held: boolean;
  /** Calls off the restart that this child waits for. */
  wait: AbortController | undefined;
}

/** Creates a child, which is down, and the address that outlives its lives. */
export function createChild<M>(
  spec: ChildSpec<M>,
  env: SupervisorEnv & {
    readonly supervisor: string;
    readonly shutdownMs: number;
  },
): { readonly child: Child; readonly address: Address<M> } {
  const { name, restart, shutdownMs = env.shutdownMs } = spec;
  const { clock, intercept } = env;
  const log = env.log.child({ actor: name });
  const mailbox = new Mailbox<M>(`${env.supervisor}/${name}`, spec.capacity);
  const child: Child = {
    name,
    restart,
    async live(signal) {
      let exit: Exit = { failed: false, error: undefined };
      try {
        await live(spec.create(), mailbox, {
          signal,
          clock,
          log,
          intercept: intercept && ((message) => intercept(name, message)),
        });
      } catch (error) {
        exit = { failed: true, error };
      }
      report(log, exit);
      return exit;
    },
    async waitFor(ended) {
      const waited = new AbortController();
      const late = clock.delay(shutdownMs, waited.signal).then(
        () => log.event("actor.stuck"),
        () => {},
      );
      await Promise.race([ended, late]);
      waited.abort();
    },
    close() {
      const closed = new MailboxClosedError(mailbox.name);
      for (const message of mailbox.close()) rejectReply(message, closed);
    },
    life: undefined,
    exit: undefined,
    held: false,
    wait: undefined,
  };
  return { child, address: mailbox };
}

/** Starts a life if the child is down. `onExit` is called when it ends by itself. */
export function startChild(child: Child, onExit: () => void): void {
  if (child.life !== undefined) return;
  const control = new AbortController();
  const end = Promise.withResolvers<void>();
  const life = child.life = { control, ended: end.promise };
  child.live(control.signal).then((exit) => {
    end.resolve();
    if (child.life !== life) return; // it was stopped: an end that is expected
    child.exit = exit;
    onExit();
  });
}

/** Ends the life that runs, if one does; its end is nobody's concern any more. */
export async function stopChild(child: Child): Promise<void> {
  const { life, exit } = child;
  child.life = child.exit = undefined;
  if (life === undefined || exit !== undefined) return;
  life.control.abort();
  await child.waitFor(life.ended);
}

/** Tells whether the child has done its work and shall not run again. */
export function isFinished({ restart, exit }: Child): boolean {
  return restart === "transient" && exit !== undefined && !exit.failed;
}

/** A life that goes on, or whose end is not judged. */
export interface Life {
  /** Ends it. */
  readonly control: AbortController;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
}

function report(log: Log, { failed, error }: Exit): void {
  if (!failed) {
    log.event("actor.exit", { failed });
    return;
  }
  const code = codeOf(error);
  log.event("actor.exit", { failed, code, reason: String(error) });
  if (code === "internal" && error instanceof Error) {
    log.event("actor.crash", { stack: error.stack ?? "" });
  }
}
