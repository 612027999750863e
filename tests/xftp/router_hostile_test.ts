/**
 * Clients that are rude, and what it costs the others: nothing.
 */
import { assert, assertEquals } from "@std/assert";
import net from "node:net";
import { concatBytes } from "../../core/bytes.ts";
import { makeKeyPair } from "../../xftp/keys.ts";
import { within } from "../testutil/deadline.ts";
import { intBetween, randomBytes, seeded } from "../testutil/random.ts";
import { settle } from "../testutil/fake_clock.ts";
import { type RawH2, rawH2 } from "./raw_h2.ts";
import {
  fnew,
  get,
  greet,
  heard,
  type KitClient,
  kitClient,
  type KitRouter,
  kitRouter,
  makeChunk,
  namesIn,
  put,
  transmission,
} from "./router_kit.ts";

async function connect(
  router: KitRouter,
): Promise<KitClient & { readonly h2: RawH2 }> {
  const h2 = await rawH2({ port: router.port });
  return { ...kitClient(h2, await greet(h2, router.keyHash)), h2 };
}

/** A client that does as it should is served. */
async function assertServes(router: KitRouter): Promise<void> {
  const client = await connect(router);
  const chunk = await makeChunk(client);
  assertEquals(await put(client, chunk), "OK");
  assertEquals(await get(client, chunk), chunk.data);
  client.h2.close();
}

const parts = async (router: KitRouter): Promise<string[]> =>
  (await namesIn(`${router.dir}/files`)).filter((name) =>
    name.endsWith(".part")
  );

async function until(is: () => Promise<boolean>): Promise<void> {
  let over = false;
  const looking = (async () => {
    while (!over && !await is()) await settle();
  })();
  await within(60_000, "the router to have cleaned up", looking)
    .finally(() => over = true);
}

Deno.test("connections that say nothing, noise, or half of TLS hold nobody up", async () => {
  await using router = await kitRouter();
  const random = seeded(5);
  const sockets: net.Socket[] = [];
  const noises: Uint8Array[] = [
    new Uint8Array(0),
    new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    randomBytes(random, 2000),
    Uint8Array.of(22, 3, 1, 255, 255, 1, 0, 255, 255),
    Uint8Array.of(22, 3, 1, 0, 4, 2, 0, 0, 0),
    Uint8Array.from({ length: 70_000 }, (_, at) => at % 5 === 0 ? 22 : 0),
  ];
  for (let count = 0; count < 60; count++) {
    const socket = net.connect(router.port, "127.0.0.1");
    socket.on("error", () => {}); // the router may close it
    sockets.push(socket);
    const noise = noises[count % noises.length];
    if (noise !== undefined && noise.length > 0) socket.write(noise);
  }
  await assertServes(router);
  for (const socket of sockets) socket.destroy();
});

Deno.test("uploads that are broken off leave nothing, neither on disk nor in the quota", async () => {
  await using router = await kitRouter({ quotaBytes: 10 * 65_536 });
  for (const how of ["reset", "close"]) {
    const client = await connect(router);
    for (let count = 0; count < 5; count++) {
      const chunk = await makeChunk(client);
      const stream = client.h2.begin();
      await stream.write(transmission(
        client.session.sessionId,
        chunk.senderId,
        new TextEncoder().encode("FPUT"),
        chunk.sender.privateKey,
      ));
      await stream.write(chunk.data.subarray(0, 1000));
      const expected = how === "reset" ? 1 : count + 1;
      await until(async () => (await parts(router)).length === expected);
      if (how === "close") continue;
      stream.reset();
      await until(async () => (await parts(router)).length === 0);
    }
    client.h2.close();
    await until(async () => (await parts(router)).length === 0);
    await until(() => Promise.resolve(router.store.usedBytes === 0));
  }
  await assertServes(router);
});

