import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FakeClock, settle } from "../tests/testutil/fake_clock.ts";
import type { Behavior } from "./actor.ts";
import { createBudget } from "./budget.ts";
import { codeOf, type ErrorCode, SftpxError } from "./errors.ts";
import { type Log, nullLog } from "./log.ts";
import { MailboxClosedError } from "./mailbox.ts";
import type { Reply } from "./reply.ts";
import {
  type ChildSpec,
  type RestartInfo,
  type RestartPolicy,
  Supervisor,
  SupervisorError,
} from "./supervisor.ts";

type Order =
  | "crash"
  | "exit"
  | { readonly lose: ErrorCode }
  | { readonly reply: Reply<string> };

const POLICY: RestartPolicy = {
  strategy: "rest-for-one",
  maxCrashes: 3,
  crashWindowMs: 10_000,
  backoffMs: 250,
  backoffCapMs: 15_000,
  patienceMs: 600_000,
  shutdownMs: 5_000,
};

/** A supervisor, what its children do, in order, and how its run ended. */
function supervised(policy: Partial<RestartPolicy> = {}) {
  const clock = new FakeClock();
  const trace: string[] = [];
  const restarts: RestartInfo[] = [];
  const log: Log = {
    event(name) {
      if (name === "actor.stuck") trace.push(name);
    },
    child: () => log,
  };
  const env = {
    clock,
    log,
    random: () => 1,
    onRestart: (restart: RestartInfo) => void restarts.push(restart),
  };
  const supervisor = new Supervisor("top", { ...POLICY, ...policy }, env);
  const stop = new AbortController();
  const child = (
    name: string,
    more: Partial<ChildSpec<Order>> & Partial<Behavior<Order>> = {},
  ) => {
    const { start, receive, stop, ...spec } = more;
    return supervisor.add<Order>({
      name,
      capacity: 8,
      restart: "permanent",
      create: () => ({
        async start(cx) {
          trace.push(`+${name}`);
          await start?.(cx);
        },
        receive: receive ?? obey,
        async stop() {
          await stop?.();
          trace.push(`-${name}`);
        },
      }),
      ...spec,
    });
  };
  const since = () => trace.splice(0);
  return { clock, supervisor, stop, child, trace, since, restarts };
}

const obey: Behavior<Order>["receive"] = (order, cx) => {
  if (order === "exit") cx.exit();
  else if (order === "crash") throw new Error("crashed");
  else if ("lose" in order) throw new SftpxError(order.lose, "Cannot go on");
};

Deno.test("Supervisor starts children in order and stops them in reverse, one after the other", async () => {
  const { supervisor, stop, child, since } = supervised();
  child("a");
  child("b", { stop: () => settle() });
  child("c");
  const run = supervisor.run(stop.signal);
  await settle();
  assertEquals(since(), ["+a", "+b", "+c"]);
  stop.abort();
  await run;
  assertEquals(since(), ["-c", "-b", "-a"]);
});

Deno.test("Supervisor restarts later children with the one that crashed, and keeps their mailboxes", async () => {
  const { clock, supervisor, stop, child, since } = supervised();
  child("a");
  const b = child("b");
  const c = child("c");
  const run = supervisor.run(stop.signal);
  await clock.advance(0);
  since();
  b.offer("crash");
  await clock.advance(0);
  assertEquals(since(), ["-b", "-c", "+b", "+c"]);
  c.offer("crash");
  await clock.advance(0);
  assertEquals(since(), ["-c", "+c"]);
  stop.abort();
  await run;
  assertEquals(clock.pending, 0);
});

Deno.test("Supervisor keeps the messages that wait, drops the one that failed", async () => {
  const { clock, supervisor, stop, child, since } = supervised();
  const a = child("a");
  for (const order of ["crash", "crash", "exit"] as const) a.offer(order);
  const run = supervisor.run(stop.signal);
  await clock.advance(0);
  assertEquals(since(), ["+a", "-a", "+a", "-a", "+a", "-a", "+a"]);
  stop.abort();
  await run;
});

