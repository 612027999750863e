import { assertEquals } from "@std/assert";
import { pair } from "./pair.ts";

Deno.test("a transfer in one process puts all of it in place, and both ends agree", async () => {
  await using two = await pair();
  const receiver = two.receive();
  const [sent, received] = await two.run(
    Promise.all([two.send(), receiver.done]),
  );
  await two.run(receiver.close());
  assertEquals(sent.root.toHex(), received.root.toHex());
  assertEquals(sent.failures, []);
  assertEquals(await two.differences(), []);
  assertEquals(two.time.clock.pending, 0);
});
