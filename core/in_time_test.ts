import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../tests/testutil/fake_clock.ts";
import { inTime } from "./in_time.ts";

const late = (cause: unknown): Error => new Error(`late: ${cause}`);

/** Never ends by itself. */
const silent = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject("gave up"));
  });

function allowed(ms: number) {
  const clock = new FakeClock();
  const own = new AbortController();
  return { clock, own, time: { clock, ms, signal: own.signal, late } };
}

Deno.test("inTime() gives what comes in time, and leaves no timer", async () => {
  const { clock, time } = allowed(1000);
  assertEquals(await inTime(time, () => Promise.resolve(7)), 7);
  assertEquals(clock.pending, 0);
  await assertRejects(
    () => inTime(time, () => Promise.reject(new Error("no"))),
    Error,
    "no",
  );
  assertEquals(clock.pending, 0);
});

Deno.test("inTime() gives up when the time is up, and not before", async () => {
  const { clock, time } = allowed(1000);
  let ended: unknown;
  const running = inTime(time, silent).catch((error) => ended = error);
  await clock.advance(999);
  assertEquals(ended, undefined);
  await clock.advance(1);
  await running;
  assertEquals(`${ended}`, "Error: late: gave up");
});

Deno.test("inTime() that is ended from outside says so, not that it was late", async () => {
  const { own, time } = allowed(1000);
  const running = inTime(time, silent).catch((error) => error);
  own.abort();
  assertEquals(await running, "gave up");
});
