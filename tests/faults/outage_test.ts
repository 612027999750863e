/**
 * Lines that lose, damage and hold back, lines that are dead for a while, and
 * ends that do not run for a while. Nobody gives up, and little goes twice.
 *
 * With `SFTPX_FULL=1` also those that take minutes.
 */
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import type { TransferEvent } from "../../core/events.ts";
import { within } from "../testutil/deadline.ts";
import type { Faults } from "../testutil/fault_path.ts";
import { spawnFaultProxy } from "../testutil/fault_proxy.ts";
import { makeTree, sameTree } from "../testutil/tree.ts";
import { library } from "./library.ts";
import {
  assertResumed,
  assertUnbroken,
  eventsOf,
  FULL,
  type Line,
  note,
  openLine,
  pause,
  timeToResume,
  treeOf,
} from "./line.ts";

const MIB = 1024 * 1024;

/** What may be sent twice for one interruption at 4 MiB/s: what was under way and not yet on disk. */
const UNDER_WAY = 10 * MIB;

const BAD: readonly [string, Partial<Faults>][] = [
  ["loses 5 % of all datagrams", { drop: 0.05 }],
  ["delivers a tenth out of order", { reorder: 0.1 }],
  ["doubles a fifth", { duplicate: 0.2 }],
  ["damages 2 %", { corrupt: 0.02 }],
  ["takes 200 ms each way", { delayMs: 200 }],
  ["does all of that", {
    ...{ drop: 0.001, reorder: 0.002, duplicate: 0.02, corrupt: 0.001 },
    delayMs: 5,
  }],
];

for (const [what, faults] of BAD) {
  Deno.test(`a tree arrives as it is over a line that ${what}`, async () => {
    await using line = await openLine({ tree: treeOf(2) });
    await line.proxy.set("both", faults);
    const { bytes, sent, ms } = await line.arrived();
    assertUnbroken(line);
    assertEquals(sent, bytes);
    const { up, down } = await line.proxy.counters();
    if (faults.drop) assertGreater(up.dropped, 0);
    if (faults.reorder) assertGreater(up.reordered, 0);
    if (faults.duplicate) assertGreater(up.duplicated, 0);
    if (faults.corrupt) assertGreater(up.corrupted + down.corrupted, 0);
    note(`${(bytes / MIB / ms * 1000).toFixed(1)} MiB/s`);
  });
}

/** Interrupts a transfer of `mebibytes` at 4 MiB/s once some of it is there. */
async function interrupted(
  interrupt: (line: Line) => Promise<void>,
  mebibytes = 12,
): Promise<Line> {
  const line = await openLine({
    tree: treeOf(mebibytes),
    sendArgs: ["--limit-rate", "4M"],
    deadlineMs: 300_000,
  });
  try {
    await line.reached(4 * MIB);
    await interrupt(line);
    const resumedMs = await timeToResume(line, 30_000);
    const ended = await line.arrived();
    note(
      `went on after ${Math.round(resumedMs)} ms, ${
        ((ended.sent - ended.bytes) / MIB).toFixed(1)
      } MiB twice`,
    );
    assertLess(ended.sent - ended.bytes, UNDER_WAY);
    return line;
  } catch (error) {
    await line[Symbol.asyncDispose]();
    throw error;
  }
}

const hole = (ms: number) => async ({ proxy }: Line): Promise<void> => {
  await proxy.set("both", { blackhole: true });
  await pause(ms);
  await proxy.set("both", { blackhole: false });
};

const stop =
  (side: "sender" | "receiver", ms: number) =>
  async (line: Line): Promise<void> => {
    line[side].kill("SIGSTOP");
    await pause(ms);
    line[side].kill("SIGCONT");
  };

for (
  const [seconds, ignore] of [[5, false], [20, !FULL], [60, !FULL]] as const
) {
  const name = `a line that is dead for ${seconds} s ends nothing`;
  Deno.test({ name, ignore }, async () => {
    await using line = await interrupted(hole(seconds * 1000));
    for (const cli of [line.sender, line.receiver]) {
      for (const { resumed } of eventsOf(cli, "connected").slice(1)) {
        assertEquals(resumed, true);
      }
    }
    if (seconds > 30) assertResumed(line);
  });
}

for (
  const [seconds, ignore] of [[12, false], [40, !FULL], [125, !FULL]] as const
) {
  const name =
    `ends that do not run for ${seconds} s go on, and say that they did not run`;
  Deno.test({ name, ignore }, async () => {
    // Side by side: it is a long time to wait.
    const ends = ["sender", "receiver"] as const;
    await Promise.all(ends.map(async (side) => {
      await using line = await interrupted(stop(side, seconds * 1000));
      const [warning] = eventsOf(line[side], "warning");
      assert(warning !== undefined, `the ${side} said nothing of it`);
      const [, told] = /did not run for (\d+) s/.exec(`${warning.message}`) ??
        [];
      assertGreater(Number(told), seconds - 3);
      assertLess(Number(told), seconds + 3);
      const other = side === "sender" ? "receiver" : "sender";
      assertEquals(eventsOf(line[other], "warning"), []);
      if (seconds > 30) assertResumed(line);
    }));
  });
}

Deno.test("when both ends have given up a connection, the transfer goes on over another, and not from zero", async () => {
  const quic = { idleTimeoutMs: 1500, keepAliveMs: 300 };
  await using lib = await library({}, { quic });
  await makeTree(`${lib.dir}/src`, treeOf(12));
  const port = Number(lib.receiver.address.split(":").at(-1));
  const proxy = await spawnFaultProxy({
    target: { hostname: "127.0.0.1", port },
  });
  try {
    const events: TransferEvent[] = [];
    const reached = Promise.withResolvers<void>();
    const sending = lib.send("src", {
      address: `127.0.0.1:${proxy.port}`,
      inside: { quic },
      limitRate: 4 * MIB,
      onEvent(event) {
        events.push(event);
        if (event.type !== "progress" || event.bytes < 4 * MIB) return;
        reached.resolve();
      },
    });
    await within(20_000, "4 MiB", reached.promise);
    await proxy.set("both", { blackhole: true });
    // Both ends find out by themselves, while nothing comes through.
    await within(
      10_000,
      "the receiver's loss",
      lib.told(({ type }) => type === "reconnecting"),
    );
    while (!events.some(({ type }) => type === "reconnecting")) {
      await pause(50);
    }
    await pause(1000);
    await proxy.set("both", { blackhole: false });
    const { totals } = await within(60_000, "the end", sending);
    assertEquals(
      await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`),
      [],
    );
    for (const told of [events, lib.events]) {
      const resumed = told.flatMap((event) =>
        event.type === "connected" ? [event.resumed] : []
      );
      assertGreater(resumed.length, 1);
      assertEquals(resumed, resumed.map((_, i) => i > 0));
    }
    const done = lib.events.find((event) => event.type === "done");
    assert(done?.type === "done");
    assertLess(done.totals.sent - totals.bytes, UNDER_WAY);
    assert(totals.sent >= totals.bytes, `the sender counts ${totals.sent}`);
    note(`${((done.totals.sent - totals.bytes) / MIB).toFixed(1)} MiB twice`);
  } finally {
    await proxy.close();
  }
});
