import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { settle } from "../tests/testutil/fake_clock.ts";
import { forAllAsync, intBetween } from "../tests/testutil/random.ts";
import { Mailbox, MailboxClosedError } from "./mailbox.ts";

const never = new AbortController().signal;

Deno.test("Mailbox says what is wrong with its capacity", () => {
  for (const capacity of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => new Mailbox("m", capacity), RangeError, `${capacity}`);
  }
});

Deno.test("Mailbox.send() waits for room and keeps the order of the senders", async () => {
  const mailbox = new Mailbox<number>("m", 1);
  const done: number[] = [];
  const sends = [1, 2, 3].map((n) => mailbox.send(n).then(() => done.push(n)));
  await settle();
  assertEquals(done, [1]);
  const read = [];
  for (let n = 0; n < 3; n++) read.push(await mailbox.receive(never));
  await Promise.all(sends);
  assertEquals(read, [1, 2, 3]);
  assertEquals(done, [1, 2, 3]);
});

Deno.test("Mailbox takes any message, also undefined", async () => {
  const mailbox = new Mailbox<undefined>("m", 2);
  mailbox.offer(undefined);
  assertEquals(mailbox.size, 1);
  assertEquals(await mailbox.receive(never), undefined);
  assertEquals(mailbox.size, 0);
  assertThrows(() => mailbox.take(), TypeError, "it is empty");
});

Deno.test("Mailbox.receive() that is aborted leaves the message for the next reader", async () => {
  const mailbox = new Mailbox<number>("m", 1);
  const [first, second] = [new AbortController(), new AbortController()];
  const gone = mailbox.receive(first.signal);
  first.abort(new Error("gone"));
  // At once: the first reader has not run again yet.
  const next = mailbox.receive(second.signal);
  mailbox.offer(7);
  await assertRejects(() => gone, Error, "gone");
  assertEquals(await next, 7);
});

Deno.test("Mailbox.send() that is aborted takes its message back", async () => {
  const mailbox = new Mailbox<number>("m", 1);
  await mailbox.send(1);
  const control = new AbortController();
  const second = mailbox.send(2, control.signal);
  const third = mailbox.send(3);
  control.abort(new Error("no more"));
  await assertRejects(() => second, Error, "no more");
  assertEquals(await mailbox.receive(never), 1);
  await third;
  assertEquals(await mailbox.receive(never), 3);
  await assertRejects(() => mailbox.send(4, control.signal), Error, "no more");
  assertEquals(mailbox.size, 0);
});

Deno.test("Mailbox has one reader at a time", async () => {
  const mailbox = new Mailbox<number>("m", 1);
  const first = mailbox.receive(never);
  await assertRejects(() => mailbox.receive(never), TypeError, "has a reader");
  mailbox.offer(1);
  assertEquals(await first, 1);
});

Deno.test("Mailbox.close() turns away writers and the reader, and returns what is left", async () => {
  const mailbox = new Mailbox<number>("m", 2);
  await mailbox.send(1);
  await mailbox.send(2);
  const waiting = [mailbox.send(3), mailbox.send(4)];
  assertEquals(mailbox.close(), [1, 2]);
  for (const send of waiting) {
    await assertRejects(() => send, MailboxClosedError);
  }
  assertEquals(mailbox.offer(5), false);
  await assertRejects(() => mailbox.send(5), MailboxClosedError);
  await assertRejects(() => mailbox.receive(never), MailboxClosedError);
  assertEquals(mailbox.close(), []);

  const idle = new Mailbox<number>("idle", 1);
  const reader = idle.receive(never);
  idle.close();
  await assertRejects(() => reader, MailboxClosedError);
});

Deno.test("Mailbox leaves no listener on a signal that lives long", async () => {
  const { signal, count } = countingSignal();
  const mailbox = new Mailbox<number>("m", 1);
  await mailbox.send(1, signal);
  const waiting = mailbox.send(2, signal);
  assertEquals(count(), 1);
  await mailbox.receive(signal);
  await waiting;
  await mailbox.receive(signal);
  const reader = mailbox.receive(signal);
  assertEquals(count(), 1);
  mailbox.offer(3);
  await reader;
  assertEquals(count(), 0);
});

