import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../tests/testutil/fake_clock.ts";
import { createPace } from "./pace.ts";

Deno.test("a pace holds back what is more than may be under way, until some of it has arrived", async () => {
  const clock = new FakeClock();
  const pace = createPace(clock);
  let taken = 0;
  const lane = (async () => {
    for (; taken < 4_000_000; taken += 16_384) await pace.take(16_384);
  })();
  await clock.advance(60_000);
  const first = taken;
  assertEquals(first > 300_000 && first < 2_000_000, true);
  pace.look({ arrivedBytes: first, rttMs: 50, lateRttMs: 50 });
  await clock.advance(100);
  assertEquals(taken > first, true);
  for (let n = 0; n < 100; n++) {
    pace.look({ arrivedBytes: taken, rttMs: 50, lateRttMs: 50 });
    await clock.advance(300);
  }
  await lane;
  assertEquals(clock.pending, 0);
});

Deno.test("who waits for a pace can be stopped, and is not counted", async () => {
  const clock = new FakeClock();
  const pace = createPace(clock);
  const over = new AbortController();
  const waiting = pace.take(100_000_000, over.signal);
  await clock.advance(1000);
  over.abort();
  await assertRejects(() => waiting);
  assertEquals(clock.pending, 0);
});
