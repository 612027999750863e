/** A fleet by BBR: what each of its connections may have under way. */
import { assert, assertEquals } from "@std/assert";
import { createPace } from "../../actors/pace.ts";
import {
  createFleet,
  type FleetDeps,
  type Joined,
} from "../../actors/send_fleet.ts";
import type { SendRun } from "../../actors/send_run.ts";
import type { JoinOptions, Wire } from "../../actors/send_wire.ts";
import type { Log } from "../../core/log.ts";
import type { RateLimiter } from "../../core/rate.ts";
import type { Conn } from "../../transport/transport.ts";
import { FakeClock } from "../testutil/fake_clock.ts";

const LOG: Log = { event() {}, child: () => LOG };
const RUN = {
  again() {},
  ledger: { totals: { found: 1e9, durable: 0 } },
} as unknown as SendRun;
const PIECE_BYTES = 16 * 1024;

/** A wire of which `lanes` says who has work. */
function wireOf(lanes: Set<number>, more: Partial<Wire> = {}): Wire {
  const wire: Partial<Wire> = {
    epoch: 1,
    newest: undefined,
    link: { tripMs: 10, accepted: Promise.resolve(), conn: {} } as Wire["link"],
    get connections() {
      return lanes.size;
    },
    grown: 1,
    has: () => true,
    isBusy: (connection) => lanes.has(connection),
    prune() {},
    ...more,
  };
  return wire as Wire;
}

function deps(more: Partial<FleetDeps>): FleetDeps {
  return {
    connections: 2,
    congestion: "bbr",
    pace: undefined,
    path: undefined,
    growth: () => ({ sample: () => "keep" }),
    log: LOG,
    dialMore: () => Promise.reject(new Error("Cannot dial: nobody asked")),
    ping() {},
    spawn() {},
    ...more,
  };
}

/** Takes what a limiter gives until `signal` aborts; tells how much that was. */
function taker(limiter: RateLimiter, signal: AbortSignal): () => number {
  let taken = 0;
  const take = async (): Promise<void> => {
    for (;;) {
      await limiter.take(PIECE_BYTES, signal);
      taken += PIECE_BYTES;
    }
  };
  take().catch(() => {}); // over
  return () => taken;
}

Deno.test("fleet: by BBR the first connection goes on when it has the work again", async () => {
  const clock = new FakeClock();
  const pace = createPace(clock);
  const lanes = new Set([0, 1]);
  const wire = wireOf(lanes, {
    drop(connection) {
      lanes.delete(connection);
      if (lanes.size === 0) lanes.add(0);
      return [];
    },
  });
  const fleet = createFleet(wire, deps({ pace }), clock);
  const end = new AbortController();
  const taken = taker(pace, end.signal);
  const came = new Map([[0, 0], [1, 0]]);
  let isStuck = false;
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 50) {
      await clock.advance(50);
      const first = came.get(0) ?? 0; // a MB a second
      if (!isStuck) came.set(0, Math.min(taken(), first + 50_000));
      if (lanes.has(1)) came.set(1, (came.get(1) ?? 0) + 1000);
      fleet.received(came.values().reduce((sum, bytes) => sum + bytes, 0));
      fleet.arrived(
        [...came].map(([connection, bytes]) => ({ connection, bytes })),
      );
      if (clock.now() % 250 === 0) fleet.look(RUN, false);
    }
  };
  await pass(3000);
  isStuck = true;
  await pass(3000);
  assertEquals([...lanes], [1]); // the first was given up
  fleet.gone(1, RUN);
  came.delete(1);
  assertEquals([...lanes], [0]);
  isStuck = false;
  await pass(5000);
  const before = taken();
  await pass(20_000);
  end.abort();
  assert(taken() - before > 10_000_000, `only ${taken() - before} bytes`);
});

Deno.test("fleet: one by BBR of which nothing was said yet is held to its first window", async () => {
  const clock = new FakeClock();
  let limiter: RateLimiter | undefined;
  const wire = wireOf(new Set([0]), {
    yield: () => [],
    join(_connection: number, _conn: Conn, options?: JoinOptions) {
      limiter = options?.limiter;
    },
  });
  let verdicts = 0;
  const tasks: Promise<Joined | undefined>[] = [];
  const conn: Partial<Conn> = { carrier: "quic" };
  const fleet = createFleet(
    wire,
    deps({
      congestion: "auto",
      growth: () => ({
        sample: () => verdicts++ === 0 ? "try-bbr" : "keep",
      }),
      dialMore: () => Promise.resolve(conn as Conn),
      spawn: (task) => void tasks.push(task(new AbortController().signal)),
    }),
    clock,
  );
  const before = [{ connection: 0, bytes: 200_000_000 }];
  fleet.received(200_000_000);
  fleet.arrived(before);
  fleet.look(RUN, false);
  const joined = await Promise.any(
    tasks.map(async (task) => {
      const message = await task;
      if (message === undefined) throw new Error("not this one");
      return message;
    }),
  );
  fleet.joined(joined, RUN);
  assert(limiter !== undefined);
  const end = new AbortController();
  const taken = taker(limiter, end.signal);
  await clock.advance(25);
  fleet.arrived(before); // said before it came
  await clock.advance(25);
  const most = taken();
  end.abort();
  assert(most > 0 && most <= 1024 * 1024, `it was given ${most} bytes`);
});
