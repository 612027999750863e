/**
 * Questions to a peer whether it is there, and who waits for the answers.
 *
 * @module
 */
import type { Context } from "../core/actor.ts";
import type { Reply } from "../core/reply.ts";

/** Pings of one session. */
export interface Pings {
  /** Asks; nobody waits. */
  send(): void;
  /** Asks, and says whether there was an answer in time. */
  ask(reply: Reply<boolean>, cx: Pick<Context<never>, "spawn" | "clock">): void;
  /** Takes an answer. */
  answered(id: number): void;
  /** Nobody will answer any more. */
  close(): void;
}

/** How long an answer may take, ms. */
const ANSWER_MS = 3000;

/** Creates pings that go out by `tell`. */
export function createPings(tell: (id: number) => void): Pings {
  const waiting = new Map<number, Reply<boolean>>();
  let last = 0;
  const settle = (id: number, isThere: boolean): void => {
    waiting.get(id)?.resolve(isThere);
    waiting.delete(id);
  };
  return {
    send: () => tell(++last),
    ask(reply, cx) {
      const id = ++last;
      waiting.set(id, reply);
      tell(id);
      cx.spawn(async (signal) => {
        await cx.clock.delay(ANSWER_MS, signal).catch(() => {});
        settle(id, false);
      });
    },
    answered: (id) => settle(id, true),
    close() {
      for (const id of [...waiting.keys()]) settle(id, false);
    },
  };
}
