/**
 * Behaviours of routers that clients and operators count on; the numbers are of
 * docs/xftp.md. Those of the handshake (1, 2) are in `router_handshake_test.ts`,
 * of statistics (9, 11) in `router_stats_test.ts`, of SNI (13) in
 * `router_front_test.ts`, of the control port (14) in `router_control_test.ts`.
 */
import { assert, assertEquals } from "@std/assert";
import { concatBytes } from "../../core/bytes.ts";
import { SftpxError } from "../../core/errors.ts";
import { systemRandomBytes } from "../../crypto/random.ts";
import { encodeTransmission } from "../../xftp/block.ts";
import { makeKeyPair, sign } from "../../xftp/keys.ts";
import { verifyAuth } from "../../xftp/router/authorize.ts";
import { expireChunks, keepExpiring } from "../../xftp/router/expiry.ts";
import { nullLog } from "../../core/log.ts";
import { within } from "../testutil/deadline.ts";
import { settle } from "../testutil/fake_clock.ts";
import {
  type CoreKit,
  coreKit,
  logLines,
  reread,
  type SlowBody,
  slowBody,
} from "./router_core_kit.ts";
import {
  asRecipient,
  asSender,
  fadd,
  fnew,
  get,
  heard,
  type KitChunk,
  type KitClient,
  makeChunk,
  namesIn,
  put,
  transmission,
} from "./router_kit.ts";

const NOTHING = new Uint8Array(0);
const SPAM = { reason: "spam" } as const;

/** Begins an upload whose body the test owns. */
function beginPut(
  client: KitClient & { line: ReturnType<CoreKit["session"]> },
  chunk: KitChunk,
): { readonly body: SlowBody; readonly said: Promise<string> } {
  const body = slowBody();
  const head = transmission(
    client.session.sessionId,
    chunk.senderId,
    new TextEncoder().encode("FPUT"),
    chunk.sender.privateKey,
  );
  const said = client.line.say(head, body).then((bytes) => heard(bytes).words);
  return { body, said };
}

/** Waits for something that is done in the background. */
async function until(is: () => boolean | Promise<boolean>): Promise<void> {
  let over = false;
  const looking = (async () => {
    while (!over && !await is()) await settle();
  })();
  try {
    await within(60_000, "something in the background", looking);
  } finally {
    over = true;
  }
}

async function parts(kit: CoreKit): Promise<string[]> {
  const found = await Array.fromAsync(Deno.readDir(kit.dir.join("files")));
  return found.map(({ name }) => name).filter((name) => name.endsWith(".part"));
}

Deno.test("behaviour 3: an upload that was done is read to its end and is OK again", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const chunk = await makeChunk(client);
  assertEquals(await put(client, chunk), "OK");
  const other = systemRandomBytes(65_536);
  assertEquals(await put(client, chunk, other), "OK"); // read, not taken
  assertEquals(await put(client, chunk, other.subarray(1)), "ERR SIZE");
  assertEquals(
    await put(client, chunk, concatBytes(other, other)),
    "ERR SIZE",
  );
  assertEquals(await get(client, chunk), chunk.data);
  assertEquals(kit.store.usedBytes, 65_536);
  assertEquals(kit.stats.snapshot().uploaded, 1);
});

Deno.test("two uploads of one chunk at once both end with OK, and it is there", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const chunk = await makeChunk(client);
  const [one, two] = [beginPut(client, chunk), beginPut(client, chunk)];
  one.body.give(chunk.data.subarray(0, 1000));
  two.body.give(chunk.data.subarray(0, 5000));
  await until(async () => (await parts(kit)).length === 2);
  two.body.give(chunk.data.subarray(5000));
  two.body.end();
  assertEquals(await two.said, "OK");
  one.body.give(chunk.data.subarray(1000));
  one.body.end();
  assertEquals(await one.said, "OK");
  assertEquals(await get(client, chunk), chunk.data);
  assertEquals(await parts(kit), []);
  assertEquals(kit.store.usedBytes, 65_536);
});

Deno.test("an upload that fails beside one that was done leaves that one alone", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const chunk = await makeChunk(client);
  const slow = beginPut(client, chunk);
  slow.body.give(chunk.data.subarray(0, 1000));
  await until(async () => (await parts(kit)).length === 1);
  assertEquals(await put(client, chunk), "OK");
  slow.body.end();
  assertEquals(await slow.said, "ERR SIZE");
  assertEquals(await get(client, chunk), chunk.data);
  assertEquals(kit.store.usedBytes, 65_536);
});

