/**
 * Chunks over TCP that come in on threads of the receiver, each at a port of its
 * own, and what becomes of them when a thread is lost.
 */
import { assert, assertEquals } from "@std/assert";
import { within } from "../testutil/deadline.ts";
import { freePort } from "../testutil/port.ts";
import { makeTree, sameTree } from "../testutil/tree.ts";
import { MIB } from "../faults/kit.ts";
import { type Library, library } from "../faults/library.ts";
import { keptLog } from "../faults/side.ts";
import { slowUntil, type Watched, watchWorkers } from "./kit.ts";

/** On a machine that is busy even this path seems long. */
const ALWAYS = { nearMs: Infinity, shortMs: Infinity };
const TREE = {
  "big": 96 * MIB + 5,
  "other": 20 * MIB,
  "small/1": 1,
  "small/2": 9000,
};

/** Sends a tree; QUIC is slow until `isDone`, so that TCP has its part. */
async function sendBeside(
  lib: Library,
  watched: Watched,
  isDone: () => boolean,
): Promise<void> {
  await makeTree(`${lib.dir}/src`, TREE);
  const line = await slowUntil(lib.receiver.address, isDone, watched);
  // What goes by the first port does not wait for a thread, and might be all.
  const tcpPort = freePort();
  const sending = lib.send("src", {
    address: line.address,
    inside: { tcpPort, tcpSide: true, bulk: ALWAYS },
  });
  const { totals } = await within(100_000, "the transfer", sending);
  await line.close();
  assertEquals(totals.failed, 0);
  assertEquals(await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`), []);
  assertEquals(lib.events.filter(({ type }) => type === "failed"), []);
}

Deno.test("threads: what comes over TCP comes in on threads", async () => {
  const watched = watchWorkers();
  const log = keptLog();
  await using lib = await library(
    { threads: 2, log },
    { spawnThread: watched.spawn },
  );
  await sendBeside(lib, watched, () => watched.count("place") >= 8);
  assert(watched.count("place") >= 8);
  assertEquals(log.named("side-port.open").length, 2);
  assertEquals(watched.workers.length, 2);
});

Deno.test("threads: what one has over TCP that dies goes again, and no other is asked for", async () => {
  let places = 0;
  const watched = watchWorkers();
  watched.onCall((worker, { call }) => {
    if (call === "place" && places++ === 3) {
      queueMicrotask(() => Worker.prototype.postMessage.call(worker, null));
    }
  });
  await using lib = await library(
    { threads: 2 },
    { spawnThread: watched.spawn },
  );
  await sendBeside(lib, watched, () => places > 3);
  assert(places > 3);
  assertEquals(watched.workers.length, 2);
});
