import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FakeClock, settle } from "../tests/testutil/fake_clock.ts";
import { forAllAsync, intBetween } from "../tests/testutil/random.ts";
import { BURST_MS, createMeter, createRateLimiter } from "./rate.ts";

Deno.test("RateLimiter lets a burst go at once, and the rest at its rate", async () => {
  const clock = new FakeClock();
  const limiter = createRateLimiter(1000, clock);
  const at: number[] = [];
  const all = Array.from(
    { length: 6 },
    () => limiter.take(100).then(() => at.push(clock.now())),
  );
  await clock.advance(1000);
  await Promise.all(all);
  assertEquals(at, [0, 0, 50, 150, 250, 350]);
  assertEquals(clock.pending, 0);
});

Deno.test("RateLimiter saves up no more than a burst while nothing is sent", async () => {
  const clock = new FakeClock();
  const limiter = createRateLimiter(1000, clock);
  await clock.advance(60_000);
  const at: number[] = [];
  const all = [250, 100].map((n) =>
    limiter.take(n).then(() => at.push(clock.now()))
  );
  await clock.advance(1000);
  await Promise.all(all);
  assertEquals(at, [60_000, 60_100]);
});

Deno.test("RateLimiter passes a take that is larger than a burst, late enough", async () => {
  const clock = new FakeClock();
  const limiter = createRateLimiter(1000, clock);
  let at = -1;
  limiter.take(5000).then(() => at = clock.now());
  await clock.advance(10_000);
  assertEquals(at, 5000 - BURST_MS);
});

Deno.test("RateLimiter does not charge a take that is aborted, and serves the next", async () => {
  const clock = new FakeClock();
  const limiter = createRateLimiter(1000, clock);
  const control = new AbortController();
  const [large, queued] = [
    limiter.take(60_000, control.signal),
    limiter.take(10, control.signal),
  ];
  let at = -1;
  limiter.take(350).then(() => at = clock.now());
  await settle();
  control.abort(new Error("off"));
  await assertRejects(() => large, Error, "off");
  await assertRejects(() => queued, Error, "off");
  await clock.advance(1000);
  assertEquals(at, 100);
  assertEquals(clock.pending, 0);
});

Deno.test("RateLimiter without a limit waits for nothing", async () => {
  const clock = new FakeClock();
  const limiter = createRateLimiter(Infinity, clock);
  for (let i = 0; i < 100; i++) await limiter.take(2 ** 40);
  assertEquals(clock.pending, 0);
});

Deno.test("RateLimiter refuses numbers that make no sense", async () => {
  const clock = new FakeClock();
  for (const rate of [0, -1, NaN]) {
    assertThrows(() => createRateLimiter(rate, clock), RangeError);
  }
  await assertRejects(() => createRateLimiter(1, clock).take(-1), RangeError);
});

Deno.test("RateLimiter keeps its rate over any span, and is fair", async () => {
  await forAllAsync((random) => ({
    rate: intBetween(random, 100, 10_000),
    takes: Array.from({ length: 40 }, () => ({
      bytes: intBetween(random, 0, 400),
      pauseMs: random() < 0.3 ? intBetween(random, 0, 2000) : 0,
      abort: random() < 0.2,
    })),
  }), async ({ rate, takes }) => {
    const clock = new FakeClock();
    const limiter = createRateLimiter(rate, clock);
    const granted: { n: number; at: number; bytes: number }[] = [];
    let kept = 0;
    for (const [n, { bytes, pauseMs, abort }] of takes.entries()) {
      const control = new AbortController();
      limiter.take(bytes, control.signal).then(
        () => granted.push({ n, at: clock.now(), bytes }),
        () => {},
      );
      if (pauseMs > 0) await clock.advance(pauseMs);
      if (abort) control.abort();
      else kept++;
    }
    await clock.advance(400_000);
    assert(granted.length >= kept, "a take was forgotten");
    for (const [i, first] of granted.entries()) {
      let sum = 0;
      for (const { n, at, bytes } of granted.slice(i)) {
        assert(n >= first.n, "one was overtaken");
        sum += bytes;
        const worth = rate * (at - first.at + BURST_MS) / 1000;
        assert(sum <= worth + first.bytes + 1e-6, `${sum} > ${worth}`);
      }
    }
    assertEquals(clock.pending, 0);
  }, { runs: 12 });
});

Deno.test("Meter measures over its window, and forgets", async () => {
  const clock = new FakeClock();
  const meter = createMeter(clock, 2000);
  assertEquals(meter.rate(), 0);
  for (let i = 0; i < 100; i++) {
    meter.add(100);
    await clock.advance(100);
  }
  assert(Math.abs(meter.rate() - 1000) <= 100, `${meter.rate()}`);
  for (let i = 0; i < 100; i++) {
    meter.add(500);
    await clock.advance(100);
  }
  assert(Math.abs(meter.rate() - 5000) <= 500, `${meter.rate()}`);
  await clock.advance(1000);
  assert(Math.abs(meter.rate() - 2500) <= 500, `${meter.rate()}`);
  await clock.advance(2000);
  assertEquals(meter.rate(), 0);
});

Deno.test("Meter does not take its first bytes for a high rate, nor divide by nothing", async () => {
  const clock = new FakeClock();
  const meter = createMeter(clock, 2000);
  meter.add(1000);
  assertEquals(meter.rate(), 10_000); // as if over a twentieth of the window
  await clock.advance(500);
  assertEquals(meter.rate(), 2000);
  await clock.advance(1_000_000_000);
  assertEquals(meter.rate(), 0);
  assertThrows(() => createMeter(clock, 0), RangeError);
});
