/** A sender whose further connections are on threads of their own. */
import { assert, assertEquals } from "@std/assert";
import { codeOf } from "../../core/errors.ts";
import { MIB } from "../faults/kit.ts";
import { library } from "../faults/library.ts";
import { within } from "../testutil/deadline.ts";
import { makeTree, sameTree, type TreeSpec } from "../testutil/tree.ts";
import { slowUntil, watchWorkers } from "./kit.ts";

/** Sizes around those of chunks, and small files between them. */
const TREE: TreeSpec = {
  "a": 21 * MIB,
  "b": 33 * MIB + 17,
  "c": MIB,
  "d": 64 * 1024 + 1,
  "e": 5 * MIB - 1,
  "empty": "",
  "small/1": 1,
  "small/2": 4096,
  "z": 3 * MIB,
};
const SIZE = Object.values(TREE).reduce<number>(
  (sum, size) => sum + (typeof size === "number" ? size : 0),
  0,
);

Deno.test("threads: what is sent by two more connections is the same, and nothing goes twice", async () => {
  await using lib = await library({ carrier: "quic" });
  await makeTree(`${lib.dir}/src`, TREE);
  const watched = watchWorkers();
  const line = await slowUntil(
    lib.receiver.address,
    () => watched.count("lease") >= 4,
    watched,
  );
  const sending = lib.send("src", {
    address: line.address,
    carrier: "quic",
    threads: 2,
    b3sum: true,
    inside: { spawnThread: watched.spawn },
  });
  const { totals } = await within(100_000, "the transfer", sending);
  await line.close();
  assertEquals(totals.failed, 0);
  assertEquals(totals.sent, SIZE);
  assertEquals(watched.workers.length, 2);
  assertEquals(await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`), []);
  const last = lib.events.at(-1);
  assert(last?.type === "done" && last.totals.bytes === SIZE);
});

for (
  const [how, kill] of [
    ["is ended", (worker: Worker) => worker.terminate()],
    [
      "dies of an error",
      (worker: Worker) => Worker.prototype.postMessage.call(worker, null),
    ],
  ] as const
) {
  Deno.test(`threads: what a thread had that ${how} goes another way`, async () => {
    await using lib = await library({ carrier: "quic" });
    await makeTree(`${lib.dir}/src`, TREE);
    let killed = 0;
    const watched = watchWorkers();
    watched.onCall((worker, { call }) => {
      if (call !== "lease" || killed++ > 0) return;
      queueMicrotask(() => kill(worker));
    });
    const line = await slowUntil(
      lib.receiver.address,
      () => killed > 1,
      watched,
    );
    const sending = lib.send("src", {
      address: line.address,
      carrier: "quic",
      threads: 1,
      inside: { spawnThread: watched.spawn },
    });
    const { totals } = await within(100_000, "the transfer", sending);
    await line.close();
    assert(killed > 0);
    assertEquals(totals.failed, 0);
    assertEquals(
      await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`),
      [],
    );
    assertEquals(lib.events.filter(({ type }) => type === "failed"), []);
  });
}

Deno.test("threads: where none can be started, all goes by the thread that there is", async () => {
  await using lib = await library({ carrier: "quic" });
  await makeTree(`${lib.dir}/src`, TREE);
  const { totals } = await within(
    60_000,
    "the transfer",
    lib.send("src", {
      carrier: "quic",
      threads: 2,
      inside: {
        spawnThread() {
          throw new Error("no more threads");
        },
      },
    }),
  );
  assertEquals(totals.failed, 0);
  assertEquals(await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`), []);
});

Deno.test("threads: a transfer that is stopped ends its threads", async () => {
  await using lib = await library({ carrier: "quic" });
  await makeTree(`${lib.dir}/src`, TREE);
  const stop = new AbortController();
  const watched = watchWorkers();
  watched.onCall(() => {
    if (watched.count("lease") > 1) stop.abort();
  });
  const line = await slowUntil(lib.receiver.address, () => false, watched);
  const sending = lib.send("src", {
    address: line.address,
    carrier: "quic",
    threads: 2,
    signal: stop.signal,
    inside: { spawnThread: watched.spawn },
  });
  const code = await within(
    60_000,
    "the end",
    sending.then(() => "it went through", codeOf),
  );
  await line.close();
  assertEquals(code, "cancelled");
});
