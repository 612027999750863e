import { assert, assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../tests/testutil/fake_clock.ts";
import { type Clock, systemClock, watchSuspend } from "./clock.ts";

for (
  const [name, create] of [
    ["systemClock", () => systemClock],
    ["FakeClock", () => new FakeClock()],
  ] satisfies [string, () => Clock][]
) {
  Deno.test(`${name}.delay() rejects with the reason of its signal, before and meanwhile`, async () => {
    const clock = create();
    const control = new AbortController();
    const waiting = clock.delay(60_000, control.signal);
    const long = clock.delay(Infinity, control.signal);
    control.abort(new Error("off"));
    await assertRejects(() => waiting, Error, "off");
    await assertRejects(() => long, Error, "off");
    await assertRejects(() => clock.delay(0, control.signal), Error, "off");
  });

  Deno.test(`${name}.delay() refuses what is no time`, async () => {
    for (const ms of [-1, NaN]) {
      await assertRejects(() => create().delay(ms), RangeError, `${ms}`);
    }
  });
}

Deno.test("systemClock waits, and its wall clock is of this century", async () => {
  const before = systemClock.now();
  await systemClock.delay(1);
  assert(systemClock.now() > before);
  assert(systemClock.wallMs() > Date.UTC(2024));
});

Deno.test("FakeClock fires timers in the order of their time", async () => {
  const clock = new FakeClock();
  const fired: string[] = [];
  const wait = (ms: number) =>
    clock.delay(ms).then(() => fired.push(`${ms} at ${clock.now()}`));
  wait(20);
  wait(10).then(() => wait(5));
  wait(10);
  await clock.advance(19);
  assertEquals(fired, ["10 at 10", "10 at 10", "5 at 15"]);
  await clock.advance(1);
  assertEquals(fired.at(-1), "20 at 20");
  assertEquals(clock.pending, 0);
});

Deno.test("watchSuspend() tells of a machine that slept and of a process that stood still", async () => {
  const clock = new FakeClock();
  const control = new AbortController();
  const missed: number[] = [];
  const watch = watchSuspend(clock, control.signal, (ms) => missed.push(ms));
  await clock.advance(20_000);
  assertEquals(missed, []);
  clock.sleep(3_600_000);
  await clock.advance(2_000);
  assertEquals(missed, [3_600_000]);
  clock.sleep(-7_200_000); // set back: nothing was missed
  await clock.advance(2_000);
  assertEquals(missed.length, 1);
  control.abort();
  await watch;
  assertEquals(clock.pending, 0);
});
