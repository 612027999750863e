import { assert, assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { settle } from "../tests/testutil/fake_clock.ts";
import { seeded } from "../tests/testutil/random.ts";
import { MAX_ROUTERS_AT_ONCE, routerPool } from "./client_pool.ts";
import type { RouterClient } from "./client_router.ts";

const GONE = new SftpxError("unreachable", "Cannot reach router: gone");
const signal = new AbortController().signal;

/** Routers of which only closing is seen. */
function routers(count: number) {
  const closed: string[] = [];
  const clients = new Map(
    Array.from({ length: count }, (_, at) => {
      const name = `r${at}`;
      const client = { close: () => void closed.push(name) };
      return [name, client as unknown as RouterClient];
    }),
  );
  return { clients, closed };
}

Deno.test("of many routers sixteen are at work, each with one thing", async () => {
  const pool = routerPool(routers(20).clients, seeded(1));
  const taken = await Promise.all(
    Array.from(
      { length: MAX_ROUTERS_AT_ONCE },
      () => pool.take(undefined, signal),
    ),
  );
  assertEquals(MAX_ROUTERS_AT_ONCE, 16);
  assertEquals(new Set(taken.map(({ name }) => name)).size, 16);
  let next: string | undefined;
  const waiting = pool.take(undefined, signal).then(({ name }) => next = name);
  await settle();
  assertEquals(next, undefined);
  taken[3]?.free();
  await waiting;
  assert(next !== undefined);
});

Deno.test("routers are taken at random", async () => {
  const pool = routerPool(routers(4).clients, seeded(7));
  const counts = new Map<string, number>();
  for (let i = 0; i < 400; i++) {
    const { name, free } = await pool.take(undefined, signal);
    counts.set(name, (counts.get(name) ?? 0) + 1);
    free();
  }
  assertEquals(counts.size, 4);
  for (const count of counts.values()) assert(count > 60 && count < 140);
});

Deno.test("who wants one router waits for it, and takes another only when it has failed", async () => {
  const pool = routerPool(routers(2).clients, seeded(1));
  // One that there is not is no reason to wait.
  (await pool.take("unknown", signal)).free();
  const first = await pool.take("r1", signal);
  assertEquals(first.name, "r1");
  let second: string | undefined;
  const waiting = pool.take("r1", signal).then(({ name }) => second = name);
  await settle();
  assertEquals(second, undefined); // r0 is free, and not wanted
  first.drop(GONE);
  await waiting;
  assertEquals(second, "r0");
});

Deno.test("when the last router has failed, everyone who waits hears why", async () => {
  const { clients, closed } = routers(2);
  const pool = routerPool(clients, seeded(1));
  const taken = await Promise.all(
    [1, 2].map(() => pool.take(undefined, signal)),
  );
  const waiting = assertRejects(
    () => pool.take(undefined, signal),
    SftpxError,
    "gone",
  );
  for (const { drop } of taken) drop(GONE);
  await waiting;
  await assertRejects(() => pool.take("r0", signal), SftpxError, "gone");
  assertEquals(closed.toSorted(), ["r0", "r1"]);
});

Deno.test("who waits can be stopped", async () => {
  const pool = routerPool(routers(1).clients, seeded(1));
  await pool.take(undefined, signal);
  const stop = new AbortController();
  const waiting = assertRejects(
    () => pool.take(undefined, stop.signal),
    Error,
    "stopped",
  );
  stop.abort(new Error("stopped"));
  await waiting;
});
