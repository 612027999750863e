/** A receiver where senders come in on threads of their own. */
import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../core/clock.ts";
import { createLaneThreads } from "../../workers/lane_threads.ts";
import { MIB } from "../faults/kit.ts";
import { CERTIFICATE, library } from "../faults/library.ts";
import { within } from "../testutil/deadline.ts";
import { makeTree, sameTree } from "../testutil/tree.ts";
import { watchWorkers } from "./kit.ts";

Deno.test("threads: all of a transfer can come in on another thread", async () => {
  const watched = watchWorkers();
  const threads = createLaneThreads({
    clock: systemClock,
    max: 1,
    spawn: watched.spawn,
  });
  const { cert, key } = CERTIFICATE;
  const listener = await threads.listen({
    hostname: "127.0.0.1",
    port: 0,
    alpn: "sftpx/1",
    cert,
    key: new TextEncoder().encode(key),
    quic: {},
  });
  await using lib = await library({ listener });
  await makeTree(`${lib.dir}/src`, {
    "a": 20 * MIB + 3,
    "b": 7 * MIB,
    "c": MIB,
    "empty": "",
    "small/1": 1,
    "small/2": 4096,
  });
  const sending = lib.send("src", { carrier: "quic" });
  const { totals } = await within(60_000, "the transfer", sending);
  assertEquals(totals.failed, 0);
  const places = watched.count("place");
  assert(places >= 28, `${places} chunks were written there`);
  assertEquals(await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`), []);
  await lib.receiver.close();
  await threads.close();
});
