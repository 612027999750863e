import { assert, assertEquals } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { CHUNK, pair, type PairOptions, type Side } from "./pair.ts";

const TREE = {
  "a": "text",
  "big": CHUNK * 40 + 5,
  "dir/two": CHUNK + 1,
  "dir/empty": "",
  "z": 100,
} as const;

/** Calls `act` once, when so many messages have been handled. */
function onMessage(
  number: number,
  act: () => void,
): Required<Pick<PairOptions, "intercept">> {
  let count = 0;
  return {
    intercept() {
      if (++count === number) act();
    },
  };
}

/** How many messages an undisturbed transfer takes. */
async function countMessages(): Promise<number> {
  let count = 0;
  await using two = await pair({ tree: TREE, intercept: () => void count++ });
  const receiver = two.receive();
  await two.run(Promise.all([two.send(), receiver.done]));
  await two.run(receiver.close());
  return count;
}

/** A few moments of a transfer, from its first message to one of the last. */
function momentsOf(total: number, moments: number): number[] {
  return Array.from(
    { length: moments },
    (_, n) => 1 + Math.floor(n * (total - 1) / moments),
  );
}

/** Where one end has stopped, at `number`. Then all goes on. */
async function stopAt(side: Side, number: number): Promise<void> {
  const stop = new AbortController();
  const stopped = Promise.withResolvers<void>();
  stop.signal.addEventListener("abort", () => stopped.resolve());
  await using two = await pair({
    tree: TREE,
    ...onMessage(number, () => stop.abort()),
  });
  const first = two.receive();
  if (side === "sender") {
    const error = await two.run(
      two.send(stop.signal).then(() => undefined, (error) => error),
    );
    if (error !== undefined) {
      assert(error instanceof SftpxError);
      assertEquals(error.code, "cancelled");
    }
    const sent = await two.run(two.send());
    await two.run(first.done);
    assertEquals(sent.totals.failed, 0);
    await two.run(first.close());
  } else {
    const sending = two.send();
    sending.catch(() => {});
    await two.run(Promise.race([stopped.promise, sending]));
    await two.run(first.close());
    const second = two.receive();
    const sent = await two.run(sending);
    assertEquals(sent.totals.failed, 0);
    await two.run(second.close());
  }
  assertEquals(await two.differences(), []);
  assertEquals(two.time.clock.pending, 0);
}

for (const side of ["sender", "receiver"] as const) {
  Deno.test(`a ${side} that is stopped, at whichever moment, leaves nothing running, and the next one goes on`, async (t) => {
    const total = await countMessages();
    for (const number of momentsOf(total, 14)) {
      await t.step(`at message ${number} of ${total}`, async () => {
        await stopAt(side, number);
      });
    }
  });
}

Deno.test("a sender that is stopped says so, and the receiver's session ends at once", async () => {
  const stop = new AbortController();
  await using two = await pair({ ...onMessage(40, () => stop.abort()) });
  const receiver = two.receive();
  await two.run(two.send(stop.signal).catch(() => {}));
  await two.run(two.time.clock.delay(1000));
  assertEquals(
    receiver.results.map((one) => one instanceof SftpxError && one.code),
    ["cancelled"],
  );
  await two.run(receiver.close());
  assertEquals(two.time.clock.pending, 0);
});

Deno.test("what was durable before a stop is not sent again", async () => {
  const stop = new AbortController();
  let chunks = 0;
  await using two = await pair({
    tree: { "big": CHUNK * 200 },
    intercept(side, actor, message) {
      if (side !== "receiver" || actor !== "persistence") return;
      const { type, chunks: more } = message as {
        type: string;
        chunks?: unknown[];
      };
      if (type === "verified") chunks += more?.length ?? 0;
      if (chunks >= 100) stop.abort();
    },
  });
  const receiver = two.receive();
  await two.run(two.send(stop.signal).catch(() => {}));
  const sent = await two.run(two.send());
  await two.run(receiver.close());
  assert(sent.totals.reused >= 100 * CHUNK, `${sent.totals.reused}`);
  assertEquals(sent.totals.sent + sent.totals.reused, 200 * CHUNK);
  assertEquals(await two.differences(), []);
});
