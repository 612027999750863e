/**
 * A clock for tests with real files: it stands still while anything happens,
 * and runs when all wait.
 *
 * @module
 */
import { systemClock } from "../../core/clock.ts";
import { nextTurn } from "../../core/turn.ts";
import { FakeClock } from "./fake_clock.ts";

/** A fake clock that somebody drives. */
export interface IdleClock {
  readonly clock: FakeClock;
  /** Says that something happens: time stands still for a moment. */
  stir(): void;
  /** Lets time pass, whenever nothing happens, until `work` settles. */
  drive<T>(work: Promise<T>): Promise<T>;
}

/** How long nothing must happen before time goes on, real ms. */
const IDLE_MS = 2;
/** How far it then goes at once, ms. */
const STEP_MS = 50;

/** Creates a clock that stands still. */
export function idleClock(): IdleClock {
  const clock = new FakeClock(nextTurn);
  let stirred = 0;
  return {
    clock,
    stir() {
      stirred++;
    },
    async drive(work) {
      let isDone = false;
      const settled = work.then(() => {}, () => {}).then(() => {
        isDone = true;
      });
      for (let seen = -1; !isDone;) {
        await Promise.race([settled, systemClock.delay(IDLE_MS)]);
        if (!isDone && seen === stirred) await clock.advance(STEP_MS);
        seen = stirred;
      }
      return await work;
    },
  };
}
