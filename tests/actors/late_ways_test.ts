/**
 * A sender without the ways beside its first connection, until they are loaded.
 */
import { assertEquals, assertGreater, assertMatch } from "@std/assert";
import * as ways from "../../actors/send_ways.ts";
import { late, present } from "../../core/late.ts";
import type { Dialer } from "../../transport/transport.ts";
import {
  CHUNK,
  pair,
  type PairOptions,
  slowControl,
  SMALL_TREE,
} from "./pair.ts";

/** The ways, and how often they were loaded. */
function counted() {
  const count = { loads: 0 };
  const load = () => {
    count.loads++;
    return Promise.resolve(ways);
  };
  return { count, ways: late(load) };
}

/** A path over which each write of a lane takes `ms`. */
function slowLanes(ms: number): NonNullable<PairOptions["path"]> {
  return (conn, _, clock) => ({
    ...conn,
    openUni: async (priority) => {
      const stream = await conn.openUni(priority);
      return {
        ...stream,
        async write(bytes) {
          await clock.delay(ms);
          await stream.write(bytes);
        },
      };
    },
  });
}

Deno.test("all is sent over the first connection where other ways never come", async () => {
  const never = new Promise<typeof ways>(() => {});
  await using two = await pair({ send: { ways: late(() => never) } });
  const receiving = two.receive();
  await two.run(two.send());
  assertEquals(await two.differences(), []);
  await two.run(receiving.close());
});

Deno.test("much to send has other ways loaded, and they are put to use", async () => {
  const { count, ways } = counted();
  await using two = await pair({
    tree: { ...SMALL_TREE, "large": CHUNK * 64 },
    send: {
      ways,
      connections: 2,
      // One more at the first look.
      growth: () => {
        let isAsked = false;
        return {
          sample() {
            if (isAsked) return "keep";
            isAsked = true;
            return "add";
          },
        };
      },
    },
    path: slowLanes(50), // slow enough to be looked at
  });
  const receiving = two.receive();
  await two.run(two.send());
  assertEquals(count.loads, 1);
  assertGreater(two.conns.length, 1);
  assertEquals(await two.differences(), []);
  await two.run(receiving.close());
});

Deno.test("a further connection whose first one has another in its place is not let in", async () => {
  const isInPlace = Promise.withResolvers<void>();
  const ends: string[] = [];
  let accepted = 0;
  let dials = 0;
  await using two = await pair({
    tree: { ...SMALL_TREE, "large": CHUNK * 64 },
    send: {
      connections: 2,
      growth: () => {
        let isAsked = false; // once for each first connection
        return {
          sample() {
            if (isAsked) return "keep";
            isAsked = true;
            return "add";
          },
        };
      },
      ways: present({
        ...ways,
        createWays: (deps) =>
          ways.createWays({
            ...deps,
            async dialBy(first, dialer, connection, signal) {
              const isHeld = ++dials === 1;
              const slow: Dialer = {
                async dial(signal) {
                  const conn = await dialer.dial(signal);
                  if (!isHeld) return conn;
                  two.conns[0]?.close();
                  await isInPlace.promise;
                  return conn;
                },
              };
              try {
                const conn = await deps
                  .dialBy(first, slow, connection, signal);
                if (isHeld) ends.push("it was let in");
                return conn;
              } catch (error) {
                if (isHeld) ends.push(String(error));
                throw error;
              }
            },
          }),
      }),
    },
    intercept(side, actor, message) {
      const { type } = message as { readonly type: string };
      const isIt = side === "sender" && actor === "scheduler" &&
        type === "accepted";
      if (isIt && ++accepted === 2) isInPlace.resolve();
    },
    path: slowLanes(50),
  });
  const receiving = two.receive();
  await two.run(two.send());
  assertEquals(await two.differences(), []);
  assertEquals(ends.length, 1);
  assertMatch(ends[0] ?? "", /Cannot join: nothing is under way/);
  await two.run(receiving.close());
});

Deno.test("who answers slowly is waited for with something else to do", async () => {
  let told = 0;
  await using two = await pair({
    send: { away: () => void told++ },
    path: slowControl(10),
  });
  const receiving = two.receive();
  await two.run(two.send());
  assertEquals(told, 1);
  assertEquals(await two.differences(), []);
  await two.run(receiving.close());
});