Deno.test("Supervisor restarts only the one that crashed, under one-for-one", async () => {
  const { clock, supervisor, stop, child, since } = supervised({
    strategy: "one-for-one",
  });
  const a = child("a");
  child("b");
  const run = supervisor.run(stop.signal);
  await clock.advance(0);
  since();
  a.offer("crash");
  await clock.advance(0);
  assertEquals(since(), ["-a", "+a"]);
  stop.abort();
  await run;
});

Deno.test("Supervisor gives up when a child crashes too often, and says why", async () => {
  const { clock, supervisor, stop, child, since } = supervised();
  const a = child("a");
  const b = child("b");
  const run = supervisor.run(stop.signal);
  run.catch(() => {});
  for (let i = 0; i < 4; i++) {
    b.offer("crash");
    await clock.advance(100);
  }
  const error = await assertRejects(() => run, SupervisorError, "too often");
  assertEquals(error.child, "b");
  assertEquals((error.cause as Error).message, "crashed");
  assertEquals(codeOf(error), "internal");
  assertEquals(since().at(-1), "-a");
  await assertRejects(() => a.send("exit"), MailboxClosedError);
  assertEquals(clock.pending, 0);
});

Deno.test("Supervisor forgets crashes that are older than the window", async () => {
  const { clock, supervisor, stop, child } = supervised();
  const a = child("a");
  const run = supervisor.run(stop.signal);
  for (let i = 0; i < 12; i++) {
    a.offer("crash");
    await clock.advance(3_400); // three in any ten seconds
  }
  stop.abort();
  await run;
});

Deno.test("Supervisor gives up on a permanent child that keeps ending", async () => {
  const { supervisor, stop, child } = supervised();
  child("a", { start: (cx) => cx.exit() });
  const error = await assertRejects(
    () => supervisor.run(stop.signal),
    SupervisorError,
    "it ended too often",
  );
  assertEquals(error.cause, undefined);
});

Deno.test("Supervisor says with which code it gave up, whatever the code", async () => {
  for (const code of ["protocol", "local-io", "unauthorized"] as const) {
    const { supervisor, stop, child } = supervised({ maxCrashes: 0 });
    child("a").offer({ lose: code });
    const error = await assertRejects(() => supervisor.run(stop.signal));
    assertEquals(codeOf(error), code);
  }
});

Deno.test("Supervisor waits longer each time for a retryable failure, without charging a crash", async () => {
  const { clock, supervisor, stop, child, restarts } = supervised();
  const lives: number[] = [];
  child("a", {
    start() {
      lives.push(clock.now());
      throw new SftpxError("unreachable", "Cannot dial");
    },
  });
  const run = supervisor.run(stop.signal);
  await clock.advance(60_000);
  assertEquals(lives.slice(0, 9), [
    0,
    250,
    750,
    1750,
    3750,
    7750,
    15750,
    30750,
    45750,
  ]);
  assertEquals(
    restarts.slice(0, 3).map(({ actor, waitMs }) => [actor, waitMs]),
    [
      ["a", 250],
      ["a", 500],
      ["a", 1000],
    ],
  );
  assertEquals(codeOf(restarts[0]?.error), "unreachable");
  stop.abort();
  await run;
  assertEquals(clock.pending, 0);
});

Deno.test("Supervisor runs out of patience, and progress renews it", async () => {
  const { clock, supervisor, stop, child } = supervised({ patienceMs: 60_000 });
  const a = child("a");
  let ended = false;
  const run = supervisor.run(stop.signal).finally(() => ended = true);
  run.catch(() => {});
  for (let i = 0; i < 5; i++) {
    a.offer({ lose: "connection-lost" });
    await clock.advance(40_000);
    supervisor.progress();
  }
  a.offer({ lose: "connection-lost" });
  await clock.advance(59_999);
  a.offer({ lose: "connection-lost" });
  await clock.advance(20_000);
  assertEquals(ended, false);
  a.offer({ lose: "connection-lost" });
  await clock.advance(0);
  const error = await assertRejects(
    () => run,
    SupervisorError,
    "patience ran out",
  );
  assertEquals(codeOf(error), "connection-lost");
  assertEquals(clock.pending, 0);
});

