/**
 * When the sender dials over TCP for bulk, and what becomes of what it gave there.
 */
import { assertEquals } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { type BulkLanes, createBulkLanes } from "../../actors/send_bulk.ts";
import type { Joined } from "../../actors/send_fleet.ts";
import type { SendRun } from "../../actors/send_run.ts";
import type { Wire } from "../../actors/send_wire.ts";
import type { Work } from "../../protocol/outgoing.ts";
import type { Conn } from "../../transport/transport.ts";
import { FakeClock } from "../testutil/fake_clock.ts";

const LOOK_MS = 50;
const MIB = 1024 * 1024;

interface Table {
  readonly bulk: BulkLanes;
  readonly run: SendRun;
  /** What was said to the wire, in order. */
  readonly said: string[];
  /** Connections whose work goes again. */
  readonly again: number[];
  readonly dials: number[];
  /** When tasks came to nothing, after which leases are given anew. */
  readonly ended: readonly number[];
  /** Says how much of what was announced is wanted. */
  want(bytes: number): void;
  /** Lets `rate` bytes come each ms, looking now and then. */
  pass(ms: number, rate: number): Promise<void>;
}

/** Bulk lanes beside one connection over a path of that length. */
function table(
  tripMs: number,
  dial: (signal: AbortSignal) => Promise<Conn> = () =>
    Promise.resolve({} as Conn),
): Table {
  const clock = new FakeClock();
  const said: string[] = [];
  const again: number[] = [];
  const dials: number[] = [];
  const joined: Joined[] = [];
  const ended: number[] = [];
  const back = (verb: string) => (connection: number): readonly Work[] => {
    said.push(`${verb} ${connection}`);
    return [{ index: connection, gen: 0, first: 0, count: 1 }];
  };
  const wire: Partial<Wire> = {
    epoch: 1,
    link: { tripMs } as Wire["link"],
    leases: 0,
    isResting: true,
    join: (connection) => void said.push(`join ${connection}`),
    restAllBut: () => [],
    wake() {},
    drop: back("drop"),
    retire: back("retire"),
  };
  const plan = { pendingBytes: 0 };
  const run = {
    plan,
    ledger: { totals: { found: 1024 * MIB, durable: 0 } },
    again: ({ index }: Work) => void again.push(index),
  } as unknown as SendRun;
  const bulk = createBulkLanes(wire as Wire, {
    dials: {
      dial(connection, signal) {
        dials.push(connection);
        return dial(signal);
      },
      places: () => Promise.resolve([]),
      dialAt: () => Promise.reject(new Error("nowhere")),
    },
    lanes: 2,
    spawn(task) {
      task(new AbortController().signal).then((message) => {
        if (message !== undefined) joined.push(message);
        else ended.push(clock.now());
      });
    },
  }, clock);
  let receivedBytes = 0;
  return {
    bulk,
    run,
    said,
    again,
    dials,
    ended,
    want: (bytes) => void (plan.pendingBytes = bytes),
    async pass(ms, rate) {
      for (let passed = 0; passed < ms; passed += LOOK_MS) {
        bulk.look(run, tripMs);
        await clock.advance(LOOK_MS);
        for (const one of joined.splice(0)) bulk.joined(one, run);
        bulk.received(receivedBytes += rate * LOOK_MS);
      }
    },
  };
}

Deno.test("bulk: near, nobody is dialled before something is wanted: it may all be there", async () => {
  const { dials, want, pass, bulk } = table(1);
  await pass(500, 0);
  assertEquals(dials, []);
  want(1024 * MIB);
  await pass(100, 1000);
  assertEquals(dials, [1024]);
  assertEquals(bulk.isUsed, true);
});

Deno.test("bulk: far, it is dialled while the receiver makes up its mind", async () => {
  const { dials, pass } = table(20);
  await pass(LOOK_MS, 0);
  assertEquals(dials, [1024]);
});

