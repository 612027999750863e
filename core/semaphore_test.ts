import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { settle } from "../tests/testutil/fake_clock.ts";
import { forAllAsync, intBetween } from "../tests/testutil/random.ts";
import { createSemaphore, type Permit } from "./semaphore.ts";

Deno.test("Semaphore gives permits until there are none, then in the order of asking", async () => {
  const semaphore = createSemaphore(2);
  const [a] = [await semaphore.acquire(), await semaphore.acquire()];
  const order: number[] = [];
  const waiting = [1, 2].map((n) =>
    semaphore.acquire().then((permit) => {
      order.push(n);
      return permit;
    })
  );
  await settle();
  assertEquals([order, semaphore.waiting], [[], 2]);
  a.release();
  a.release(); // counts once
  await settle();
  assertEquals([order, semaphore.waiting], [[1], 1]);
  (await waiting[0])?.release();
  await waiting[1];
  assertEquals([order, semaphore.available], [[1, 2], 0]);
});

Deno.test("Semaphore gives a permit back at the end of its block", async () => {
  const semaphore = createSemaphore(1);
  {
    using _permit = await semaphore.acquire();
    assertEquals(semaphore.available, 0);
  }
  assertEquals(semaphore.available, 1);
});

Deno.test("Semaphore lets nobody overtake one that wants more, until that one gives up", async () => {
  const semaphore = createSemaphore(3);
  await semaphore.acquire();
  const control = new AbortController();
  const large = semaphore.acquire(control.signal, 3);
  let small: Permit | undefined;
  semaphore.acquire().then((permit) => small = permit);
  await settle();
  assertEquals(small, undefined);
  assertEquals(semaphore.tryAcquire(), undefined);
  control.abort(new Error("off"));
  await assertRejects(() => large, Error, "off");
  await settle();
  assert(small !== undefined);
  assertEquals(semaphore.available, 1);
  await assertRejects(() => semaphore.acquire(control.signal), Error, "off");
});

Deno.test("Semaphore refuses counts that could never be had", async () => {
  for (const permits of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => createSemaphore(permits), RangeError);
  }
  const semaphore = createSemaphore(2);
  for (const count of [0, -1, 0.5, 3]) {
    await assertRejects(() => semaphore.acquire(undefined, count), RangeError);
    assertThrows(() => semaphore.tryAcquire(count), RangeError);
  }
});

Deno.test("Semaphore never gives more than it has, and gets all back", async () => {
  await forAllAsync((random) => ({
    permits: intBetween(random, 1, 4),
    ops: Array.from({ length: 40 }, () => ({
      op: intBetween(random, 0, 3),
      count: intBetween(random, 1, 4),
      which: random(),
    })),
  }), async ({ permits, ops }) => {
    const semaphore = createSemaphore(permits);
    const held: { permit: Permit; count: number }[] = [];
    const aborts: AbortController[] = [];
    for (const { op, count, which } of ops) {
      const wanted = Math.min(count, permits);
      if (op <= 1) {
        const control = new AbortController();
        aborts.push(control);
        semaphore.acquire(control.signal, wanted).then(
          (permit) => held.push({ permit, count: wanted }),
          () => {},
        );
      } else if (op === 2) {
        held.splice(Math.floor(which * held.length), 1)[0]?.permit.release();
      } else {
        aborts[Math.floor(which * aborts.length)]?.abort();
      }
      for (let turn = 0; turn < 8; turn++) await Promise.resolve();
      const out = held.reduce((sum, { count }) => sum + count, 0);
      assertEquals(out + semaphore.available, permits);
    }
    for (const control of aborts) control.abort();
    await settle();
    for (const { permit } of held) permit.release();
    assertEquals([semaphore.available, semaphore.waiting], [permits, 0]);
  }, { runs: 100 });
});
