/**
 * Conversations with a router that was started, in raw bytes over TLS, and what
 * is left of them when it is started again.
 */
import { assert, assertEquals } from "@std/assert";
import { type RawH2, rawH2 } from "./raw_h2.ts";
import {
  asRecipient,
  asSender,
  block,
  get,
  greet,
  kitClient,
  kitRouter,
  makeChunk,
  put,
  unblock,
} from "./router_kit.ts";

Deno.test("chunks of every size go to a router and come back, in raw bytes", async () => {
  await using router = await kitRouter();
  const h2 = await rawH2({ port: router.port });
  const client = kitClient(h2, await greet(h2, router.keyHash));
  assertEquals((await client.ask("PING")).words, "PONG");
  for (const size of [65_536, 262_144, 1_048_576, 4_194_304]) {
    const chunk = await makeChunk(client, size);
    assertEquals(await put(client, chunk), "OK");
    assertEquals(await get(client, chunk), chunk.data);
    assertEquals(await asRecipient(client, chunk, "FACK"), "OK");
    assertEquals(await asSender(client, chunk, "FDEL"), "OK");
    assertEquals(await get(client, chunk), "ERR AUTH");
  }
  h2.close();
});

Deno.test("a router that is stopped and started again has what it had", async () => {
  const dir = await Deno.makeTempDir({ prefix: "sftpx-router-" });
  const connect = async (
    router: Awaited<ReturnType<typeof kitRouter>>,
  ): Promise<{ h2: RawH2; client: ReturnType<typeof kitClient> }> => {
    const h2 = await rawH2({ port: router.port });
    return { h2, client: kitClient(h2, await greet(h2, router.keyHash)) };
  };
  try {
    const { createIdentity } = await import(
      "../../xftp/router/identity.ts"
    );
    await createIdentity(`${dir}/identity`, { hosts: [], now: new Date() });
    let router = await kitRouter({ stats: { backup: `${dir}/stats` } }, dir);
    let { h2, client } = await connect(router);
    const chunks = [];
    for (let count = 0; count < 5; count++) {
      const chunk = await makeChunk(client);
      assertEquals(await put(client, chunk), "OK");
      chunks.push(chunk);
    }
    const [gone, kept] = [chunks.shift(), await makeChunk(client)];
    assert(gone !== undefined);
    assertEquals(await asSender(client, gone, "FDEL"), "OK");
    h2.close();
    await router.stop();

    router = await kitRouter({ stats: { backup: `${dir}/stats` } }, dir);
    ({ h2, client } = await connect(router));
    for (const chunk of chunks) {
      assertEquals(await get(client, chunk), chunk.data);
    }
    assertEquals(await get(client, gone), "ERR AUTH");
    assertEquals(await put(client, kept), "OK"); // made before, uploaded now
    assertEquals(router.store.usedBytes, 5 * 65_536);
    h2.close();
    await router.stop();
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("many requests on one connection are answered, whichever is done first", async () => {
  await using router = await kitRouter();
  const h2 = await rawH2({ port: router.port });
  const client = kitClient(h2, await greet(h2, router.keyHash));
  const chunks = await Promise.all(
    Array.from({ length: 30 }, () => makeChunk(client)),
  );
  const said = await Promise.all(chunks.map((chunk) => put(client, chunk)));
  assertEquals(new Set(said), new Set(["OK"]));
  const found = await Promise.all(chunks.map((chunk) => get(client, chunk)));
  assertEquals(found, chunks.map(({ data }) => data));
  h2.close();
});

Deno.test("the first words of a router, byte by byte", async () => {
  await using router = await kitRouter();
  const h2 = await rawH2({ port: router.port, alpn: ["xftp/1"] });
  const { status, body } = await h2.ask(new Uint8Array(0));
  assertEquals([status, body.length], [200, 16_384]);
  const hello = unblock(body).toHex();
  // Versions 1 to 3, a session id of 32 bytes, two certificates.
  assertEquals(hello.slice(0, 10), "0001000320");
  assertEquals(hello.slice(10 + 64, 12 + 64), "02");
  const leaf = router.options.identity.certificates[0]?.toHex() ?? "";
  assertEquals(
    hello.slice(12 + 64, 16 + 64),
    (leaf.length / 2).toString(16).padStart(4, "0"),
  );
  assert(hello.includes(leaf));
  // The key: 122 bytes, wrapped twice, signed with Ed25519; and no proof.
  assert(hello.includes("007a3078302c302a300506032b656e032100"));
  assert(/300506032b6570034100[0-9a-f]{128}00$/.test(hello));
  assertEquals(body.slice(-1).toHex(), "23");
  const refused = await h2.ask(block(new Uint8Array(3)));
  assertEquals(new TextDecoder().decode(unblock(refused.body)), "HANDSHAKE");
  h2.close();
});
