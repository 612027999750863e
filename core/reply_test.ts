import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock, settle } from "../tests/testutil/fake_clock.ts";
import { Mailbox } from "./mailbox.ts";
import { ask, rejectReply, type Reply } from "./reply.ts";

interface Question {
  readonly reply: Reply<number>;
}

function asking(capacity = 1) {
  const clock = new FakeClock();
  const control = new AbortController();
  const to = new Mailbox<Question>("oracle", capacity);
  const answer = () =>
    ask<Question, number>(to, (reply) => ({ reply }), {
      signal: control.signal,
      clock,
      timeoutMs: 100,
    });
  return { clock, control, to, answer };
}

Deno.test("ask() resolves with the answer, and leaves no timer", async () => {
  const { clock, to, answer } = asking();
  const answered = answer();
  to.take().reply.resolve(42);
  assertEquals(await answered, 42);
  assertEquals(clock.pending, 0);
});

Deno.test("ask() is rejected with what the reply is rejected with", async () => {
  const { clock, to, answer } = asking();
  const answered = answer();
  rejectReply(to.take(), new Error("crashed"));
  await assertRejects(() => answered, Error, "crashed");
  assertEquals(clock.pending, 0);
});

Deno.test("ask() gives up when no answer comes in time, and when there is no room", async () => {
  const { clock, to, answer } = asking();
  const [first, second] = [answer(), answer()];
  first.catch(() => {});
  second.catch(() => {});
  await clock.advance(100);
  await assertRejects(() => first, DOMException, '"oracle" in 100 ms');
  await assertRejects(() => second, DOMException, '"oracle" in 100 ms');
  to.take();
  assertEquals(to.size, 0); // the second question took itself back
  assertEquals(clock.pending, 0);
});

Deno.test("ask() ends with its signal, before, while it sends and while it waits", async () => {
  const { clock, control, to, answer } = asking();
  const [waiting, sending] = [answer(), answer()];
  await settle();
  control.abort(new Error("stopped"));
  await assertRejects(() => waiting, Error, "stopped");
  await assertRejects(() => sending, Error, "stopped");
  await assertRejects(() => answer(), Error, "stopped");
  assertEquals(to.size, 1);
  assertEquals(clock.pending, 0);
});

Deno.test("ask() is rejected at once when the mailbox is closed", async () => {
  const { clock, to, answer } = asking();
  to.close();
  await assertRejects(() => answer(), Error, "it is closed");
  assertEquals(clock.pending, 0);
});

Deno.test("rejectReply() does nothing for what carries no reply", () => {
  for (
    const message of [undefined, null, 1, "x", {}, { reply: 1 }, { reply: {} }]
  ) {
    rejectReply(message, new Error("unheard"));
  }
});
