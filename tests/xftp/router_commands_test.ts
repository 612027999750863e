/**
 * What each command does, and what is said of each way to get it wrong.
 */
import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { concatBytes } from "../../core/bytes.ts";
import {
  makeAuthenticator,
  makeKeyPair,
  sharedSecret,
} from "../../xftp/keys.ts";
import { readPublicKey } from "../../xftp/keys.ts";
import { coreKit } from "./router_core_kit.ts";
import {
  asRecipient,
  asSender,
  fadd,
  fnew,
  frame,
  get,
  heard,
  type KitClient,
  makeChunk,
  namesIn,
  put,
} from "./router_kit.ts";

const NOTHING = new Uint8Array(0);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const short = (bytes: Uint8Array): Uint8Array =>
  concatBytes(Uint8Array.of(bytes.length), bytes);

Deno.test("a chunk is made, uploaded, fetched, acknowledged and deleted", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const chunk = await makeChunk(client);
  assertEquals(await get(client, chunk), "ERR NO_FILE");
  assertEquals(await put(client, chunk), "OK");
  assertEquals(await get(client, chunk), chunk.data);
  assertEquals(await asRecipient(client, chunk, "FACK"), "OK");
  assertEquals(await get(client, chunk), "ERR AUTH");
  assertEquals(await asSender(client, chunk, "FDEL"), "OK");
  assertEquals(await asSender(client, chunk, "FDEL"), "ERR AUTH");
  assertEquals(kit.store.usedBytes, 0);
  const { created, uploaded, downloads, acks, deleted } = kit.stats.snapshot();
  assertEquals([created, uploaded, downloads, acks, deleted], [1, 1, 1, 1, 1]);
});

Deno.test("recipients are added, each with an id of its own", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const chunk = await makeChunk(client);
  await put(client, chunk);
  const keys = [makeKeyPair("ed25519"), makeKeyPair("ed448")];
  const { senderId: entity, sender } = chunk;
  const added = await client.ask(fadd(keys.map((one) => one.publicKey.der)), {
    entity,
    key: sender.privateKey,
  });
  assertEquals(added.words.slice(0, 6), "RIDS \x02");
  for (const [index, recipient] of keys.entries()) {
    const at = 7 + index * 17;
    const recipientId = added.command.slice(at, at + 16);
    assertEquals(await get(client, { recipient, recipientId }), chunk.data);
  }
  assertEquals(kit.stats.snapshot().recipients, 3);
});

Deno.test("chunks of other sizes than the four are refused", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const { publicKey, privateKey } = makeKeyPair("ed25519");
  const said = async (size: number): Promise<string> => {
    const command = fnew(publicKey.der, NOTHING, [publicKey.der], { size });
    return (await client.ask(command, { key: privateKey })).words.slice(0, 8);
  };
  for (const size of [0, 1, 98_304, 65_535, 4_194_305, 0xffff_ffff]) {
    assertEquals(await said(size), "ERR SIZE");
  }
  for (const size of [65_536, 262_144, 1_048_576, 4_194_304]) {
    assertEquals((await said(size)).slice(0, 5), "SIDS ");
  }
});

Deno.test("a body of another length is SIZE, of another content DIGEST, and nothing stays", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const chunk = await makeChunk(client);
  const { data } = chunk;
  assertEquals(await put(client, chunk, NOTHING), "ERR SIZE");
  assertEquals(await put(client, chunk, data.subarray(1)), "ERR SIZE");
  assertEquals(
    await put(client, chunk, concatBytes(data, Uint8Array.of(1))),
    "ERR SIZE",
  );
  const flipped = Uint8Array.from(data);
  flipped[65_535] = (flipped[65_535] ?? 0) ^ 1;
  assertEquals(await put(client, chunk, flipped), "ERR DIGEST");
  const left = await namesIn(kit.dir.join("files"));
  assertEquals(left, []);
  assertEquals(kit.store.usedBytes, 0);
  assertEquals(await put(client, chunk), "OK");
});