Deno.test("a client with a hundred uploads that do not move holds nobody up", async () => {
  await using router = await kitRouter();
  const rude = await connect(router);
  const chunk = await makeChunk(rude);
  for (let count = 0; count < 100; count++) {
    const stream = rude.h2.begin();
    await stream.write(transmission(
      rude.session.sessionId,
      chunk.senderId,
      new TextEncoder().encode("FPUT"),
      chunk.sender.privateKey,
    ));
    await stream.write(Uint8Array.of(1));
  }
  await assertServes(router);
  // Not all of them take a file: the others were refused.
  await until(async () => (await parts(router)).length === 32);
  rude.h2.close();
  await until(async () => (await parts(router)).length === 0);
});

Deno.test("a download that nobody reads, and one that is broken off, give back what they hold", async () => {
  await using router = await kitRouter();
  const client = await connect(router);
  const chunk = await makeChunk(client, 4_194_304);
  assertEquals(await put(client, chunk), "OK");
  const fget = transmission(
    client.session.sessionId,
    chunk.recipientId,
    concatBytes(
      new TextEncoder().encode("FGET "),
      Uint8Array.of(44),
      makeKeyPair("x25519").publicKey.der,
    ),
    chunk.recipient.privateKey,
  );
  // More than may be under way at once: each is reset before its end.
  for (let count = 0; count < 40; count++) {
    const stream = client.h2.begin();
    await stream.write(fget);
    stream.end();
    // The platform ends connections that reset what it has not begun; so it has.
    assertEquals((await client.ask("PING")).words, "PONG");
    stream.reset();
  }
  assertEquals(await get(client, chunk), chunk.data);
  client.h2.close();
});

Deno.test("thousands of chunks that are made and never uploaded end at a limit", async () => {
  await using router = await kitRouter();
  const rude = await connect(router);
  const { publicKey, privateKey } = makeKeyPair("ed25519");
  const create = fnew(publicKey.der, new Uint8Array(65_536), [publicKey.der]);
  const said = transmission(
    rude.session.sessionId,
    new Uint8Array(0),
    create,
    privateKey,
  );
  const answers = new Map<string, number>();
  for (let round = 0; round < 22; round++) {
    const words = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const { body } = await rude.h2.ask(said);
        return heard(body).words.slice(0, 9);
      }),
    );
    for (const word of words) {
      const kind = word.startsWith("SIDS") ? "SIDS" : word;
      answers.set(kind, (answers.get(kind) ?? 0) + 1);
    }
  }
  assertEquals(Object.fromEntries(answers), { "SIDS": 2048, "ERR QUOTA": 152 });
  assertEquals(router.store.records.count, 2048);
  await assertServes(router); // on another connection
  rude.h2.close();
});

Deno.test("requests of any other kind are answered, or their connection is closed, and nothing else happens", async () => {
  await using router = await kitRouter();
  const random = seeded(11);
  const client = await connect(router);
  for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
    const { body } = await client.h2.ask(new Uint8Array(0), {}, method);
    assertEquals(body.length, 0, method);
  }
  for (let count = 0; count < 60; count++) {
    const noise = randomBytes(random, intBetween(random, 1, 40_000));
    const { status, body } = await client.h2.ask(noise);
    assertEquals(status, 200);
    assertEquals(body.length, 16_384);
    assertEquals(heard(body).words, "ERR BLOCK");
  }
  assertEquals((await client.ask("PING")).words, "PONG");
  client.h2.close();
  await assertServes(router);
});

Deno.test("a body that never comes is not waited for by others", async () => {
  await using router = await kitRouter();
  const rude = await connect(router);
  const open = Array.from({ length: 50 }, () => rude.h2.begin());
  for (const stream of open) await stream.write(new Uint8Array(100));
  assertEquals((await rude.ask("PING")).words, "PONG");
  await assertServes(router);
  for (const stream of open) stream.reset();
  rude.h2.close();
});

Deno.test("frames that are none end their connection only", async () => {
  await using router = await kitRouter();
  const rude = await rawH2({ port: router.port });
  const client = await connect(router);
  // A frame on stream 0 that must not be there, then a length without end.
  const stream = rude.begin({ "x": "y".repeat(100) });
  stream.end();
  await stream.answer;
  const { closed } = rude;
  rude.raw(Uint8Array.of(0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0));
  await within(60_000, "the connection to end", closed);
  assertEquals((await client.ask("PING")).words, "PONG");
  client.h2.close();
  assert(router.store.records.count === 0);
});
