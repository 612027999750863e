import { assert, assertEquals, assertLess } from "@std/assert";
import type { Pacer } from "../core/rate.ts";
import { FakeClock } from "../tests/testutil/fake_clock.ts";
import { createPace } from "./pace.ts";

/** Plays a path that carries `carries` bytes a second; returns the rates that were set. */
async function play(
  carries: (second: number) => number,
  seconds: number,
): Promise<number[]> {
  const clock = new FakeClock();
  const rates: number[] = [];
  const pacer: Pacer = {
    take: () => Promise.resolve(),
    setRate: (rate) => void rates.push(rate),
  };
  const arrived = createPace(pacer, clock);
  let received = 0;
  for (let second = 0; second < seconds; second += 0.5) {
    arrived(received);
    received += Math.min(carries(second), rates.at(-1) ?? Infinity) / 2;
    await clock.advance(500);
  }
  return rates;
}

Deno.test("createPace() finds what a path carries, and then asks for little more", async () => {
  const rates = await play(() => 20e6, 30);
  assert(rates.some((rate) => rate >= 20e6));
  const late = rates.slice(-16);
  assert(Math.max(...late) <= 20e6 * 1.2 + 1);
  assertLess(late.reduce((sum, rate) => sum + rate) / late.length, 20e6 * 1.06);
});

Deno.test("createPace() follows a path that comes to carry less, and one that comes to carry more", async () => {
  const less = await play((second) => second < 15 ? 20e6 : 5e6, 30);
  assertLess(less.at(-1) ?? 0, 5e6 * 1.3);
  const more = await play((second) => second < 15 ? 5e6 : 20e6, 120);
  assert((more.at(-1) ?? 0) > 15e6);
});

Deno.test("createPace() never stops a transfer", async () => {
  const rates = await play(() => 0, 10);
  assertEquals(Math.min(...rates), 1024 * 1024);
});
