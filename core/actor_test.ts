import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FakeClock, settle } from "../tests/testutil/fake_clock.ts";
import { type Behavior, live, unreachable } from "./actor.ts";
import type { Field, Log } from "./log.ts";
import { Mailbox } from "./mailbox.ts";
import type { Reply } from "./reply.ts";

type Message = "go" | "fail" | "exit" | { readonly reply: Reply<string> };

function alive(behavior: Partial<Behavior<Message>>) {
  const clock = new FakeClock();
  const mailbox = new Mailbox<Message>("actor", 8);
  const stop = new AbortController();
  const events: [string, unknown][] = [];
  const log: Log = {
    event: (name: string, fields?: Readonly<Record<string, Field>>) =>
      void events.push([name, fields]),
    child: () => log,
  };
  const life = live({ receive: () => {}, ...behavior }, mailbox, {
    signal: stop.signal,
    clock,
    log,
  });
  life.catch(() => {});
  return { clock, mailbox, stop, life, events };
}

Deno.test("an actor starts, handles its messages in order, and stops when it is aborted", async () => {
  const seen: unknown[] = [];
  const { mailbox, stop, life } = alive({
    start: () => void seen.push("start"),
    async receive(message) {
      await settle();
      seen.push(message);
    },
    stop: () => void seen.push("stop"),
  });
  mailbox.offer("go");
  mailbox.offer("exit");
  await settle();
  await settle();
  await settle();
  stop.abort();
  await life;
  assertEquals(seen, ["start", "go", "exit", "stop"]);
});

Deno.test("an actor that exits leaves its other messages for the next life", async () => {
  const { mailbox, life } = alive({ receive: (_, cx) => cx.exit() });
  mailbox.offer("exit");
  mailbox.offer("go");
  await life;
  assertEquals(mailbox.size, 1);
});

Deno.test("an actor that is aborted between two messages takes no other", async () => {
  const { mailbox, stop, life } = alive({});
  await settle(); // it waits for a message
  mailbox.offer("go");
  stop.abort(); // before it could run
  await life;
  assertEquals(mailbox.size, 1);
});

Deno.test("an actor that cannot start fails, and is stopped all the same", async () => {
  let stopped = 0;
  const { life } = alive({
    start: () => Promise.reject(new Error("no socket")),
    stop: () => void stopped++,
  });
  await assertRejects(() => life, Error, "no socket");
  assertEquals(stopped, 1);
});

Deno.test("an actor whose signal aborted before it began never starts", async () => {
  const seen: string[] = [];
  const mailbox = new Mailbox<Message>("actor", 1);
  await live(
    {
      start: () => void seen.push("start"),
      receive: () => {},
      stop: () => void seen.push("stop"),
    },
    mailbox,
    { ...alive({}), signal: AbortSignal.abort(), log: silent },
  );
  assertEquals(seen, ["stop"]);
});

Deno.test("an actor that fails on a message rejects its reply, stops, and fails", async () => {
  let stopped = 0;
  const { mailbox, life } = alive({
    receive: () => Promise.reject(new Error("bad message")),
    stop: () => void stopped++,
  });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  mailbox.offer({ reply: { resolve, reject } });
  await assertRejects(() => promise, Error, "bad message");
  await assertRejects(() => life, Error, "bad message");
  assertEquals(stopped, 1);
});

Deno.test("an actor whose stop fails has failed, and says so", async () => {
  const { stop, life, events } = alive({
    stop: () => Promise.reject(new Error("cannot flush")),
  });
  await settle();
  stop.abort();
  await assertRejects(() => life, Error, "cannot flush");
  assertEquals(events, [["actor.stop-failed", {
    reason: "Error: cannot flush",
  }]]);
});

Deno.test("an actor's first failure is the one that counts, the others are told", async () => {
  const { mailbox, life, events } = alive({
    receive: () => Promise.reject(new Error("first")),
    stop: () => Promise.reject(new Error("second")),
  });
  mailbox.offer("fail");
  await assertRejects(() => life, Error, "first");
  assertEquals(events.length, 1);
});

