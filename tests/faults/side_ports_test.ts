/**
 * Side ports: a socket for each further connection at the receiver.
 */
import { assert, assertEquals } from "@std/assert";
import { within } from "../testutil/deadline.ts";
import { makeTree, sameTree } from "../testutil/tree.ts";
import { MIB } from "./kit.ts";
import { library } from "./library.ts";
import { growTo, keptLog } from "./side.ts";

Deno.test("each of 15 further connections has a port of its own, and all of it arrives", async () => {
  const [here, there] = [keptLog(), keptLog()];
  await using lib = await library({ log: there });
  await makeTree(`${lib.dir}/src`, { big: 64 * MIB, "small/a": 100 });
  let most = 0;
  const sending = lib.send("src", {
    connections: 16,
    limitRate: 8 * MIB, // there is time for all of them
    log: here,
    inside: { growth: growTo((now) => most = Math.max(most, now)) },
  });
  const { totals } = await within(60_000, "the transfer", sending);
  assertEquals(totals.failed, 0);
  assertEquals(await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`), []);
  assertEquals(most, 16);
  const opened = there.named("side-port.open").map(({ fields }) => fields.port);
  const used = here.named("side-port.used").map(({ fields }) => fields.port);
  assertEquals(opened.length, 15);
  assertEquals(new Set(used), new Set(opened));
  assert(!opened.includes(Number(lib.receiver.address.split(":").at(-1))));
  assertEquals(here.named("side-port.unreachable"), []);
});
