import { assertEquals, assertThrows } from "@std/assert";
import type { Limiter } from "../core/events.ts";
import { SftpxError } from "../core/errors.ts";
import type { Conn } from "../transport/transport.ts";
import { FakeClock } from "../tests/testutil/fake_clock.ts";
import type { SendRun } from "./send_run.ts";
import { createThreadLanes, type ThreadLanes } from "./send_threads.ts";
import type { Wire } from "./send_wire.ts";
import { threadsFor } from "./threads.ts";

const MIB = 1024 * 1024;

interface Kit {
  readonly lanes: ThreadLanes;
  readonly clock: FakeClock;
  /** Connections that were dialled. */
  readonly dialled: number[];
  /** Connections that carry lanes. */
  readonly open: Set<number>;
  readonly again: unknown[];
  look(limiter?: Limiter, pendingMib?: number): Promise<void>;
  lose(connection: number): void;
}

function kit(
  { isForced = false, carrier = "quic", fails = false }: {
    readonly isForced?: boolean;
    readonly carrier?: "quic" | "tcp";
    readonly fails?: boolean;
  } = {},
): Kit {
  const clock = new FakeClock();
  const dialled: number[] = [];
  const open = new Set<number>();
  const again: unknown[] = [];
  const wire = {
    epoch: 1,
    link: { conn: { carrier } },
    join: (connection: number) => void open.add(connection),
    drop: (connection: number) => open.delete(connection) ? ["work"] : [],
  } as unknown as Wire;
  const tasks: Promise<void>[] = [];
  const runWith = (pendingMib: number): SendRun =>
    ({
      ledger: { totals: { found: pendingMib * MIB, durable: 0 } },
      again: (work: unknown) => void again.push(work),
    }) as unknown as SendRun;
  const lanes: ThreadLanes = createThreadLanes(
    wire,
    {
      max: 3,
      isForced,
      dial(connection) {
        dialled.push(connection);
        return fails
          ? Promise.reject(new SftpxError("peer-busy", "Cannot: enough"))
          : Promise.resolve({} as Conn);
      },
    },
    (task) => {
      tasks.push(
        task(new AbortController().signal).then((joined) => {
          if (joined !== undefined) lanes.joined(joined);
        }),
      );
    },
    clock,
  );
  return {
    lanes,
    clock,
    dialled,
    open,
    again,
    async look(limiter = "cpu", pendingMib = 4096) {
      lanes.look(runWith(pendingMib), limiter);
      await Promise.all(tasks);
    },
    lose: (connection) => lanes.gone(connection, runWith(0)),
  };
}

Deno.test("threads: one after the other while a processor is what limits", async () => {
  const { clock, dialled, look, open, lanes } = kit();
  await look("link");
  assertEquals(dialled, []);
  await look("cpu");
  await look("cpu"); // nothing is known of the first yet
  assertEquals(dialled, [512]);
  await clock.advance(4000);
  await look("peer-cpu");
  await clock.advance(4000);
  await look("none");
  assertEquals(dialled, [512, 513]);
  for (let n = 0; n < 5; n++) {
    await clock.advance(4000);
    await look("cpu");
  }
  assertEquals(dialled, [512, 513, 514]);
  assertEquals([...open], dialled);
  assertEquals(lanes.count, 3);
  assertEquals([511, 512, 1023, 1024].map(lanes.isOurs), [
    false,
    true,
    true,
    false,
  ]);
});

Deno.test("threads: not for little, and not over TCP", async () => {
  const little = kit();
  await little.look("cpu", 500);
  assertEquals(little.dialled, []);
  const tcp = kit({ carrier: "tcp", isForced: true });
  await tcp.look();
  assertEquals(tcp.dialled, []);
});

Deno.test("threads: a number that was asked for is opened whatever limits", async () => {
  const { dialled, look } = kit({ isForced: true });
  await look("link", 8);
  assertEquals(dialled, []);
  await look("link", 32);
  assertEquals(dialled, [512, 513, 514]);
  await look("link", 32);
  assertEquals(dialled.length, 3);
});

Deno.test("threads: what one had that is lost goes again, and another takes its place after a while", async () => {
  const { again, clock, dialled, look, lose, open } = kit({ isForced: true });
  await look();
  lose(513);
  lose(513); // it is told of twice
  assertEquals(again, ["work"]);
  assertEquals([...open], [512, 514]);
  await look();
  assertEquals(dialled.length, 3);
  await clock.advance(2000);
  await look();
  assertEquals(dialled.at(-1), 515);
});

Deno.test("threads: one that cannot be had is tried again later and later", async () => {
  const { clock, dialled, look } = kit({ fails: true });
  await look();
  await clock.advance(3999); // it failed at once, but looks are 4 s apart
  await look();
  assertEquals(dialled.length, 2);
  await clock.advance(3999);
  await look();
  assertEquals(dialled.length, 2);
  await clock.advance(1);
  await look();
  assertEquals(dialled.length, 3);
});

Deno.test("threadsFor() has none on fewer than 4 cores, and no more than are of use", () => {
  assertEquals([1, 2, 3, 4, 5, 64].map((cores) => threadsFor("auto", cores)), [
    0,
    0,
    0,
    3,
    4,
    4,
  ]);
  assertEquals(threadsFor(7, 1), 7);
  assertEquals(threadsFor(0, 64), 0);
  for (const wrong of [-1, 16, 1.5, NaN]) {
    assertThrows(() => threadsFor(wrong, 4), RangeError);
  }
});