Deno.test("each command has what it needs and nothing beside", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const chunk = await makeChunk(client);
  const key = chunk.sender.privateKey;
  const entity = chunk.senderId;
  const create = fnew(chunk.sender.publicKey.der, chunk.data, [
    chunk.recipient.publicKey.der,
  ]);
  const fget = concatBytes(
    text("FGET "),
    short(makeKeyPair("x25519").publicKey.der),
  );
  const cases: [string | Uint8Array, object, string][] = [
    ["PING", {}, "PONG"],
    ["PING", { key }, "ERR CMD HAS_AUTH"],
    ["PING", { entity }, "ERR CMD HAS_AUTH"],
    [create, {}, "ERR CMD NO_AUTH"],
    [create, { key, entity }, "ERR CMD HAS_AUTH"],
    ["FPUT", { entity }, "ERR CMD NO_AUTH"],
    ["FPUT", { key }, "ERR CMD NO_AUTH"],
    ["FDEL", {}, "ERR CMD NO_AUTH"],
    ["FACK", { entity }, "ERR CMD NO_AUTH"],
    [fget, { key }, "ERR CMD NO_AUTH"],
    [fget, { key, entity }, "ERR AUTH"], // a sender is no recipient
    ["FACK", { key, entity }, "ERR AUTH"],
    ["FSUB", { key, entity }, "ERR CMD UNKNOWN"],
    ["FGET ", { key, entity }, "ERR CMD SYNTAX"],
    ["FDEL now", { key, entity }, "ERR CMD SYNTAX"],
  ];
  for (const [command, options, expected] of cases) {
    const said = typeof command === "string" ? command : command.slice(0, 4);
    assertEquals(
      (await client.ask(command, options)).words,
      expected,
      `${said}`,
    );
  }
  assertEquals(await asRecipient(client, chunk, "FDEL"), "ERR AUTH");
});

Deno.test("an answer echoes correlation and entity, and is not signed", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const chunk = await makeChunk(client);
  const corrId = new Uint8Array(24).fill(3);
  const answer = await client.ask("FDEL", {
    entity: chunk.senderId,
    key: chunk.sender.privateKey,
    corrId,
  });
  assertEquals(answer.words, "OK");
  assertEquals([answer.corrId, answer.entity], [corrId, chunk.senderId]);
  assertEquals(answer.sessionId, client.session.sessionId);
});

Deno.test("a block that is none is BLOCK, whatever is wrong with it", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const id = short(client.session.sessionId);
  const none = concatBytes(id, short(NOTHING), short(NOTHING), text("PING"));
  const wrong: Uint8Array[] = [
    new Uint8Array(0),
    new Uint8Array(100),
    new Uint8Array(16_383),
    new Uint8Array(16_384),
    new Uint8Array(16_384).fill(0xff),
    frame(new Uint8Array(63), none),
  ];
  for (const [index, bytes] of wrong.entries()) {
    const { body } = await client.h2.ask(bytes);
    // A signature of no known length is found when it is needed.
    const expected = index < 5 ? "ERR BLOCK" : "ERR CMD HAS_AUTH";
    assertEquals(heard(body).words, expected, `${index}`);
  }
  const chunk = await makeChunk(client);
  const del = concatBytes(
    id,
    short(NOTHING),
    short(chunk.senderId),
    text("FDEL"),
  );
  for (const length of [1, 63, 65, 79, 81, 113, 115, 255]) {
    const { body } = await client.h2.ask(frame(new Uint8Array(length), del));
    assertEquals(heard(body).words, "ERR BLOCK", `${length}`);
  }
});

/** Gives a command with an authenticator of `secret`. */
async function authenticated(
  client: KitClient,
  secret: Uint8Array,
  entity: Uint8Array,
  command: Uint8Array,
  corrId: Uint8Array,
): Promise<string> {
  const authorized = concatBytes(
    short(client.session.sessionId),
    short(corrId),
    short(entity),
    command,
  );
  const auth = makeAuthenticator(secret, corrId, authorized);
  assertEquals(auth.length, 80);
  return heard((await client.h2.ask(frame(auth, authorized))).body).words;
}

Deno.test("X25519 keys authenticate, from version 2 on", async () => {
  for (
    const [version, expected] of [[1, "ERR AUTH"], [2, "SIDS "], [3, "SIDS "]]
  ) {
    await using kit = await coreKit();
    const client = await kit.client(Number(version));
    const pair = makeKeyPair("x25519");
    const theirs = readPublicKey(client.session.routerKey);
    const secret = sharedSecret(pair.privateKey, theirs);
    const corrId = crypto.getRandomValues(new Uint8Array(24));
    const create = fnew(pair.publicKey.der, new Uint8Array(65_536), [
      pair.publicKey.der,
    ]);
    const said = await authenticated(client, secret, NOTHING, create, corrId);
    assertEquals(said.slice(0, String(expected).length), expected);
    if (version === 1) continue;
    const entity = Uint8Array.from(said.slice(6, 22), (c) => c.charCodeAt(0));
    const del = text("FDEL");
    const wrong = new Uint8Array(32).fill(1);
    assertEquals(
      await authenticated(client, wrong, entity, del, corrId),
      "ERR AUTH",
    );
    // A short correlation id is filled with zeros.
    const few = Uint8Array.of(1, 2, 3);
    assertEquals(await authenticated(client, secret, entity, del, few), "OK");
  }
});