Deno.test("createBudget() lets nobody wait for longer than patience lasts", async () => {
  const clock = new FakeClock();
  const policy = { ...POLICY, patienceMs: 10_000, backoffMs: 8000 };
  const budget = createBudget(policy, { clock, random: () => 1 });
  const failure = {
    failed: true,
    error: new SftpxError("connection-lost", "Cannot go on: a test"),
  };
  assertEquals(budget.charge(failure), { waitMs: 8000 });
  await clock.advance(9000);
  assertEquals(budget.charge(failure), { waitMs: 1000 });
  await clock.advance(1000);
  assertEquals(budget.charge(failure), { giveUp: "patience ran out" });
});

Deno.test("Supervisor that has seen progress begins with a short wait again", async () => {
  const { clock, supervisor, stop, child, restarts } = supervised();
  const a = child("a");
  const run = supervisor.run(stop.signal);
  for (let i = 0; i < 4; i++) {
    if (i === 2) supervisor.progress();
    a.offer({ lose: "connection-lost" });
    await clock.advance(1_000);
  }
  assertEquals(restarts.map(({ waitMs }) => waitMs), [250, 500, 250, 500]);
  stop.abort();
  await run;
});

Deno.test("Supervisor.hurry() ends the wait before a restart", async () => {
  const { clock, supervisor, stop, child, since } = supervised({
    backoffMs: 9_000,
  });
  const a = child("a");
  child("b");
  const run = supervisor.run(stop.signal);
  a.offer({ lose: "unreachable" });
  await clock.advance(10);
  assertEquals(since(), ["+a", "+b", "-a", "-b"]);
  supervisor.hurry();
  supervisor.hurry();
  await settle();
  assertEquals(since(), ["+a", "+b"]);
  assertEquals(clock.pending, 0);
  await clock.advance(20_000);
  assertEquals(since(), []);
  stop.abort();
  await run;
});

Deno.test("Supervisor that is stopped while a restart waits calls it off", async () => {
  const { clock, supervisor, stop, child, since } = supervised();
  child("a").offer({ lose: "unreachable" });
  const run = supervisor.run(stop.signal);
  await clock.advance(10);
  stop.abort();
  await run;
  assertEquals(clock.pending, 0);
  await clock.advance(60_000);
  assertEquals(since(), ["+a", "-a"]);
});

Deno.test("Supervisor lets an earlier child's crash take over from a later one's wait", async () => {
  const { clock, supervisor, stop, child, since } = supervised();
  const a = child("a");
  const b = child("b");
  const run = supervisor.run(stop.signal);
  await settle();
  b.offer({ lose: "unreachable" });
  await clock.advance(10);
  a.offer("crash");
  await clock.advance(0);
  assertEquals(since(), ["+a", "+b", "-b", "-a", "+a", "+b"]);
  assertEquals(clock.pending, 0); // b's own restart does not come on top
  await clock.advance(60_000);
  assertEquals(since(), []);
  stop.abort();
  await run;
});

Deno.test("Supervisor drops temporary children when they end, transient ones when they end well", async () => {
  const { clock, supervisor, stop, child, since } = supervised();
  const [a, b, c] = [
    child("a", { restart: "temporary" }),
    child("b", { restart: "transient" }),
    child("c", { restart: "transient" }),
  ];
  const run = supervisor.run(stop.signal);
  await clock.advance(0);
  since();
  a.offer("crash");
  b.offer("exit");
  await clock.advance(0);
  assertEquals(since(), ["-a", "-b"]);
  c.offer("crash");
  await clock.advance(0);
  assertEquals(since(), ["-c", "+c"]);
  c.offer("exit");
  await run; // none is left
  await assertRejects(() => b.send("exit"), MailboxClosedError);
});

Deno.test("Supervisor does not bring back, in a group, what was finished or temporary", async () => {
  const { clock, supervisor, stop, child, since } = supervised();
  const a = child("a");
  const [b] = [
    child("b", { restart: "transient" }),
    child("c", { restart: "temporary" }),
  ];
  child("d");
  const run = supervisor.run(stop.signal);
  await clock.advance(0);
  since();
  a.offer("crash");
  b.offer("exit"); // in the same moment
  await clock.advance(0);
  assertEquals(since(), ["-a", "-b", "-d", "-c", "+a", "+d"]);
  stop.abort();
  await run;
});

