/**
 * What is said to limit a transfer, where the test knows what does.
 */
import { assert, assertEquals } from "@std/assert";
import { createProgress } from "../../cmd/progress.ts";
import { systemClock } from "../../core/clock.ts";
import type { TransferEvent } from "../../core/events.ts";
import type { PartFile, PartialDir, Root } from "../../store/root.ts";
import { within } from "../testutil/deadline.ts";
import { makeTree, sameTree } from "../testutil/tree.ts";
import { MIB } from "./kit.ts";
import { library } from "./library.ts";
import { eventsOf, openLine } from "./line.ts";

/** The limiter that was named most often, leaving out that there is none. */
function mostNamed(events: readonly object[]): unknown {
  const all = events.map((event): unknown =>
    "limiter" in event ? event.limiter : "none"
  );
  const named = Map.groupBy(
    all.filter((limiter) => limiter !== "none"),
    (limiter) => limiter,
  );
  return [...named].toSorted(([, a], [, b]) => b.length - a.length)[0]?.[0];
}

/** The lines of progress that a person would have seen. */
function linesOf(events: readonly TransferEvent[]): string[] {
  const progress = createProgress();
  return events.flatMap((event) => {
    progress.event(event);
    return progress.line() ?? [];
  });
}

Deno.test("a narrow line is what limits a transfer, and --json says so", async () => {
  await using line = await openLine({
    tree: { big: 24 * MIB },
    sendArgs: ["--carrier", "quic", "--connections", "1", "--cc", "cubic"],
  });
  await line.proxy.set("both", { bytesPerSecond: 3 * MIB });
  await line.arrived();
  assertEquals(mostNamed(eventsOf(line.sender, "progress")), "link");
  for (const { limiter } of eventsOf(line.receiver, "progress")) {
    assert(limiter === "none", `the receiver says ${limiter}`);
  }
});

Deno.test("a rate that was asked for is what limits a transfer, and --json says so", async () => {
  await using line = await openLine({
    tree: { big: 24 * MIB },
    sendArgs: ["--limit-rate", "4M"],
  });
  await line.arrived();
  assertEquals(mostNamed(eventsOf(line.sender, "progress")), "rate");
});

Deno.test("a slow disk of the receiver is what limits a transfer, and both ends say so", async () => {
  await using lib = await library({}, { root: slowed });
  await makeTree(`${lib.dir}/src`, { big: 64 * MIB });
  const events: TransferEvent[] = [];
  const sending = lib.send("src", {
    carrier: "quic",
    onEvent: (event) => events.push(event),
  });
  await within(60_000, "the transfer", sending);
  assertEquals(await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`), []);
  assertEquals(mostNamed(events), "peer-disk");
  assertEquals(mostNamed(lib.events), "disk");
  const lines = linesOf(events);
  assert(lines.some((line) => line.endsWith("limited by: receiver's disk")));
});

/** A folder on a disk that does one thing at a time, 8 MiB a second. */
function slowed(root: Root): Root {
  let last: Promise<void> = Promise.resolve();
  const turn = (bytes: number): Promise<void> =>
    last = last.then(() => systemClock.delay(bytes / (8 * MIB) * 1000));
  const slowFile = (file: PartFile): PartFile =>
    changed(file, {
      async write(bytes, position) {
        await turn(bytes.length);
        await file.write(bytes, position);
      },
    });
  return changed(root, {
    async partial(session) {
      const parts = await root.partial(session);
      return changed<PartialDir>(parts, {
        create: async (slot) => slowFile(await parts.create(slot)),
        async open(slot) {
          const file = await parts.open(slot);
          return file && slowFile(file);
        },
      });
    },
  });
}

/** `whole`, some of which is otherwise. */
function changed<T extends object>(whole: T, otherwise: Partial<T>): T {
  return Object.assign(Object.create(whole) as T, otherwise);
}