Deno.test("Ed448 keys sign, and a signature of another kind than the key is AUTH", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const [sender, other] = [makeKeyPair("ed448"), makeKeyPair("ed25519")];
  const create = fnew(sender.publicKey.der, new Uint8Array(65_536), [
    other.publicKey.der,
  ]);
  const crossed = await client.ask(create, { key: other.privateKey });
  assertEquals(crossed.words, "ERR AUTH");
  const made = await client.ask(create, { key: sender.privateKey });
  assertEquals(made.words.slice(0, 5), "SIDS ");
  const entity = made.command.slice(6, 22);
  const said = async (key: typeof sender): Promise<string> =>
    (await client.ask("FDEL", { entity, key: key.privateKey })).words;
  assertEquals(await said(other), "ERR AUTH");
  assertEquals(await said(sender), "OK");
});

Deno.test("a router with a password stores for those who know it, and one that is off for nobody", async () => {
  const said = async (
    policy: { newFiles?: boolean; password?: string },
    password?: string,
  ): Promise<string> => {
    await using kit = await coreKit({ policy });
    const client = await kit.client();
    const { publicKey, privateKey } = makeKeyPair("ed25519");
    const data = new Uint8Array(65_536);
    const command = fnew(publicKey.der, data, [publicKey.der], {
      ...(password === undefined ? {} : { password }),
    });
    const { words } = await client.ask(command, { key: privateKey });
    return words.startsWith("SIDS ") ? "SIDS" : words;
  };
  const locked = { password: "right" };
  assertEquals(await said({}), "SIDS");
  assertEquals(await said({}, "any"), "SIDS");
  assertEquals(await said(locked), "ERR AUTH");
  assertEquals(await said(locked, ""), "ERR AUTH");
  assertEquals(await said(locked, "wrong"), "ERR AUTH");
  assertEquals(await said(locked, "righ"), "ERR AUTH");
  assertEquals(await said(locked, "right"), "SIDS");
  assertEquals(await said({ newFiles: false }), "ERR AUTH");
  assertEquals(await said({ ...locked, newFiles: false }, "right"), "ERR AUTH");
});

Deno.test("a key that gives everybody the same secret is CRYPTO, and a file that is gone AUTH", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const chunk = await makeChunk(client);
  await put(client, chunk);
  const weak = concatBytes(
    Uint8Array.fromHex("302a300506032b656e032100"),
    new Uint8Array(32),
  );
  const fget = concatBytes(text("FGET "), short(weak));
  assertEquals(await asRecipient(client, chunk, fget), "ERR CRYPTO");
  await Deno.remove(kit.store.files.pathOf(chunk.senderId));
  assertEquals(await get(client, chunk), "ERR AUTH");
});

Deno.test("a chunk that was cut on disk is FILE_IO, and never given", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const chunk = await makeChunk(client);
  await put(client, chunk);
  await Deno.truncate(kit.store.files.pathOf(chunk.senderId), 100);
  assertEquals(await get(client, chunk), "ERR FILE_IO");
});

Deno.test("what is stored is the chunk, byte for byte, under the sender's id", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const chunk = await makeChunk(client, 262_144);
  await put(client, chunk);
  const id = chunk.senderId.toBase64({ alphabet: "base64url" });
  const stored = await Deno.readFile(kit.dir.join("files", id));
  const hash = (bytes: Uint8Array): string =>
    createHash("sha256").update(bytes).digest("hex");
  assertEquals(hash(stored), hash(chunk.data));
});

Deno.test("two downloads of the same chunk have nothing in common", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const chunk = await makeChunk(client);
  await put(client, chunk);
  const ours = makeKeyPair("x25519");
  const fget = concatBytes(text("FGET "), short(ours.publicKey.der));
  const ask = () =>
    client.ask(fget, {
      entity: chunk.recipientId,
      key: chunk.recipient.privateKey,
    });
  const [one, two] = [await ask(), await ask()];
  assert(one.words !== two.words);
  assert(one.rest.subarray(0, 32).toHex() !== two.rest.subarray(0, 32).toHex());
});