Deno.test("behaviour 4: the quota is reserved when an upload begins, and given back when it fails", async () => {
  await using kit = await coreKit({ quotaBytes: 2 * 65_536 });
  const client = await kit.client();
  const chunks = await Promise.all(
    Array.from({ length: 3 }, () => makeChunk(client)),
  );
  const [first, second, third] = chunks as [KitChunk, KitChunk, KitChunk];
  assertEquals(kit.store.usedBytes, 0); // making a chunk costs nothing
  const slow = beginPut(client, first);
  slow.body.give(Uint8Array.of(1));
  await until(() => kit.store.usedBytes === 65_536);
  assertEquals(await put(client, second), "OK");
  assertEquals(await put(client, third), "ERR QUOTA");
  slow.body.end(); // too short: what was reserved is free again
  assertEquals(await slow.said, "ERR SIZE");
  assertEquals(await put(client, third), "OK");
  assertEquals(await put(client, first), "ERR QUOTA");
  assertEquals(await asSender(client, third, "FDEL"), "OK");
  assertEquals(await put(client, first), "OK");
  assertEquals(kit.store.usedBytes, 2 * 65_536);
});

Deno.test("the quota is not passed by many at once, and not one byte is lost to it", async () => {
  await using kit = await coreKit({ quotaBytes: 5 * 65_536 });
  const client = await kit.client();
  const chunks = await Promise.all(
    Array.from({ length: 20 }, () => makeChunk(client)),
  );
  const said = await Promise.all(chunks.map((chunk) => put(client, chunk)));
  const counts = Object.groupBy(said, (words) => words);
  assertEquals(counts["OK"]?.length, 5);
  assertEquals(counts["ERR QUOTA"]?.length, 15);
  assertEquals(kit.store.usedBytes, 5 * 65_536);
});

Deno.test("a full disk is FILE_IO, and nothing is reserved after it", async () => {
  await using kit = await coreKit({
    quotaBytes: 65_536,
    files: (files) => ({
      ...files,
      create: async (id) => ({
        ...await files.create(id),
        write: () =>
          Promise.reject(new SftpxError("local-io", "Cannot write: disk full")),
      }),
    }),
  });
  const client = await kit.client();
  const chunk = await makeChunk(client);
  assertEquals(await put(client, chunk), "ERR FILE_IO");
  assertEquals(kit.store.usedBytes, 0);
  assertEquals(await parts(kit), []);
});

Deno.test("behaviour 5: an id that is in use is drawn anew, three times, then it is INTERNAL", async () => {
  const one = new Uint8Array(16).fill(1);
  const two = new Uint8Array(16).fill(2);
  const draws: Uint8Array<ArrayBuffer>[] = [];
  let last = one;
  await using kit = await coreKit({
    random: () => last = draws.shift() ?? last,
  });
  const client = await kit.client();
  const chunk = await makeChunk(client); // the same id twice, but of two kinds
  assertEquals(chunk.senderId, one);
  draws.push(one, one, two);
  assertEquals((await tryMake(client)).slice(0, 22), `SIDS \x10${ascii(two)}`);
  draws.push(one);
  assertEquals(await tryMake(client), "ERR INTERNAL");
  assertEquals(kit.store.records.count, 2);
});

async function tryMake(client: KitClient): Promise<string> {
  const { publicKey, privateKey } = makeKeyPair("ed25519");
  const data = new Uint8Array(65_536);
  const command = fnew(publicKey.der, data, [publicKey.der]);
  return (await client.ask(command, { key: privateKey })).words;
}

const ascii = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

