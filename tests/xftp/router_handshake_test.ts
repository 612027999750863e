/**
 * The handshake: its three states, the proof, and what a client can check of it.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { concatBytes } from "../../core/bytes.ts";
import { SftpxError } from "../../core/errors.ts";
import {
  decodeRouterHello,
  encodeClientHandshake,
  encodeWebHello,
  type RouterHello,
} from "../../xftp/handshake.ts";
import { makeKeyPair, sign } from "../../xftp/keys.ts";
import { checkRouterHello } from "../../xftp/router_proof.ts";
import { type CoreKit, coreKit, type CoreLine } from "./router_core_kit.ts";
import {
  greet,
  heard,
  kitClient,
  transmission,
  unblock,
} from "./router_kit.ts";

const HELLO = { "xftp-web-hello": "1" };
const HANDSHAKE = { "xftp-handshake": "1" };
const NOTHING = new Uint8Array(0);
const challenge = new Uint8Array(32).fill(9);

const wordsOf = (body: Uint8Array): string =>
  new TextDecoder().decode(unblock(body));

async function say(
  line: CoreLine,
  body: Uint8Array,
  headers?: Record<string, string>,
): Promise<Uint8Array<ArrayBuffer>> {
  return (await line.h2.ask(body, headers)).body;
}

function handshakeOf(kit: CoreKit, version = 3): Uint8Array {
  const { keyHash } = kit.identity;
  return encodeClientHandshake({ version, keyHash });
}

const PING = new TextEncoder().encode("PING");

Deno.test("a native client says hello with nothing, and gives commands after its handshake", async () => {
  await using kit = await coreKit();
  const line = kit.session();
  const hello = decodeRouterHello(await say(line, NOTHING));
  assertEquals(hello.versions, { min: 1, max: 3 });
  assertEquals(hello.sessionId, line.session.id);
  assertEquals(hello.proof.length, 0);
  assertEquals(await say(line, handshakeOf(kit)), NOTHING);
  const ping = transmission(line.session.id, NOTHING, PING);
  assertEquals(heard(await say(line, ping)).words, "PONG");
});

Deno.test("behaviour 1: the handshake has three states, and each table row holds", async () => {
  await using kit = await coreKit();
  const web = encodeWebHello(challenge);
  const rows: [
    state: "none" | "sent" | "accepted",
    sni: boolean,
    said: "web-hello" | "handshake" | "command" | "nothing",
    expected: "hello" | "SESSION" | "HANDSHAKE" | "accepted" | "PONG",
  ][] = [
    ["none", true, "web-hello", "hello"],
    ["none", true, "handshake", "SESSION"],
    ["none", true, "command", "SESSION"],
    ["none", true, "nothing", "SESSION"],
    ["none", false, "web-hello", "hello"],
    ["none", false, "handshake", "SESSION"],
    ["none", false, "command", "HANDSHAKE"],
    ["none", false, "nothing", "hello"],
    ["sent", true, "web-hello", "hello"],
    ["sent", true, "handshake", "accepted"],
    ["sent", true, "command", "HANDSHAKE"],
    ["sent", false, "nothing", "HANDSHAKE"],
    ["accepted", true, "web-hello", "hello"],
    ["accepted", true, "handshake", "accepted"],
    ["accepted", true, "command", "PONG"],
    ["accepted", false, "command", "PONG"],
  ];
  for (const [state, sni, said, expected] of rows) {
    const line = kit.session({ sni });
    if (state !== "none") await say(line, web, HELLO);
    if (state === "accepted") await say(line, handshakeOf(kit), HANDSHAKE);
    assertEquals(line.session.handshake.state, state);
    const ping = transmission(line.session.id, NOTHING, PING);
    const answer = said === "web-hello"
      ? await say(line, web, HELLO)
      : said === "handshake"
      ? await say(line, handshakeOf(kit), HANDSHAKE)
      : await say(line, said === "command" ? ping : NOTHING);
    const row = `${state} ${sni} ${said}`;
    switch (expected) {
      case "hello":
        assertEquals(decodeRouterHello(answer).sessionId, line.session.id, row);
        break;
      case "accepted":
        assertEquals(answer, NOTHING, row);
        break;
      case "PONG":
        assertEquals(heard(answer).words, expected, row);
        break;
      default:
        assertEquals(wordsOf(answer), expected, row);
    }
  }
});

Deno.test("a hello that is said again keeps session id and key, and takes a session back", async () => {
  await using kit = await coreKit();
  const line = kit.session({ sni: true });
  const ask = async (): Promise<RouterHello> =>
    decodeRouterHello(await say(line, encodeWebHello(challenge), HELLO));
  const first = await ask();
  const again = await ask();
  assertEquals(again.signedKey, first.signedKey);
  assertEquals(await say(line, handshakeOf(kit), HANDSHAKE), NOTHING);
  const third = await ask();
  assertEquals(third.signedKey, first.signedKey);
  assertEquals(third.sessionId, first.sessionId);
  assertEquals(line.session.handshake.state, "sent");
});

Deno.test("behaviour 2: a router proves who it is by signing challenge and session id", async () => {
  await using kit = await coreKit();
  const line = kit.session({ sni: true });
  const hello = decodeRouterHello(
    await say(line, encodeWebHello(challenge), HELLO),
  );
  const { keyHash } = kit.identity;
  const expected = { keyHash, challenge, now: new Date() };
  const proven = checkRouterHello(hello, expected);
  assertEquals(proven.version, 3);
  assertEquals(proven.sessionId, line.session.id);

  const other = makeKeyPair("ed25519").privateKey;
  const forged = sign(other, concatBytes(challenge, hello.sessionId));
  const wrong: Record<
    string,
    [Partial<RouterHello>, Partial<typeof expected>]
  > = {
    "another challenge": [{}, { challenge: new Uint8Array(32) }],
    "another router": [{}, { keyHash: new Uint8Array(32) }],
    "another session": [{ sessionId: new Uint8Array(32) }, {}],
    "no proof": [{ proof: NOTHING }, {}],
    "a proof of another key": [{ proof: forged }, {}],
    "a leaf that the identity has not signed": [{
      certificates: [1, 1].map((at) => hello.certificates[at] ?? NOTHING),
    }, {}],
    "a time when it is over": [{}, { now: new Date("2200-01-01") }],
  };
  for (const [name, [said, known]] of Object.entries(wrong)) {
    const error = assertThrows(
      () => checkRouterHello({ ...hello, ...said }, { ...expected, ...known }),
      SftpxError,
    );
    assertEquals(error.code, "unauthorized", name);
  }
  for (const length of [0, 1, 5]) {
    const certificates = Array(length).fill(hello.certificates[1]);
    const error = assertThrows(
      () => checkRouterHello({ ...hello, certificates }, expected),
      SftpxError,
    );
    assertEquals(error.code, "protocol");
  }
});

Deno.test("a client's handshake is refused for another router, another version and another length", async () => {
  await using kit = await coreKit();
  const { keyHash } = kit.identity;
  const wrong: Record<string, Uint8Array> = {
    "version 0": handshakeOf(kit, 0),
    "version 4": handshakeOf(kit, 4),
    "another router": encodeClientHandshake({
      version: 3,
      keyHash: new Uint8Array(32),
    }),
    "half a block": handshakeOf(kit).subarray(0, 8192),
    "a hash that is cut": encodeClientHandshake({
      version: 3,
      keyHash: keyHash.subarray(0, 31),
    }),
    "noise": new Uint8Array(16_384).fill(0xff),
  };
  for (const [name, block] of Object.entries(wrong)) {
    const line = kit.session();
    await say(line, NOTHING);
    assertEquals(wordsOf(await say(line, block)), "HANDSHAKE", name);
    assertEquals(line.session.handshake.state, "sent", name);
    assertEquals(await say(line, handshakeOf(kit)), NOTHING, name);
  }
});

Deno.test("bytes that a later version adds to hello and handshake are ignored", async () => {
  await using kit = await coreKit();
  const line = kit.session({ sni: true });
  const later = (block: Uint8Array): Uint8Array => {
    const changed = Uint8Array.from(block);
    const length = (changed[0] ?? 0) * 256 + (changed[1] ?? 0) + 5;
    changed[0] = length >> 8;
    changed[1] = length & 255;
    return changed;
  };
  const hello = await say(line, later(encodeWebHello(challenge)), HELLO);
  assertEquals(decodeRouterHello(later(hello)).sessionId, line.session.id);
  assertEquals(await say(line, later(handshakeOf(kit)), HANDSHAKE), NOTHING);
});

Deno.test("a client that shakes no hands speaks version 1 and names its session", async () => {
  await using kit = await coreKit();
  const line = kit.session({ legacy: true });
  const own = new Uint8Array(32).fill(5);
  const client = kitClient(line.h2, { sessionId: own, routerKey: NOTHING });
  const pong = await client.ask("PING");
  assertEquals([pong.words, pong.sessionId], ["PONG", own]);
  const other = kitClient(line.h2, { sessionId: NOTHING, routerKey: NOTHING });
  assertEquals((await other.ask("PING")).words, "ERR SESSION");
});

Deno.test("a transmission of another session is refused", async () => {
  await using kit = await coreKit();
  const client = await kit.client();
  const stranger = kitClient(client.h2, {
    ...client.session,
    sessionId: new Uint8Array(32),
  });
  const answer = await stranger.ask("PING", {
    entity: new Uint8Array(16).fill(1),
    corrId: Uint8Array.of(7),
  });
  assertEquals(answer.words, "ERR SESSION");
  assertEquals(answer.entity.length, 0);
  assertEquals(answer.corrId, Uint8Array.of(7));
});

Deno.test("every session has a key and an id of its own", async () => {
  await using kit = await coreKit();
  const [one, two] = [kit.session(), kit.session()];
  const first = await greet(one.h2, kit.identity.keyHash);
  const second = await greet(two.h2, kit.identity.keyHash);
  assert(first.routerKey.toHex() !== second.routerKey.toHex());
  assert(first.sessionId.toHex() !== second.sessionId.toHex());
});
