import { assertEquals, assertRejects } from "@std/assert";
import { settle } from "./fake_clock.ts";
import { freePort } from "./port.ts";
import { recorder } from "./recorder.ts";

Deno.test("Recorder keeps what it is told, and finds what comes", async () => {
  const to = recorder<string>();
  await to.send("a");
  const b = to.next((message) => message === "b");
  to.offer("b");
  assertEquals(await b, "b");
  assertEquals(await to.next(), "a");
  assertEquals(to.drain(), ["a", "b"]);
  assertEquals(to.size, 0);
});

Deno.test("Recorder that is full makes senders wait, in order, and refuses offers", async () => {
  const to = recorder<number>();
  to.full = true;
  assertEquals(to.offer(0), false);
  const control = new AbortController();
  const sends = [to.send(1), to.send(2, control.signal), to.send(3)];
  control.abort(new Error("off"));
  await assertRejects(async () => await sends[1], Error, "off");
  await settle();
  assertEquals(to.size, 0);
  to.full = false;
  await Promise.all([sends[0], sends[2]]);
  assertEquals(to.messages, [1, 3]);
  await assertRejects(() => to.send(4, control.signal), Error, "off");
});

Deno.test("freePort() finds a port that can be bound", () => {
  using _listener = Deno.listen({ hostname: "127.0.0.1", port: freePort() });
});
