/**
 * Ends that move while they send: a NAT that rebinds, a machine that gets
 * another address, a socket that dies.
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import { endpointPool } from "../../transport/quic.ts";
import { within } from "../testutil/deadline.ts";
import { makeTree, sameTree } from "../testutil/tree.ts";
import { library } from "./library.ts";
import {
  assertUnbroken,
  eventsOf,
  type Line,
  note,
  openLine,
  pause,
  treeOf,
} from "./line.ts";

const MIB = 1024 * 1024;

const MOVES: readonly [
  string,
  (line: Line) => Promise<readonly number[]>,
  string,
][] = [
  ["a NAT that rebinds", ({ proxy }) => proxy.rebind(), "127.0.0.1"],
  [
    "a sender that gets another address",
    ({ proxy }) => proxy.moveHost("127.0.0.2"),
    "127.0.0.2",
  ],
];

for (const [what, move, hostname] of MOVES) {
  Deno.test(`${what} does not interrupt a transfer, and the receiver tells where its sender is now`, async () => {
    await using line = await openLine({
      tree: treeOf(10),
      sendArgs: ["--limit-rate", "4M"],
    });
    await line.reached(2 * MIB);
    const [port] = await move(line);
    const { bytes, sent, ms } = await line.arrived();
    assertUnbroken(line);
    assertEquals(sent, bytes);
    const [moved, ...more] = eventsOf(line.receiver, "moved");
    assertEquals(more, []);
    assertEquals(moved?.side, "peer");
    assertEquals(moved?.to, `${hostname}:${port}`);
    const [connected] = eventsOf(line.receiver, "connected");
    assertEquals(moved?.from, connected?.remote);
    note(`${bytes} bytes at 4 MiB/s in ${ms} ms, nothing sent twice`);
  });
}

Deno.test("a NAT that rebinds every half second does not interrupt a transfer", async () => {
  await using line = await openLine({
    tree: treeOf(16),
    sendArgs: ["--limit-rate", "4M"],
  });
  await line.reached(MIB);
  for (let times = 0; times < 5; times++) {
    await line.proxy.rebind();
    await pause(500);
  }
  const { bytes, sent } = await line.arrived();
  assertUnbroken(line);
  assertEquals(sent, bytes);
  assert(eventsOf(line.receiver, "moved").length >= 2); // it looks once a second
});

Deno.test("a sender whose socket dies goes on from another one", async () => {
  await using lib = await library();
  await makeTree(`${lib.dir}/src`, treeOf(8));
  const endpoints = endpointPool();
  const ports: number[] = [];
  const connected: boolean[] = [];
  let killed = false;
  const result = await within(
    30_000,
    "the transfer",
    lib.send("src", {
      limitRate: 4 * MIB,
      inside: { endpoints },
      onEvent(event) {
        if (event.type === "connected") {
          ports.push(endpoints.take(4).port);
          connected.push(event.resumed);
        }
        if (event.type !== "progress" || event.bytes < 2 * MIB || killed) {
          return;
        }
        killed = true;
        endpoints.take(4).raw.close(); // as the platform would, without a word
      },
    }),
  );
  assertEquals(await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`), []);
  assertEquals(connected, [false, true]);
  assert(ports[0] !== ports[1], "the dead socket was dialled from");
  const again = result.totals.sent - result.totals.bytes;
  assertLess(again, 4 * MIB);
});
