import { assert, assertEquals } from "@std/assert";
import { idleTurn, nextTurn } from "./turn.ts";

Deno.test("nextTurn() comes after all that is ready, and leaves nothing open", async () => {
  const order: string[] = [];
  const turn = nextTurn().then(() => order.push("turn"));
  let ready: Promise<unknown> = Promise.resolve();
  for (let n = 0; n < 100; n++) ready = ready.then(() => {});
  await ready.then(() => order.push("ready"));
  await turn;
  assertEquals(order, ["ready", "turn"]);
});

Deno.test("idleTurn() lets sockets have a turn, however busy the thread is kept", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  using near = await Deno.connect({
    hostname: "127.0.0.1",
    port: listener.addr.port,
  });
  using far = await accepted;
  let isHeard = false;
  const heard = far.read(new Uint8Array(1)).then(() => isHeard = true);
  await near.write(new Uint8Array(1));
  let turns = 0;
  for (; !isHeard && turns < 1000; turns++) await idleTurn();
  assert(isHeard && turns <= 10, `heard after ${turns} turns`);
  await heard;
});
