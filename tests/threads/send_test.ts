/** A sender whose further connections are on threads of their own. */
import { assert, assertEquals } from "@std/assert";
import { library } from "../faults/library.ts";
import { MIB } from "../faults/kit.ts";
import { within } from "../testutil/deadline.ts";
import { watchWorkers } from "./kit.ts";

import { makeTree, sameTree, type TreeSpec } from "../testutil/tree.ts";

const TREE: TreeSpec = {
  "a": 40 * MIB,
  "b": 33 * MIB + 17,
  "c": MIB,
  "d": 64 * 1024 + 1,
  "e": 5 * MIB - 1,
  "empty": "",
  "small/1": 1,
  "small/2": 4096,
};

Deno.test("threads: a sender with two sends the same", async () => {
  await using lib = await library({ carrier: "quic" });
  await makeTree(`${lib.dir}/src`, TREE);
  const watched = watchWorkers();
  const sending = lib.send("src", {
    carrier: "quic",
    threads: 2,
    inside: { spawnThread: watched.spawn },
  });
  const { totals } = await within(60_000, "the transfer", sending);
  assertEquals(totals.failed, 0);
  assertEquals(watched.workers.length, 2);
  assert(watched.count("lease") > 2, `${watched.count("lease")} leases`);
  assertEquals(await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`), []);
  assert(lib.events.some(({ type }) => type === "done"));
});
