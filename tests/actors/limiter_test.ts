/**
 * What is said to limit a transfer, over real transfers whose time the test has:
 * either processor, the source's disk, the windows, and loss.
 */
import { assertEquals } from "@std/assert";
import type { Clock } from "../../core/clock.ts";
import type { TransferEvent } from "../../core/events.ts";
import type { DiskFile, SourceDisk } from "../../store/source_disk.ts";
import { CONNECTION_WINDOW_BYTES } from "../../protocol/growth.ts";
import { overPath, type Path } from "./long_link.ts";
import { pair, type PairOptions } from "./pair.ts";

const MIB = 1024 * 1024;

/** Sends so much, and gives what was named, one after the other; that there is none is left out. */
async function named(bytes: number, options: PairOptions): Promise<string[]> {
  await using all = await pair({ tree: { big: bytes }, ...options });
  const receiving = all.receive();
  await all.run(all.send());
  await all.run(receiving.close());
  assertEquals(await all.differences(), []);
  return all.events.sender.flatMap(limiterOf)
    .filter((it, at, list) => it !== list[at - 1]);
}

function limiterOf(event: TransferEvent): string[] {
  return event.type === "progress" && event.limiter !== "none"
    ? [event.limiter]
    : [];
}

/** Every connection goes over such a path. */
const over = (path: Path): Pick<PairOptions, "path"> => ({
  path: (conn, _, clock) => overPath(conn, clock, path),
});

Deno.test("limiter: a sender whose processor is never idle says cpu", async () => {
  const all = await named(MIB, {
    ...over({ rttMs: 10, bytesPerSecond: MIB / 4 }),
    cpuMs: (side, nowMs) => side === "sender" ? nowMs : 0,
  });
  assertEquals(all, ["cpu"]);
});

Deno.test("limiter: a receiver whose processor is never idle is told by the sender", async () => {
  const all = await named(MIB, {
    ...over({ rttMs: 10, bytesPerSecond: MIB / 4 }),
    cpuMs: (side, nowMs) => side === "receiver" ? nowMs : 0,
  });
  assertEquals(all.at(-1), "peer-cpu");
});

Deno.test("limiter: a slow disk of the sender is the disk", async () => {
  const all = await named(MIB, {
    disk: (real, clock) => slowDisk(real, clock, MIB / 4),
  });
  assertEquals(all, ["disk"]);
});

Deno.test("limiter: on a long path that carries more than a window it is the window, once that is full", async () => {
  const all = await named(48 * MIB, {
    ...over({
      rttMs: 1000,
      bytesPerSecond: 100 * MIB,
      windowBytes: CONNECTION_WINDOW_BYTES,
    }),
    send: { chunkSize: () => MIB },
  });
  assertEquals(all.at(-1), "window");
});

Deno.test("limiter: where loss keeps CUBIC down, and BBR does better, it is loss", async () => {
  const all = await named(2 * MIB, {
    path: (conn, number, clock) =>
      overPath(conn, clock, {
        rttMs: 50,
        bytesPerSecond: number === 1 ? CUBIC_WITH_LOSS : BBR_WITH_LOSS,
      }),
    send: { connections: 2, congestion: "auto" },
  });
  assertEquals(all, ["link", "loss"]);
});

/** What the two make of the same path, on which packets are lost, bytes a second. */
const CUBIC_WITH_LOSS = 16 * 1024;
const BBR_WITH_LOSS = 256 * 1024;

/** A disk that gives so much a second. */
function slowDisk(
  real: SourceDisk,
  clock: Clock,
  bytesPerSecond: number,
): SourceDisk {
  const slow = (file: DiskFile): DiskFile => ({
    stat: () => file.stat(),
    isAt: (local) => file.isAt(local),
    close: () => file.close(),
    async read(into, position) {
      const count = await file.read(into, position);
      await clock.delay(count / bytesPerSecond * 1000);
      return count;
    },
  });
  return {
    look: (local, followed) => real.look(local, followed),
    open: async (local, followed) => slow(await real.open(local, followed)),
  };
}