Deno.test("an actor fails with its task, and an AbortError from elsewhere is a failure", async () => {
  const { life } = alive({
    start: (cx) =>
      cx.spawn(() => Promise.reject(new DOMException("other", "AbortError"))),
  });
  await assertRejects(() => life, DOMException, "other");
  const thrown = alive({
    start: (cx) =>
      cx.spawn(() => {
        throw new Error("at once");
      }),
  });
  await assertRejects(() => thrown.life, Error, "at once");
});

Deno.test("an actor ends only when its tasks have, those of tasks included", async () => {
  const gate = Promise.withResolvers<void>();
  const seen: string[] = [];
  const { stop, life } = alive({
    start(cx) {
      cx.spawn(async () => {
        cx.spawn(async () => {
          await gate.promise;
          seen.push("inner");
        });
        await gate.promise;
        throw new Error("late, and nobody's concern");
      });
    },
    stop: () => void seen.push("stop"),
  });
  life.then(() => seen.push("ended"));
  await settle();
  stop.abort();
  await settle();
  assertEquals(seen, ["stop"]);
  gate.resolve();
  await life;
  assertEquals(seen, ["stop", "inner", "ended"]);
});

Deno.test("cx.spawn() does nothing once the life has ended", async () => {
  let ran = 0;
  const { life } = alive({
    start(cx) {
      cx.exit();
      cx.spawn(() => Promise.resolve(void ran++));
    },
  });
  await life;
  assertEquals(ran, 0);
});

Deno.test("cx.after() sends a message later, unless it is called off", async () => {
  const seen: unknown[] = [];
  const { clock, stop, life } = alive({
    start(cx) {
      cx.after(100, "go");
      cx.after(50, "fail")();
    },
    receive: (message) => void seen.push(message),
  });
  await clock.advance(99);
  assertEquals(seen, []);
  assertEquals(clock.pending, 1);
  await clock.advance(1);
  assertEquals(seen, ["go"]);
  stop.abort();
  await life;
});

Deno.test("cx.after() of a life that ended sends nothing", async () => {
  const { clock, mailbox, life } = alive({
    start(cx) {
      cx.after(100, "go");
      cx.exit();
    },
  });
  await life;
  assertEquals(clock.pending, 0);
  await clock.advance(1000);
  assertEquals(mailbox.size, 0);
});

Deno.test("cx.after() waits for room, and gives that up with the life", async () => {
  const gate = Promise.withResolvers<void>();
  const { clock, mailbox, stop, life } = alive({
    start: (cx) => void cx.after(10, "go"),
    receive: () => gate.promise,
  });
  for (let i = 0; i < 8; i++) mailbox.offer("fail");
  await settle();
  mailbox.offer("fail"); // one is being handled, the mailbox is full again
  await clock.advance(10);
  stop.abort();
  gate.resolve();
  await life;
  assertEquals(mailbox.size, 8);
});

Deno.test("intercept() is called before each message, and its failure is the actor's", async () => {
  const seen: unknown[] = [];
  const mailbox = new Mailbox<Message>("actor", 8);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  mailbox.offer("go");
  mailbox.offer({ reply: { resolve, reject } });
  promise.catch(() => {});
  await assertRejects(
    () =>
      live({ receive: (message) => void seen.push(message) }, mailbox, {
        signal: new AbortController().signal,
        clock: new FakeClock(),
        log: silent,
        intercept(message) {
          if (typeof message === "object") throw new Error("injected");
        },
      }),
    Error,
    "injected",
  );
  assertEquals(seen, ["go"]);
  await assertRejects(() => promise, Error, "injected");
});

Deno.test("unreachable() names the type of the message and nothing else", () => {
  const error = assertThrows(
    () => unreachable({ type: "odd", key: "hidden" } as never),
    TypeError,
    'type "odd"',
  );
  assertEquals(error.message.includes("hidden"), false);
  assertThrows(() => unreachable(undefined as never), TypeError);
});

const silent: Log = { event: () => {}, child: () => silent };
