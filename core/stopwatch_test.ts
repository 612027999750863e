import { assertEquals } from "@std/assert";
import { FakeClock } from "../tests/testutil/fake_clock.ts";
import { createStopwatch } from "./stopwatch.ts";

Deno.test("a stopwatch adds up what is waited for at the same time, by kind", async () => {
  const clock = new FakeClock();
  const watch = createStopwatch(["read", "write"], clock);
  const ends = [watch.begin("write"), watch.begin("write")];
  await clock.advance(1000);
  const read = watch.begin("read");
  await clock.advance(1000);
  read();
  read(); // once, however often it is called
  for (const end of ends) end();
  assertEquals(watch.lap(), {
    windowMs: 2000,
    waits: { read: 1000, write: 4000 },
    cpuMs: 0,
  });
});

Deno.test("a stopwatch counts a wait that is not over, and its rest in the next lap", async () => {
  const clock = new FakeClock();
  const watch = createStopwatch(["write"], clock);
  const end = watch.begin("write");
  await clock.advance(2500);
  assertEquals(watch.lap()?.waits, { write: 2500 });
  await clock.advance(500);
  end();
  assertEquals(watch.lap(), undefined); // too soon
  await clock.advance(1500);
  assertEquals(watch.lap()?.waits, { write: 500 });
});

Deno.test("a stopwatch takes processor time by the lap, and a wait that fails is over", async () => {
  const clock = new FakeClock();
  let cpu = 100;
  const watch = createStopwatch(["read"], clock, () => cpu);
  const failed = watch.time("read", Promise.reject(new Error("no disk")));
  assertEquals(await failed.catch(({ message }) => message), "no disk");
  cpu = 350;
  await clock.advance(2000);
  assertEquals(watch.lap(), {
    windowMs: 2000,
    waits: { read: 0 },
    cpuMs: 250,
  });
});
