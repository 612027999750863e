import { assert, assertEquals, assertLess } from "@std/assert";
import { createRival, type Rival } from "./pacing_rival.ts";

const WINDOW = 1_000_000;
const HOLDS = 300_000;

/** A rival that is asked each 25 ms, on a path of 50 ms. */
function asked(rival: Rival, carriesBytes = WINDOW) {
  let nowMs = 0;
  return (ms: number, queueMs: number): number => {
    let window = 0;
    for (const untilMs = nowMs + ms; nowMs < untilMs; nowMs += 25) {
      window = rival.window({
        ...{ nowMs, rttMs: 50, queueMs, aimMs: 15 },
        ...{ holdsBytes: HOLDS, carriesBytes },
      });
    }
    return window;
  };
}

/** Plays an overflow in which the queue falls from 50 ms to `troughMs`, after `beforeMs`; the window before and after. */
function overflow(
  troughMs: number,
  { carriesBytes = WINDOW, times = 1, everyMs = 5000 } = {},
): number[] {
  const ask = asked(createRival(0, WINDOW), carriesBytes);
  ask(1000, 50); // it looks, and the queue stays
  const windows = [ask(2000, 50)];
  for (let n = 0; n < times; n++) {
    ask(700, troughMs);
    windows.push(ask(everyMs - 700, 50));
  }
  return windows;
}

Deno.test("createRival() gives way at first: a queue that goes was our own", () => {
  for (const queueMs of [5, 50]) {
    const rival = createRival(0, WINDOW);
    const ask = asked(rival);
    assertEquals(ask(300, 50), HOLDS);
    ask(300, queueMs);
    assertEquals(rival.isGone, queueMs === 5);
    ask(400, 50);
    assert(ask(100, 50) >= WINDOW);
  }
});

Deno.test("createRival() takes more when the other had more than half, and less when it had less", () => {
  // It gives up 0.3: of 100 ms 24 are four fifths, 6 one fifth.
  const [before = 0, more = 0] = overflow(26);
  assert(more > before * 1.3, `${before} to ${more}`);
  const [same = 0, less = 0] = overflow(44);
  assertLess(less, same * 0.9);
});

Deno.test("createRival() does not take more twice in a row, nor where what it has is lost", () => {
  const every = overflow(26, { times: 2, everyMs: 2500 });
  assertLess(every[2] ?? 0, (every[1] ?? 0) * 1.1);
  const [before = 0, after = 0] = overflow(26, { carriesBytes: WINDOW / 2 });
  assertLess(after, before * 0.9);
});

Deno.test("createRival() gives way where the queue overflows all the time", () => {
  const ask = asked(createRival(0, WINDOW));
  ask(1500, 50);
  const before = ask(100, 50);
  assertLess(ask(8000, 50), before * 0.95);
});

Deno.test("createRival() looks again when nothing is seen of the other for long", () => {
  const rival = createRival(0, WINDOW);
  const ask = asked(rival);
  ask(11_000, 50);
  assert(ask(500, 50) > HOLDS);
  assertEquals(ask(700, 50), HOLDS);
  assertEquals(rival.isGone, false);
  ask(200, 5);
  assertEquals(rival.isGone, true);
});
