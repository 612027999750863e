/** Over a long line a transfer's last words take a while, and nothing may follow them. */
import { assertEquals } from "@std/assert";
import { parseAddress } from "../../protocol/address.ts";
import { within } from "../testutil/deadline.ts";
import { faultProxy } from "../testutil/fault_proxy.ts";
import { makeTree } from "../testutil/tree.ts";
import { library } from "./library.ts";
import { keptLog } from "./side.ts";

Deno.test("nothing is said after the last words, however long they take to arrive", async () => {
  const log = keptLog();
  await using lib = await library();
  await makeTree(`${lib.dir}/src`, { "a": 100_000 });
  const target = parseAddress(lib.receiver.address, 0);
  const line = await faultProxy({ target, keep: 0 });
  await line.set("both", { delayMs: 250 });
  const sending = lib.send("src", {
    address: `127.0.0.1:${line.port}`,
    carrier: "quic",
    log,
  });
  const { totals } = await within(60_000, "the transfer", sending);
  await line.close();
  assertEquals(totals.failed, 0);
  assertEquals(log.named("actor.crash"), []);
});