Deno.test("Supervisor that drops a child rejects the replies that wait there", async () => {
  const { supervisor, stop, child } = supervised();
  const a = child("a", { restart: "temporary" });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  a.offer("exit");
  a.offer({ reply: { resolve, reject } });
  const rejected = assertRejects(() => promise, MailboxClosedError);
  await supervisor.run(stop.signal);
  await rejected;
});

Deno.test("Supervisor.add() starts a child at once while it runs", async () => {
  for (const strategy of ["one-for-one", "rest-for-one"] as const) {
    const { clock, supervisor, stop, child, since } = supervised({ strategy });
    child("a");
    const run = supervisor.run(stop.signal);
    await clock.advance(0);
    const b = child("b");
    await clock.advance(0);
    assertEquals(since(), ["+a", "+b"]);
    b.offer("crash");
    await clock.advance(0);
    assertEquals(since(), ["-b", "+b"]);
    stop.abort();
    await run;
    assertEquals(since(), ["-b", "-a"]);
    assertThrows(() => child("c"), TypeError, "it has ended");
  }
});

Deno.test("Supervisor.add() waits for those it depends on, under rest-for-one", async () => {
  const { clock, supervisor, stop, child, since } = supervised();
  const a = child("a");
  const run = supervisor.run(stop.signal);
  a.offer({ lose: "unreachable" });
  await clock.advance(10);
  child("b");
  await clock.advance(10);
  assertEquals(since(), ["+a", "-a"]);
  await clock.advance(250);
  assertEquals(since(), ["+a", "+b"]);
  stop.abort();
  await run;
});

Deno.test("Supervisor.add() while a group is being stopped starts nothing early", async () => {
  const { clock, supervisor, stop, child, since } = supervised();
  const gate = Promise.withResolvers<void>();
  const a = child("a");
  child("b", { stop: () => gate.promise });
  child("c");
  const run = supervisor.run(stop.signal);
  await clock.advance(0);
  a.offer("crash");
  await clock.advance(0);
  child("d");
  await clock.advance(0);
  assertEquals(since(), ["+a", "+b", "+c", "-a", "-c"]);
  gate.resolve();
  await clock.advance(0);
  assertEquals(since(), ["-b", "+a", "+b", "+c", "+d"]);
  stop.abort();
  await run;
});

Deno.test("Supervisor.add() behind a child that is just ending for good is not forgotten", async () => {
  for (let turns = 0; turns < 30; turns++) {
    const { clock, supervisor, stop, child, since } = supervised();
    const a = child("a", { restart: "temporary" });
    child("b");
    const run = supervisor.run(stop.signal);
    await clock.advance(0);
    a.offer("exit");
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    child("c");
    await clock.advance(0);
    assertEquals(since().toSorted(), ["+a", "+b", "+c", "-a"]);
    stop.abort();
    await run;
  }
});

Deno.test("Supervisor charges a crash to the one that crashed, not to those that fall with it", async () => {
  const { clock, supervisor, stop, child, since } = supervised();
  const a = child("a");
  child("b");
  child("c");
  const run = supervisor.run(stop.signal);
  for (let i = 0; i < 3; i++) {
    a.offer("crash");
    await clock.advance(0);
  }
  assertEquals(since().filter((what) => what === "+c").length, 4);
  stop.abort();
  await run;
});

Deno.test("Supervisor that is aborted while it stops a group does not give up any more", async () => {
  const { clock, supervisor, stop, child } = supervised({ maxCrashes: 0 });
  const gate = Promise.withResolvers<void>();
  const a = child("a");
  child("b", { stop: () => gate.promise });
  const run = supervisor.run(stop.signal);
  await clock.advance(0);
  a.offer("crash");
  await clock.advance(0);
  stop.abort();
  gate.resolve();
  await run;
  assertEquals(clock.pending, 0);
});