type Op =
  | "send"
  | "offer"
  | "abort-send"
  | "receive"
  | "abort-receive"
  | "close";

Deno.test("Mailbox does what a naive queue does, whatever is aborted", async () => {
  const OPS: readonly Op[] = [
    ...["send", "send", "send", "offer", "abort-send"] as const,
    ...["receive", "receive", "receive", "abort-receive"] as const,
  ];
  await forAllAsync((random) => ({
    capacity: intBetween(random, 1, 4),
    // A batch is what happens before any promise gets to run.
    batches: Array.from(
      { length: intBetween(random, 1, 25) },
      () =>
        Array.from({ length: intBetween(random, 1, 4) }, () => ({
          op: random() < 0.01 ? "close" : OPS[intBetween(random, 0, 8)] as Op,
          which: random(),
        })),
    ),
  }), async ({ capacity, batches }) => {
    const mailbox = new Mailbox<number>("m", capacity);
    const model = {
      queue: [] as number[],
      writers: [] as number[],
      closed: false,
    };
    const aborts = new Map<number, AbortController>();
    const [sent, got, expectSent, expectGot]: [
      string[],
      string[],
      string[],
      string[],
    ] = [[], [], [], []];
    let reader: AbortController | undefined;
    let modelReads = false;
    let next = 0;

    const refill = () => {
      while (model.queue.length < capacity && model.writers.length > 0) {
        const id = model.writers.shift() as number;
        model.queue.push(id);
        expectSent.push(`${id} ok`);
      }
    };
    for (const batch of batches) {
      for (const { op, which } of batch) {
        if (op === "send") {
          const id = next++;
          const control = new AbortController();
          aborts.set(id, control);
          mailbox.send(id, control.signal).then(
            () => sent.push(`${id} ok`),
            () => sent.push(`${id} no`),
          );
          if (model.closed) expectSent.push(`${id} no`);
          else model.writers.push(id);
          refill();
        } else if (op === "offer") {
          const id = next++;
          const room = !model.closed && model.queue.length < capacity;
          assertEquals(mailbox.offer(id), room);
          if (room) model.queue.push(id);
        } else if (op === "abort-send") {
          const id = model.writers[Math.floor(which * model.writers.length)];
          if (id === undefined) continue;
          aborts.get(id)?.abort();
          model.writers = model.writers.filter((other) => other !== id);
          expectSent.push(`${id} no`);
        } else if (op === "receive") {
          if (reader !== undefined) continue;
          const control = reader = new AbortController();
          modelReads = true;
          mailbox.receive(control.signal).then(
            (id) => got.push(`${id}`),
            () => got.push("no"),
          ).finally(() => {
            if (reader === control) reader = undefined;
          });
        } else if (op === "abort-receive") {
          if (reader === undefined) continue;
          reader.abort();
          reader = undefined;
          if (modelReads) expectGot.push("no");
          modelReads = false;
        } else {
          const left = model.queue.splice(0);
          for (const id of model.writers.splice(0)) expectSent.push(`${id} no`);
          model.closed = true;
          assertEquals(mailbox.close(), left);
        }
      }
      // The reader takes at the end of a batch: it has to run first.
      if (modelReads && (model.queue.length > 0 || model.closed)) {
        expectGot.push(
          model.queue.length > 0 ? `${model.queue.shift()}` : "no",
        );
        modelReads = false;
        refill();
      }
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      assertEquals(got.filter(isRead), expectGot.filter(isRead));
      assertEquals(got.length, expectGot.length);
      assertEquals(sent.toSorted(), expectSent.toSorted());
      assertEquals(mailbox.size, model.queue.length);
    }
    mailbox.close();
    reader?.abort();
    await settle();
  }, { runs: 400 });
});

const isRead = (result: string): boolean => result !== "no";

/** A signal that counts its listeners. */
function countingSignal(): { signal: AbortSignal; count(): number } {
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: unknown[]) => {
    listeners++;
    add(...args as Parameters<typeof add>);
  };
  signal.removeEventListener = (...args: unknown[]) => {
    listeners--;
    remove(...args as Parameters<typeof remove>);
  };
  return { signal, count: () => listeners };
}
