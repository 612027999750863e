import { assert, assertEquals, assertLess } from "@std/assert";
import { createPacing, FIRST_RATE, LEAST_RATE } from "./pacing.ts";

interface Path {
  /** What the path carries, bytes a second. */
  readonly carries: (second: number) => number;
  readonly rttMs: number;
  /** A queue that others keep, ms. */
  readonly othersMs?: number;
  /** What a round trip takes beside that, ms. */
  readonly moreMs?: (second: number) => number;
}

interface Played {
  readonly rates: readonly number[];
  /** The longest queue of ours in the second half, ms. */
  readonly queueMs: number;
  readonly arrived: number;
}

/** Plays a path with an endless queue: what does not fit makes round trips longer. */
function play(
  { carries, rttMs, othersMs = 0, moreMs = () => 0 }: Path,
  seconds: number,
): Played {
  const pacing = createPacing();
  const rates: number[] = [];
  let { rate, mostBytes } = { rate: FIRST_RATE, mostBytes: Infinity };
  let [given, arrived, queueMs] = [0, 0, 0];
  const late: number[] = []; // what has arrived, as the sender hears of it
  for (let nowMs = 0; nowMs < seconds * 1000; nowMs += 50) {
    given = Math.min(given + rate / 20, Math.max(given, mostBytes));
    const room = carries(nowMs / 1000) / 20;
    arrived = Math.min(given, arrived + room);
    late.push(arrived);
    const waitMs = room > 0 ? (given - arrived) / room * 50 : 0;
    if (nowMs > seconds * 500) queueMs = Math.max(queueMs, waitMs);
    const verdict = pacing({
      nowMs,
      arrivedBytes: late.at(-1 - Math.ceil(rttMs / 50)) ?? 0,
      rttMs,
      lateRttMs: rttMs + waitMs + (nowMs > 2000 ? othersMs : 0) +
        moreMs(nowMs / 1000),
    });
    ({ rate, mostBytes } = verdict);
    rates.push(rate);
  }
  return { rates, queueMs, arrived };
}

Deno.test("createPacing() finds what a path carries, and keeps its queue short", () => {
  for (const rttMs of [20, 100, 400]) {
    const { arrived, queueMs } = play({ carries: () => 20e6, rttMs }, 60);
    assert(arrived > 20e6 * 60 * 0.85, `${rttMs} ms: ${arrived}`);
    assertLess(queueMs, Math.max(300, rttMs * 2), `${rttMs} ms`);
  }
});

Deno.test("createPacing() follows a path that comes to carry less, and one that comes to carry more", () => {
  const less = play({
    carries: (second) => second < 15 ? 20e6 : 5e6,
    rttMs: 100,
  }, 40);
  assertLess(less.rates.at(-1) ?? 0, 5e6 * 1.3);
  const more = play({
    carries: (second) => second < 15 ? 5e6 : 20e6,
    rttMs: 100,
  }, 60);
  assert((more.rates.at(-1) ?? 0) > 15e6);
});

Deno.test("createPacing() takes a pause for what it is, and goes on as before", () => {
  for (const [from, to] of [[0.5, 3], [1, 6], [1, 1.8], [12, 16]] as const) {
    const { arrived } = play({
      carries: (second) => second >= from && second < to ? 0 : 20e6,
      rttMs: 20,
      // Who was asked during the pause answers after it.
      moreMs: (second) => second >= to && second < to + 0.9 ? 500 : 0,
    }, 30);
    const most = 20e6 * (30 - (to - from));
    assert(arrived > most * 0.8, `${from} to ${to} s: ${arrived / most}`);
  }
});

Deno.test("createPacing() slows down where little comes, with pauses in between", () => {
  const pacing = createPacing();
  const ask = (nowMs: number, arrivedBytes: number): number =>
    pacing({ nowMs, arrivedBytes, rttMs: 20, lateRttMs: 20 }).rate;
  let nowMs = 0;
  for (; nowMs < 5000; nowMs += 50) ask(nowMs, nowMs * 20_000);
  assert(ask(nowMs, nowMs * 20_000) > 10e6);
  const fast = nowMs * 20_000;
  let rate = 0;
  for (let n = 0; n < 600; n++) {
    rate = ask(nowMs += 50, fast + Math.floor(n / 20) * 16_384);
  }
  assert(rate <= FIRST_RATE, `${rate}`);
});

Deno.test("createPacing() holds its own where others keep a queue full", () => {
  const { rates } = play({
    carries: () => 20e6,
    rttMs: 100,
    othersMs: 100,
  }, 60);
  assert(Math.min(...rates.slice(-100)) > 2e6);
});

Deno.test("createPacing() has never more under way than the path carries in a few round trips", () => {
  const pacing = createPacing();
  const ask = (nowMs: number, arrivedBytes: number) =>
    pacing({ nowMs, arrivedBytes, rttMs: 100, lateRttMs: 100 });
  for (let nowMs = 0; nowMs < 10_000; nowMs += 100) ask(nowMs, nowMs * 1000);
  const { mostBytes } = ask(10_000, 10e6);
  assertLess(mostBytes, 10e6 + 1e6 * 2);
});

Deno.test("createPacing() never stops a transfer", () => {
  const { rates } = play({ carries: () => 1, rttMs: 100 }, 20);
  assertEquals(Math.min(...rates), LEAST_RATE);
});