Deno.test("Supervisor that gives up says why before it stops those that depend on the one that failed", async () => {
  const said: string[] = [];
  const clock = new FakeClock();
  const supervisor = new Supervisor("test", { ...POLICY, maxCrashes: 0 }, {
    clock,
    log: nullLog,
    random: () => 1,
    onGiveUp: (error) => said.push(String(error)),
  });
  const a = supervisor.add<Order>({
    name: "a",
    capacity: 4,
    restart: "permanent",
    create: () => ({ receive: obey }),
  });
  supervisor.add<Order>({
    name: "b",
    capacity: 4,
    restart: "permanent",
    create: () => ({ receive: obey, stop: () => void said.push("b stops") }),
  });
  a.offer("crash");
  await assertRejects(
    () => supervisor.run(new AbortController().signal),
    SupervisorError,
  );
  assertEquals(said, ["Error: crashed", "b stops"]);
});

Deno.test("Supervisor loses no exit, however many come at once", async () => {
  const { clock, supervisor, stop, child, since } = supervised({
    strategy: "one-for-one",
    maxCrashes: 5_000,
  });
  const all = Array.from({ length: 2_000 }, (_, i) => child(`${i}`));
  const run = supervisor.run(stop.signal);
  await clock.advance(0);
  since();
  for (const one of all) one.offer("crash");
  await clock.advance(0);
  assertEquals(since().filter((what) => what.startsWith("+")).length, 2_000);
  stop.abort();
  await run;
});

Deno.test("Supervisor reports a child that does not stop and goes on", async () => {
  const { clock, supervisor, stop, child, since } = supervised();
  const gate = Promise.withResolvers<void>();
  child("a");
  child("b", { stop: () => gate.promise, shutdownMs: 1_000 });
  const run = supervisor.run(stop.signal);
  await clock.advance(0);
  stop.abort();
  await clock.advance(999);
  assertEquals(since(), ["+a", "+b"]);
  await clock.advance(1);
  await run;
  assertEquals(since(), ["actor.stuck", "-a"]);
  gate.resolve();
  await settle();
});

Deno.test("Supervisor takes no notice of a life it left behind", async () => {
  const { clock, supervisor, stop, child, since } = supervised();
  const gate = Promise.withResolvers<void>();
  const gates = [gate];
  const a = child("a");
  const b = child("b", { receive: () => gates.pop()?.promise });
  const run = supervisor.run(stop.signal);
  b.offer("exit"); // b hangs in this
  await clock.advance(0);
  a.offer("crash");
  await clock.advance(5_000);
  assertEquals(since(), ["+a", "+b", "-a", "actor.stuck", "+a", "+b"]);
  gate.reject(new Error("late"));
  await clock.advance(0);
  assertEquals(since(), ["-b"]); // the life that was left behind, and no more
  b.offer("exit"); // heard by the new one
  await clock.advance(0);
  stop.abort();
  await run;
  assertEquals(since(), ["-b", "-a"]);
});

Deno.test("Supervisor that is aborted before it runs starts nothing, and runs once only", async () => {
  const { supervisor, child, since } = supervised();
  const a = child("a");
  await supervisor.run(AbortSignal.abort());
  assertEquals(since(), []);
  await assertRejects(() => a.send("exit"), MailboxClosedError);
  await assertRejects(
    () => supervisor.run(AbortSignal.abort()),
    TypeError,
    "before",
  );
});

Deno.test("Supervisor checks its policy", () => {
  assertThrows(() => supervised({ patienceMs: NaN }), RangeError, "patienceMs");
  assertThrows(() => supervised({ backoffMs: -1 }), RangeError, "backoffMs");
});

Deno.test("Supervisor lets a test fail any actor on any message", async () => {
  const clock = new FakeClock();
  const [seen, handled]: [string[], Order[]] = [[], []];
  const log: Log = { event: () => {}, child: () => log };
  const supervisor = new Supervisor("top", POLICY, {
    clock,
    log,
    random: () => 1,
    intercept(actor, message) {
      seen.push(`${actor} ${message}`);
      if (seen.length === 1) throw new Error("injected");
    },
  });
  const stop = new AbortController();
  const a = supervisor.add<Order>({
    name: "a",
    capacity: 2,
    restart: "permanent",
    create: () => ({ receive: (order) => void handled.push(order) }),
  });
  a.offer("crash");
  a.offer("exit");
  const run = supervisor.run(stop.signal);
  await clock.advance(0);
  assertEquals(seen, ["a crash", "a exit"]);
  assertEquals(handled, ["exit"]);
  stop.abort();
  await run;
});
