import { assert, assertEquals } from "@std/assert";
import { idleTurn, nextTurn } from "./turn.ts";

/** What a near end has written to a far one; `heard` tells when it was read. */
async function written() {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const near = await Deno.connect({
    hostname: "127.0.0.1",
    port: listener.addr.port,
  });
  const far = await accepted;
  const it = { isHeard: false, heard: Promise.resolve() };
  it.heard = far.read(new Uint8Array(1)).then(() => {
    it.isHeard = true;
    near.close();
    far.close();
  });
  await near.write(new Uint8Array(1));
  return it;
}

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
  let least = Infinity;
  // A loaded machine may take longer, as the next test has it, but not each time.
  for (let round = 0; round < 20 && least > 10; round++) {
    const it = await written();
    let turns = 0;
    for (; !it.isHeard && turns < 1000; turns++) await idleTurn();
    assert(it.isHeard, `not heard after ${turns} turns`);
    await it.heard;
    least = Math.min(least, turns);
  }
  assert(least <= 10, `heard after ${least} turns at best`);
});

Deno.test("idleTurn() lets them have one when the other thread is always done first", async () => {
  const { subtle } = crypto;
  const { digest } = subtle;
  const it = await written();
  let turns = 0;
  try {
    // As a loaded machine may have it: the loop has always something to do.
    subtle.digest = () => nextTurn().then(() => new ArrayBuffer(32));
    for (; !it.isHeard && turns < 1000; turns++) {
      const until = performance.now() + 4;
      while (performance.now() < until);
      await idleTurn();
    }
  } finally {
    subtle.digest = digest;
  }
  assert(it.isHeard && turns <= 20, `heard after ${turns} turns`);
  await it.heard;
});
