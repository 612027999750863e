/**
 * Conversations with a router that was started, in raw bytes over TLS.
 */
import { assert, assertEquals } from "@std/assert";
import { createHash, createPublicKey, diffieHellman } from "node:crypto";
import { concatBytes } from "../../core/bytes.ts";
import { makeKeyPair } from "../../xftp/keys.ts";
import { secretbox } from "../../xftp/secretbox.ts";
import { rawH2 } from "./raw_h2.ts";
import {
  fnew,
  greet,
  kitClient,
  kitRouter,
  makeChunk,
  put,
} from "./router_kit.ts";

Deno.test("a chunk goes to a router and comes back, in raw bytes", async () => {
  await using router = await kitRouter();
  const h2 = await rawH2({ port: router.port });
  const client = kitClient(h2, await greet(h2, router.keyHash));
  assertEquals((await client.ask("PING")).words, "PONG");
  const chunk = await makeChunk(client, 4_194_304);
  assertEquals(await put(client, chunk), "OK");
  const ours = makeKeyPair("x25519");
  const got = await client.ask(
    concatBytes(
      new TextEncoder().encode("FGET "),
      Uint8Array.of(44),
      ours.publicKey.der,
    ),
    { entity: chunk.recipientId, key: chunk.recipient.privateKey },
  );
  assertEquals(got.words.slice(0, 5), "FILE ");
  console.log(got.rest.length);
  h2.close();
});
