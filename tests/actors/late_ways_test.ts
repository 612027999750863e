/**
 * A sender without the ways beside its first connection, until they are loaded.
 */
import { assertEquals, assertGreater } from "@std/assert";
import * as ways from "../../actors/send_ways.ts";
import { late } from "../../core/late.ts";
import { CHUNK, pair, slowControl, SMALL_TREE } from "./pair.ts";

/** The ways, and how often they were loaded. */
function counted() {
  const count = { loads: 0 };
  const load = () => {
    count.loads++;
    return Promise.resolve(ways);
  };
  return { count, ways: late(load) };
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
    path: (conn, _, clock) => ({
      ...conn, // slow enough to be looked at
      openUni: async (priority) => {
        const stream = await conn.openUni(priority);
        return {
          ...stream,
          async write(bytes) {
            await clock.delay(50);
            await stream.write(bytes);
          },
        };
      },
    }),
  });
  const receiving = two.receive();
  await two.run(two.send());
  assertEquals(count.loads, 1);
  assertGreater(two.conns.length, 1);
  assertEquals(await two.differences(), []);
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
