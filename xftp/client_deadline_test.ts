import { assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { FakeClock } from "../tests/testutil/fake_clock.ts";
import { whileMoving, within } from "./client_deadline.ts";

const LATE = new SftpxError("connection-lost", "Cannot wait: it is late");
const forEver = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });

Deno.test("what takes too long is given up, and is told so", async () => {
  const clock = new FakeClock();
  let seen: AbortSignal | undefined;
  const waiting = within(
    clock,
    1000,
    new AbortController().signal,
    () => LATE,
    (signal) => {
      seen = signal;
      return forEver(signal);
    },
  );
  const failed = assertRejects(() => waiting, SftpxError, "it is late");
  await clock.advance(999);
  assertEquals(seen?.aborted, false);
  await clock.advance(1);
  await failed;
  assertEquals(seen?.aborted, true);
  assertEquals(clock.pending, 0);
});

Deno.test("what is done in time leaves no timer, and neither does what was stopped", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const moving = { moved: () => 0, stillMs: 100, allMs: 1000 };
  assertEquals(
    await whileMoving(
      clock,
      moving,
      stop.signal,
      () => LATE,
      () => Promise.resolve(7),
    ),
    7,
  );
  const waiting = whileMoving(clock, moving, stop.signal, () => LATE, forEver);
  const failed = assertRejects(() => waiting, Error, "stopped");
  stop.abort(new Error("stopped"));
  await failed;
  await clock.advance(0);
  assertEquals(clock.pending, 0);
});

Deno.test("what moves may take long, what stands still may not", async () => {
  const clock = new FakeClock();
  let moved = 0;
  let isOver = false;
  const waiting = whileMoving(
    clock,
    { moved: () => moved, stillMs: 100, allMs: 100_000 },
    new AbortController().signal,
    () => LATE,
    forEver,
  ).finally(() => isOver = true);
  const failed = assertRejects(() => waiting, SftpxError, "it is late");
  for (let i = 0; i < 50; i++) {
    moved++;
    await clock.advance(100);
  }
  assertEquals(isOver, false);
  await clock.advance(100);
  await failed;
});

Deno.test("what only trickles is given up in the end", async () => {
  const clock = new FakeClock();
  let moved = 0;
  const waiting = whileMoving(
    clock,
    { moved: () => ++moved, stillMs: 100, allMs: 1000 },
    new AbortController().signal,
    () => LATE,
    forEver,
  );
  const failed = assertRejects(() => waiting, SftpxError, "it is late");
  for (let i = 0; i < 10; i++) await clock.advance(100);
  await failed;
});