Deno.test("behaviour 6: absent and forbidden look the same and do the same work", async () => {
  // Not what a clock says, which a busy machine changes, but what is done: one
  // lookup and one verification over the same bytes with a key of the same kind.
  const work: string[] = [];
  let found = true;
  await using kit = await coreKit({
    verify: (session, key, said) => {
      work.push(`${key.kind} ${said.authorized.length} ${said.auth.length}`);
      const verdict = verifyAuth(session, key, said);
      if (verdict) work.push("verified");
      return verdict;
    },
  });
  const client = await kit.client();
  const chunk = await makeChunk(client);
  const strangers = (["ed25519", "ed448"] as const).map((kind) =>
    makeKeyPair(kind).privateKey
  );
  const ask = async (
    entity: Uint8Array,
    auth: Uint8Array,
    command = "FDEL",
  ): Promise<{ words: string; work: string[] }> => {
    work.length = 0;
    const said = encodeTransmission({
      auth,
      sessionId: client.session.sessionId,
      corrId: NOTHING,
      entityId: entity,
      command: new TextEncoder().encode(command),
    });
    const { body } = await client.h2.ask(said);
    return { words: heard(body).words, work: [...work] };
  };
  const absent = systemRandomBytes(16);
  const auths = [
    ...strangers.map((key) => sign(key, NOTHING)),
    new Uint8Array(80).fill(7),
  ];
  for (const auth of auths) {
    for (const command of ["FDEL", "FACK", "FPUT"]) {
      const forbidden = await ask(chunk.senderId, auth, command);
      const unknown = await ask(absent, auth, command);
      const reversed = await ask(chunk.recipientId, auth, command);
      assertEquals(forbidden.words, "ERR AUTH");
      assertEquals(unknown, forbidden, `${auth.length} ${command}`);
      assertEquals(reversed, forbidden, `${auth.length} ${command}`);
      assertEquals(unknown.work.length, 1);
    }
  }
  // A right signature is found right by the same work, so the test can fail.
  found = (await asSender(client, chunk, "FDEL")) === "OK";
  assert(found);
});

Deno.test("behaviour 7: BLOCKED is told to who knows the id, AUTH to old clients and of what is off", async () => {
  await using kit = await coreKit();
  const client = await kit.client(3);
  const old = await kit.client(2);
  const chunk = await makeChunk(client);
  await put(client, chunk);
  const record = kit.store.records.ofSender(chunk.senderId);
  assert(record !== undefined);
  await kit.store.block(record, { reason: "content", notice: { ttl: 60 } });
  const blocked = 'ERR BLOCKED reason=content,notice={"ttl":60}';
  for (const command of ["FPUT", "FDEL"]) {
    assertEquals(await asSender(client, chunk, command), blocked);
    assertEquals(await asSender(old, chunk, command), "ERR AUTH");
  }
  assertEquals(await asRecipient(client, chunk, "FACK"), blocked);
  assertEquals(await get(client, chunk), blocked);
  assertEquals(await get(old, chunk), "ERR AUTH");
  // Whoever knows the id is told, whatever the signature.
  const stranger = await client.ask("FDEL", {
    entity: chunk.senderId,
    key: makeKeyPair("ed25519").privateKey,
  });
  assertEquals(stranger.words, blocked);
});

Deno.test("behaviour 8: blocking removes the file, frees its bytes once, and is remembered", async () => {
  const kit = await coreKit();
  await using _ = kit;
  const client = await kit.client();
  const chunk = await makeChunk(client);
  await put(client, chunk);
  const record = kit.store.records.ofSender(chunk.senderId);
  assert(record !== undefined);
  const path = kit.store.files.pathOf(chunk.senderId);
  await kit.store.block(record, SPAM);
  assertEquals(await Deno.stat(path).catch(() => "gone"), "gone");
  assertEquals(kit.store.usedBytes, 0);
  await kit.store.block(record, SPAM); // again: nothing is subtracted twice
  assertEquals(kit.store.usedBytes, 0);
  await kit.store.close();
  const again = (await reread(kit)).ofSender(chunk.senderId);
  assertEquals(again?.status, { type: "blocked", blocking: SPAM });
  assertEquals(again?.uploaded, false);
});

Deno.test("a chunk that is blocked or deleted while it comes in does not stay", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  for (const act of ["block", "remove"] as const) {
    const chunk = await makeChunk(client);
    const slow = beginPut(client, chunk);
    slow.body.give(chunk.data.subarray(0, 100));
    await until(async () => (await parts(kit)).length === 1);
    const record = kit.store.records.ofSender(chunk.senderId);
    assert(record !== undefined);
    if (act === "block") await kit.store.block(record, SPAM);
    else await kit.store.remove(record);
    slow.body.give(chunk.data.subarray(100));
    slow.body.end();
    const expected = act === "block" ? "ERR BLOCKED reason=spam" : "ERR AUTH";
    assertEquals(await slow.said, expected);
    const left = await namesIn(kit.dir.join("files"));
    assertEquals(left, []);
    assertEquals(kit.store.usedBytes, 0);
  }
});

