import { assertEquals, assertRejects } from "@std/assert";
import { settle } from "../tests/testutil/fake_clock.ts";
import { forAllAsync, intBetween } from "../tests/testutil/random.ts";
import { createOutbox } from "./coalesce.ts";

const never = new AbortController().signal;
const sum = (old: number | undefined, add: number): number => (old ?? 0) + add;

Deno.test("Outbox makes one fact of those under the same key, in the order of the keys", async () => {
  const outbox = createOutbox<string, number>(sum);
  outbox.add("b", 1);
  outbox.add("a", 2);
  outbox.add("b", 3);
  assertEquals(outbox.size, 2);
  assertEquals([...await outbox.take(never)], [["b", 4], ["a", 2]]);
  assertEquals(outbox.size, 0);
});

Deno.test("Outbox.take() waits for the first fact", async () => {
  const outbox = createOutbox<string, number>(sum);
  const batch = outbox.take(never);
  outbox.add("a", 1);
  outbox.add("a", 2); // before the consumer gets to run
  assertEquals([...await batch], [["a", 3]]);
});

Deno.test("Outbox.take() that is aborted takes nothing, and leaves room for the next", async () => {
  const outbox = createOutbox<string, number>(sum);
  const control = new AbortController();
  const gone = outbox.take(control.signal);
  control.abort(new Error("gone"));
  const next = outbox.take(never);
  outbox.add("a", 1);
  await assertRejects(() => gone, Error, "gone");
  assertEquals([...await next], [["a", 1]]);
  await assertRejects(() => outbox.take(control.signal), Error, "gone");
});

Deno.test("Outbox that was woken and then aborted loses nothing", async () => {
  const outbox = createOutbox<string, number>(sum);
  const control = new AbortController();
  const gone = outbox.take(control.signal);
  outbox.add("a", 1);
  control.abort(new Error("gone"));
  await assertRejects(() => gone, Error, "gone");
  assertEquals([...outbox.drain()], [["a", 1]]);
});

Deno.test("Outbox has one consumer at a time", async () => {
  const outbox = createOutbox<string, number>(sum);
  const first = outbox.take(never);
  await assertRejects(() => outbox.take(never), TypeError, "has a consumer");
  outbox.add("a", 1);
  await first;
});

Deno.test("Outbox that is closed gives what is left, then empty batches", async () => {
  const outbox = createOutbox<string, number>(sum);
  assertEquals(outbox.add("a", 1), true);
  outbox.close();
  assertEquals(outbox.add("a", 1), false);
  assertEquals([...await outbox.take(never)], [["a", 1]]);
  assertEquals((await outbox.take(never)).size, 0);

  const idle = createOutbox<string, number>(sum);
  const batch = idle.take(never);
  idle.close();
  assertEquals((await batch).size, 0);
});

Deno.test("Outbox keeps what waits when a merge throws", () => {
  const outbox = createOutbox<string, number>((old, add) => {
    if (add < 0) throw new RangeError("negative");
    return (old ?? 0) + add;
  });
  outbox.add("a", 1);
  try {
    outbox.add("a", -1);
  } catch { /* expected */ }
  assertEquals([...outbox.drain()], [["a", 1]]);
});

Deno.test("Outbox loses nothing, whoever adds and whoever is aborted", async () => {
  await forAllAsync(
    (random) =>
      Array.from({ length: intBetween(random, 1, 60) }, () => ({
        op: random() < 0.6 ? "add" : random() < 0.7 ? "take" : "abort",
        key: intBetween(random, 0, 5),
        pause: random() < 0.4,
      })),
    async (ops) => {
      const outbox = createOutbox<number, number>(sum);
      const [added, taken] = [
        new Map<number, number>(),
        new Map<number, number>(),
      ];
      const book = (to: Map<number, number>, key: number, value: number) =>
        to.set(key, sum(to.get(key), value));
      let reader: AbortController | undefined;
      for (const { op, key, pause } of ops) {
        if (op === "add") {
          outbox.add(key, 1);
          book(added, key, 1);
        } else if (op === "abort") {
          reader?.abort();
          reader = undefined;
        } else if (reader === undefined) {
          const control = reader = new AbortController();
          outbox.take(control.signal).then((batch) => {
            for (const [key, value] of batch) book(taken, key, value);
            if (reader === control) reader = undefined;
          }, () => {});
        }
        if (pause) { for (let i = 0; i < 8; i++) await Promise.resolve(); }
      }
      reader?.abort();
      await settle();
      for (const [key, value] of outbox.drain()) book(taken, key, value);
      assertEquals(taken.size, added.size);
      for (const [key, value] of added) assertEquals(taken.get(key), value);
    },
    { runs: 200 },
  );
});