Deno.test("bulk: what is not faster finishes what it has, and loses it when it breaks or QUIC is far faster", async () => {
  for (const isBroken of [true, false]) {
    const { bulk, run, said, again, want, pass } = table(20);
    want(1024 * MIB);
    await pass(700, 1000); // it does little
    assertEquals(said, ["join 1024", "retire 1024"]);
    assertEquals(again, [1024]); // what it had not begun
    assertEquals(bulk.isUsed, false);
    if (isBroken) bulk.gone(1024, run);
    else await pass(1500, 5000);
    assertEquals(said.slice(2), ["drop 1024"]);
    assertEquals(again, [1024, 1024]);
  }
});

Deno.test("bulk: what stands still loses what it has, and is not asked again", async () => {
  const { bulk, said, want, pass } = table(20);
  want(1024 * MIB);
  await pass(1000, 50_000);
  await pass(2200, 0);
  assertEquals(said, ["join 1024", "drop 1024"]);
  assertEquals(bulk.isUsed, false);
});

Deno.test("bulk: while it is about to stand others have few leases, and none at first where it is near", async () => {
  const near = table(1);
  near.want(1024 * MIB);
  assertEquals(near.bulk.leasesMeanwhile, undefined);
  near.bulk.look(near.run, 1);
  assertEquals(near.bulk.leasesMeanwhile, 0);
  await near.pass(LOOK_MS, 0);
  assertEquals(near.bulk.leasesMeanwhile, undefined, "it stands");
  near.bulk.gone(1024, near.run);
  // It is not tried again at once, and then others go on meanwhile.
  for (let looks = 0; looks < 400 && near.dials.length < 2; looks++) {
    await near.pass(LOOK_MS, 1000);
    near.bulk.look(near.run, 1);
  }
  assertEquals(near.dials, [1024, 1025]);
  assertEquals(near.bulk.leasesMeanwhile, 4);
  const far = table(20);
  far.bulk.look(far.run, 20);
  assertEquals(far.bulk.leasesMeanwhile, 4);
});

Deno.test("bulk: who waits for a dial that fails, or never answers, is told that it need not", async () => {
  const failing = table(1, () =>
    Promise.reject(
      new SftpxError("unreachable", "Cannot reach it: nobody is there"),
    ));
  failing.want(1024 * MIB);
  failing.bulk.look(failing.run, 1);
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  assertEquals(failing.bulk.leasesMeanwhile, undefined);
  assertEquals(failing.ended.length > 0, true, "and leases are given");

  const silent = table(1, () => new Promise(() => {}));
  silent.want(1024 * MIB);
  silent.bulk.look(silent.run, 1);
  const places = silent.ended.length;
  await silent.pass(150, 0);
  assertEquals(silent.bulk.leasesMeanwhile, 0);
  await silent.pass(100, 0);
  assertEquals(silent.bulk.leasesMeanwhile, undefined);
  assertEquals(silent.ended.length, places + 2, "places, and the moment");
});

Deno.test("bulk: a dial that never answers is given up after 2 s, and tried again a second later", async () => {
  let isGivenUp = false;
  const { bulk, dials, want, pass } = table(1, (signal) => {
    if (isGivenUp) return Promise.resolve({} as Conn);
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        isGivenUp = true;
        reject(signal.reason);
      });
    });
  });
  want(1024 * MIB);
  await pass(1950, 1000);
  assertEquals([isGivenUp, ...dials], [false, 1024]);
  await pass(150, 1000);
  assertEquals([isGivenUp, ...dials], [true, 1024]);
  await pass(1100, 1000);
  assertEquals(dials, [1024, 1025]);
  assertEquals(bulk.isUsed, true);
});

Deno.test("bulk: over a longer path a dial has 20 round trips more", async () => {
  let isGivenUp = false;
  const { pass } = table(20, (signal) => {
    signal.addEventListener("abort", () => isGivenUp = true);
    return new Promise(() => {});
  });
  await pass(2350, 1000);
  assertEquals(isGivenUp, false);
  await pass(100, 1000);
  assertEquals(isGivenUp, true);
});
