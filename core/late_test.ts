import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { late, present } from "./late.ts";

Deno.test("late() loads once, and gives what is there only when it is", async () => {
  const gate = Promise.withResolvers<object>();
  let loads = 0;
  const it = late(() => {
    loads++;
    return gate.promise;
  });
  assertEquals([it.now, loads], [undefined, 0]);
  const [one, other] = [it.load(), it.load()];
  assertEquals([it.now, loads], [undefined, 1]);
  const thing = {};
  gate.resolve(thing);
  assertStrictEquals(await one, thing);
  assertStrictEquals(await other, thing);
  assertStrictEquals(it.now, thing);
  assertStrictEquals(await it.load(), thing);
  assertEquals(loads, 1);
});

Deno.test("late() tells whoever asks that it does not load", async () => {
  const it = late(() => Promise.reject(new Error("not here")));
  await assertRejects(() => it.load(), Error, "not here");
  await assertRejects(() => it.load(), Error, "not here");
  assertEquals(it.now, undefined);
});

Deno.test("present() is there at once", async () => {
  const it = present(7);
  assertEquals([it.now, await it.load()], [7, 7]);
});
