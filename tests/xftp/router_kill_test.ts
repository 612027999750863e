/**
 * A router that is killed in the middle of its work, and one that has many
 * clients at once.
 */
import { assert, assertEquals } from "@std/assert";
import { within } from "../testutil/deadline.ts";
import {
  get,
  type KitChunk,
  type KitClient,
  makeChunk,
  namesIn,
  put,
} from "./router_kit.ts";
import { processRouter } from "./router_process.ts";

const MIB = 1 << 20;

Deno.test("a router that is killed under load has every chunk that it said OK to", async () => {
  await using router = await processRouter();
  const acknowledged: KitChunk[] = [];
  const sizes = [65_536, 262_144, 65_536, 1_048_576];
  for (let round = 0; round < 3; round++) {
    const cli = await router.start();
    const before = acknowledged.length;
    const enough = Promise.withResolvers<void>();
    const busy = Array.from({ length: 8 }, async (_, index) => {
      const client = await router.client();
      try {
        for (let count = index;; count++) {
          const chunk = await makeChunk(client, sizes[count % sizes.length]);
          if (await put(client, chunk) !== "OK") return;
          acknowledged.push(chunk);
          if (acknowledged.length >= before + 40) enough.resolve();
        }
      } catch {
        client.h2.close(); // the router is gone
      }
    });
    await within(60_000, "forty chunks", enough.promise);
    cli.kill("SIGKILL");
    await Promise.all(busy);
    await cli.status;
  }
  const cli = await router.start();
  const client = await router.client();
  for (const chunk of acknowledged) {
    assertEquals(await get(client, chunk), chunk.data);
  }
  // Nothing half is left, and the usage is what is there.
  const files = await namesIn(router.dir.join("router", "files"));
  assertEquals(files.filter((name) => name.endsWith(".part")), []);
  const said = await router.control("stats");
  const [, size] = /files_size (\d+)/.exec(said) ?? [];
  const sum = acknowledged.reduce((bytes, { data }) => bytes + data.length, 0);
  assert(Number(size) >= sum, `${size} ${sum}`);
  client.h2.close();
  cli.kill("SIGTERM");
  assertEquals((await cli.status).code, 0);
});

Deno.test("two hundred clients at once lose nothing, in bounded memory", async () => {
  await using router = await processRouter();
  await router.start();
  const clients: (KitClient & { chunk: KitChunk })[] = [];
  await inTens(200, async () => {
    const client = await router.client();
    clients.push({ ...client, chunk: await makeChunk(client, 262_144) });
  });
  assertEquals(clients.length, 200);
  // All of them are in the middle of an upload, and stay there.
  const said = await Promise.all(
    clients.map((client) => put(client, client.chunk)),
  );
  assertEquals(new Set(said), new Set(["OK"]));
  const rss = async (): Promise<number> =>
    Number(/rss=(\d+)/.exec(await router.control("stats-rts"))?.[1]);
  const busy = await rss();
  const right = await Promise.all(clients.map(async (client) => {
    const data = await get(client, client.chunk);
    return typeof data !== "string" &&
      data.every((byte, at) => byte === client.chunk.data[at]);
  }));
  assertEquals(new Set(right), new Set([true]));
  const after = await rss();
  for (const { h2 } of clients) h2.close();
  // 100 MiB of a process, and a connection has some hundred KiB of its own.
  assert(busy < 400 * MIB, `${busy / MIB} MiB`);
  assert(after < 400 * MIB, `${after / MIB} MiB`);
});

/** Does something `count` times, ten at once. */
async function inTens(
  count: number,
  work: () => Promise<void>,
): Promise<void> {
  let left = count;
  await Promise.all(Array.from({ length: 10 }, async () => {
    while (left-- > 0) await work();
  }));
}
