import { assertEquals } from "@std/assert";
import { nextTurn } from "./turn.ts";

Deno.test("nextTurn() comes after all that is ready, and leaves nothing open", async () => {
  const order: string[] = [];
  const turn = nextTurn().then(() => order.push("turn"));
  let ready: Promise<unknown> = Promise.resolve();
  for (let n = 0; n < 100; n++) ready = ready.then(() => {});
  await ready.then(() => order.push("ready"));
  await turn;
  assertEquals(order, ["ready", "turn"]);
});
