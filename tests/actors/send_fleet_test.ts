import { assertEquals } from "@std/assert";
import { createFleet, type Fleet } from "../../actors/send_fleet.ts";
import type { SendRun } from "../../actors/send_run.ts";
import type { Wire } from "../../actors/send_wire.ts";
import type { Log } from "../../core/log.ts";
import { FakeClock } from "../testutil/fake_clock.ts";

/** Looks of the scheduler, and beats of the receiver, ms. */
const [LOOK_MS, BEAT_MS] = [250, 50];

interface Table {
  readonly clock: FakeClock;
  readonly fleet: Fleet;
  /** Who was given up, and when. */
  readonly dropped: [number, number][];
  /** Bytes that came over each connection. */
  readonly bytes: Map<number, number>;
  /** Those that have something under way. */
  readonly busy: Set<number>;
  /** Lets time pass in which `bring` bring more, and the receiver is heard. */
  pass(
    ms: number,
    bring: readonly number[],
    options?: { isHeard?: boolean; isResting?: boolean },
  ): Promise<void>;
}

/** A fleet of `connections`, all of which have work. */
function table(connections: number, tripMs = 10): Table {
  const clock = new FakeClock();
  const dropped: [number, number][] = [];
  const bytes = new Map<number, number>();
  const busy = new Set<number>();
  for (let n = 0; n < connections; n++) {
    bytes.set(n, 0);
    busy.add(n);
  }
  const working = new Set(busy);
  const wire: Partial<Wire> = {
    epoch: 1,
    link: { tripMs, accepted: Promise.resolve(), conn: {} } as Wire["link"],
    get connections() {
      return working.size;
    },
    newest: undefined,
    has: (connection) => bytes.has(connection),
    isBusy: (connection) => working.has(connection) && busy.has(connection),
    drop(connection) {
      dropped.push([connection, clock.now()]);
      working.delete(connection);
      if (connection > 0) bytes.delete(connection);
      if (working.size === 0) working.add(0);
      return [{ index: 0, gen: 0, first: connection, count: 1 }];
    },
    prune() {},
  };
  const run = {
    again() {},
    ledger: { totals: { found: 0, durable: 0 }, missing: () => [] },
  } as unknown as SendRun;
  const log: Log = { event() {}, child: () => log };
  const fleet = createFleet(wire as Wire, {
    connections,
    congestion: "cubic",
    pace: undefined,
    path: undefined,
    growth: () => ({ sample: () => "keep" }),
    log,
    dialMore: () => Promise.reject(new Error("Cannot dial: nobody asked")),
    ping() {},
    spawn() {},
  }, clock);
  return {
    clock,
    fleet,
    dropped,
    bytes,
    busy,
    async pass(ms, bring, { isHeard = true, isResting = false } = {}) {
      for (let passed = 0; passed < ms; passed += BEAT_MS) {
        await clock.advance(BEAT_MS);
        for (const one of bring) {
          const before = bytes.get(one);
          if (before !== undefined) bytes.set(one, before + 1000);
        }
        if (isHeard) {
          fleet.arrived(
            [...bytes].map(([connection, bytes]) => ({ connection, bytes })),
          );
        }
        if (clock.now() % LOOK_MS === 0) fleet.look(run, isResting);
      }
    },
  };
}

/** Runs `body`, and says who was given up and after how many milliseconds. */
async function given(
  at: Table,
  body: () => Promise<void>,
): Promise<[number, number][]> {
  const began = at.clock.now();
  await body();
  return at.dropped.map(([connection, ms]) => [connection, ms - began]);
}

Deno.test("fleet: what a connection has that goes dark is given to others within 2 s, and nobody else's", async () => {
  const at = table(4);
  await at.pass(3000, [0, 1, 2, 3]);
  const out = await given(at, () => at.pass(5000, [0, 1, 3]));
  assertEquals(out, [[2, 1750]]);
});

Deno.test("fleet: so it is when the others have nothing left to do", async () => {
  const at = table(3);
  await at.pass(3000, [0, 1, 2]);
  at.busy.delete(0);
  at.busy.delete(1);
  assertEquals(await given(at, () => at.pass(5000, [])), [[2, 1750]]);
});

Deno.test("fleet: and when it had all of the work, and the first none", async () => {
  const at = table(2);
  await at.pass(3000, [0, 1]);
  await at.pass(2000, [1]); // the first is given up
  assertEquals(at.dropped.map(([connection]) => connection), [0]);
  at.dropped.length = 0;
  assertEquals(await given(at, () => at.pass(5000, [])), [[1, 1750]]);
});

Deno.test("fleet: one that waits for the disk or its turn has not stalled", async () => {
  const at = table(2);
  await at.pass(3000, [0, 1]);
  at.busy.delete(1); // all that was written is there
  assertEquals(await given(at, () => at.pass(10_000, [0])), []);
});

Deno.test("fleet: while nothing moves at all, nobody has stalled", async () => {
  const at = table(3);
  await at.pass(3000, [0, 1, 2]);
  // A receiver whose disk stands still.
  assertEquals(await given(at, () => at.pass(10_000, [])), []);
});

Deno.test("fleet: after an outage all have time to come back, however late", async () => {
  const at = table(3);
  await at.pass(3000, [0, 1, 2]);
  at.busy.delete(0);
  await at.pass(5000, [], { isHeard: false });
  await at.pass(1250, [1]);
  assertEquals(at.dropped, []);
  await at.pass(5000, [1, 2]);
  assertEquals(at.dropped, []);
});

Deno.test("fleet: over a long path a connection has four round trips", async () => {
  const at = table(2, 1000);
  await at.pass(5000, [0, 1]);
  assertEquals(await given(at, () => at.pass(8000, [0])), [[1, 4250]]);
});

Deno.test("fleet: one that is alone has nowhere to give its work, and neither have those that rest", async () => {
  const alone = table(1);
  await alone.pass(3000, [0]);
  assertEquals(await given(alone, () => alone.pass(10_000, [])), []);
  const rests = table(2);
  await rests.pass(3000, [0, 1]);
  const out = await given(
    rests,
    () => rests.pass(10_000, [0], { isResting: true }),
  );
  assertEquals(out, []);
});

Deno.test("fleet: leases are large on a fast path, and small when little is left", async () => {
  const { fleet, clock } = table(1);
  for (let n = 1; n <= 20; n++) {
    fleet.received(n * 10_000_000); // 100 MB a second
    await clock.advance(100);
  }
  assertEquals(fleet.leaseBytes(1e12), 4 * 1024 * 1024);
  assertEquals(fleet.leaseBytes(48 * 1024 * 1024), 2 * 1024 * 1024);
  assertEquals(fleet.leaseBytes(1000), 1024 * 1024);
});

Deno.test("fleet: connections that there are not are of no interest, however many are named", async () => {
  const at = table(2);
  for (let n = 10; n < 200_000; n += 16) {
    at.fleet.arrived(
      Array.from({ length: 16 }, (_, k) => ({ connection: n + k, bytes: 1 })),
    );
  }
  await at.pass(3000, [0, 1]);
  assertEquals(at.dropped, []);
});
