import { assertEquals } from "@std/assert";
import { controlChannel } from "../../actors/frames.ts";
import { greetReceiver } from "../../actors/greeting.ts";
import { systemClock } from "../../core/clock.ts";
import { systemRandomBytes } from "../../crypto/random.ts";
import { memoryNetwork } from "../../transport/memory.ts";

Deno.test("a sender that is asked whether it is there answers before it is welcome", async () => {
  const network = memoryNetwork();
  const listener = network.listen("memory:receiver");
  const signal = new AbortController().signal;
  const conn = await network.dialer("memory:receiver").dial(signal);
  const greeted = greetReceiver(conn, {
    session: new Uint8Array(32),
    life: new Uint8Array(16),
    attempt: 1,
    fingerprint: new Uint8Array(32),
    token: undefined,
    offer: {
      type: "offer",
      checksum: false,
      b3sum: false,
      fresh: false,
      totalBytes: undefined,
      label: "x",
    },
    randomBytes: systemRandomBytes,
    clock: systemClock,
  }, signal);

  const receiver = await listener.accept();
  const stream = await receiver?.acceptBidi();
  if (receiver === undefined || stream === undefined) throw new TypeError();
  const control = controlChannel(stream);
  assertEquals((await control.read())?.type, "hello");
  await control.write({ type: "ping", id: 7 });
  assertEquals(await control.read(), { type: "pong", id: 7 });
  await control.write({
    type: "welcome",
    version: 1,
    continued: false,
    life: new Uint8Array(16),
    next: 0,
    window: 10,
    maxLanes: 1,
  });
  assertEquals((await control.read())?.type, "offer");
  await control.write({ type: "accept" });
  assertEquals((await greeted).welcome.window, 10);
  conn.close();
  receiver.close();
  listener.close();
});
