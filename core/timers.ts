/**
 * The timers of this machine, and how a short command does without them.
 *
 * Whoever sets the first timer of a process waits 6 to 17 ms, in which the
 * platform loads what its timers are made of, and a small transfer is over before
 * any of them is due. So a command may put that off for a moment: what is due
 * sooner comes all the same, by a signal's time limit, which the platform has
 * without them but cannot call off.
 *
 * @module
 */

/** Calls `run` after `ms`, once; returns what calls it off. */
export function setTimer(ms: number, run: () => void): () => void {
  if (!isPutOff) {
    const id = setTimeout(run, ms);
    return () => clearTimeout(id);
  }
  const timer: Timer = {
    at: performance.now() + ms,
    run() {
      stop();
      run();
    },
    clear: undefined,
  };
  const stop = (): void => {
    waiting.delete(timer);
    timer.clear?.();
    if (waiting.size === 0) letGo();
  };
  waiting.add(timer);
  hold();
  if (ms < PUT_OFF_MS) {
    after(ms, () => {
      if (waiting.has(timer)) timer.run();
    });
  }
  return stop;
}

/** Calls `run` every `ms`, which keeps no process running. */
export function everyIdle(ms: number, run: () => void): void {
  if (isPutOff) after(ms, () => everyIdle(ms, run));
  else Deno.unrefTimer(setInterval(run, ms));
}

/** Puts the platform's timers off for the first moment of a process, where that is short. */
export function putOffTimers(): void {
  isPutOff = true;
  after(PUT_OFF_MS, () => {
    isPutOff = false;
    const now = performance.now();
    for (const timer of [...waiting]) {
      const id = setTimeout(timer.run, Math.max(0, timer.at - now));
      timer.clear = () => clearTimeout(id);
    }
    waiting.clear();
    letGo();
  });
}

interface Timer {
  readonly at: number;
  run(): void;
  /** Calls it off at the platform, once that has it. */
  clear: (() => void) | undefined;
}

/** How long they are put off, ms. */
const PUT_OFF_MS = 250;

let isPutOff = false;
const waiting = new Set<Timer>();
/** A time limit does not keep a process running, as a timer does; this does. */
let held: MessageChannel | undefined;

function hold(): void {
  if (held !== undefined) return;
  held = new MessageChannel();
  held.port1.onmessage = () => {}; // nobody says anything
}

function letGo(): void {
  held?.port1.close();
  held = undefined;
}

function after(ms: number, run: () => void): void {
  AbortSignal.timeout(ms).addEventListener("abort", run, { once: true });
}