Deno.test("behaviour 10: expiry pauses after each chunk, but not at the start", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const { clock, store, stats } = kit;
  const make = (count: number) =>
    Promise.all(Array.from({ length: count }, async () => {
      const chunk = await makeChunk(client);
      await put(client, chunk);
      return chunk;
    }));
  await make(3);
  const expiry = { store, stats, clock, log: nullLog, ttlS: 7200 };
  const over = new AbortController();
  // A chunk lives an hour longer than it must: its time is rounded down.
  clock.sleep(3 * 3_600_000);
  assertEquals(await expireChunks(expiry, 0, over.signal), 0);
  clock.sleep(1000);
  assertEquals(await expireChunks(expiry, 0, over.signal), 3);
  assertEquals(store.records.count, 0);
  assertEquals(store.usedBytes, 0);
  assertEquals(stats.snapshot().expired, 3);

  await make(2);
  const kept = keepExpiring(expiry, over.signal);
  clock.sleep(4 * 3_600_000);
  const before = clock.now();
  await clock.advance(2 * 3_600_000); // the next look
  await until(() => store.records.count === 1);
  await until(() => clock.pending === 1);
  assertEquals(store.records.count, 1); // it pauses
  await clock.advance(99);
  assertEquals(store.records.count, 1);
  await clock.advance(1);
  await until(() => store.records.count === 0);
  assertEquals(clock.now() - before, 2 * 3_600_000 + 100);
  over.abort();
  await clock.advance(100);
  await kept;
});

Deno.test("behaviour 12: the file goes before the record, so a crash between leaves AUTH and no orphan", async () => {
  const kit = await coreKit({
    logFile: (log) => ({
      ...log,
      append: (line) =>
        line.startsWith("FDEL")
          ? Promise.reject(new SftpxError("local-io", "Cannot write: crash"))
          : log.append(line),
    }),
  });
  await using _ = kit;
  const client = await kit.client();
  const chunk = await makeChunk(client);
  await put(client, chunk);
  assertEquals(await asSender(client, chunk, "FDEL"), "ERR FILE_IO");
  const path = kit.store.files.pathOf(chunk.senderId);
  assertEquals(await Deno.stat(path).catch(() => "gone"), "gone");
  assertEquals(kit.store.usedBytes, 0);
  await kit.store.close();
  const records = await reread(kit);
  assertEquals(records.ofSender(chunk.senderId)?.uploaded, true); // as it crashed
});

Deno.test("an OK is said when the log has it, and not before", async () => {
  const hold = Promise.withResolvers<void>();
  await using kit = await coreKit({
    logFile: (log) => ({
      ...log,
      append: async (line) => {
        if (line.startsWith("FPUT")) await hold.promise;
        await log.append(line);
      },
    }),
  });
  const client = await kit.client();
  const chunk = await makeChunk(client);
  let said = "";
  const first = put(client, chunk).then((words) => said = words);
  const path = kit.store.files.pathOf(chunk.senderId);
  await until(() => Deno.stat(path).then(() => true, () => false));
  // Who comes now must not hear that it was uploaded either.
  let again = "";
  const second = put(client, chunk).then((words) => again = words);
  await until(async () => (await parts(kit)).length === 0);
  await settle();
  assertEquals([said, again], ["", ""]);
  hold.resolve();
  assertEquals([await first, await second], ["OK", "OK"]);
  const lines = await logLines(kit);
  assert(lines.some((line) => line.startsWith("FPUT")));
});

Deno.test("an upload takes five minutes at most", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const chunk = await makeChunk(client);
  const slow = beginPut(client, chunk);
  slow.body.give(chunk.data.subarray(0, 1000));
  await until(async () => (await parts(kit)).length === 1);
  await kit.clock.advance(299_999);
  slow.body.give(chunk.data.subarray(1000, 2000));
  await kit.clock.advance(1);
  assertEquals(await slow.said, "ERR TIMEOUT");
  assert(slow.body.cancelled);
  await until(async () => (await parts(kit)).length === 0);
  assertEquals(kit.store.usedBytes, 0);
  assertEquals(kit.clock.pending, 0);
});

Deno.test("a session makes 2048 chunks that it does not upload, and no more", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  client.line.session.pending = 2047;
  const chunk = await makeChunk(client);
  assertEquals(await tryMake(client), "ERR QUOTA");
  assertEquals(await put(client, chunk), "OK");
  assertEquals((await tryMake(client)).slice(0, 5), "SIDS ");
});

Deno.test("a chunk has 2048 recipients, and no more", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const chunk = await makeChunk(client);
  const key = chunk.recipient.publicKey.der;
  const add = (count: number) =>
    asSender(client, chunk, fadd(Array(count).fill(key)));
  for (let had = 1; had + 255 <= 2048; had += 255) {
    assertEquals((await add(255)).slice(0, 5), "RIDS ");
  }
  assertEquals(await add(255), "ERR QUOTA");
  assertEquals((await add(7)).slice(0, 5), "RIDS ");
  assertEquals(await add(1), "ERR QUOTA");
});
