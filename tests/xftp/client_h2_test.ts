import { assert, assertEquals, assertRejects } from "@std/assert";
import { concatBytes } from "../../core/bytes.ts";
import { SftpxError } from "../../core/errors.ts";
import { type ByteStream, h2Client } from "../../xftp/client_h2.ts";
import {
  FLAG,
  FRAME,
  frame,
  readFrameHead,
  requestHeaders,
  resetFrame,
  settingsFrame,
  statusOf,
  windowFrame,
  writeFrameHead,
} from "../../xftp/client_h2_frames.ts";
import { forAll, intBetween, randomBytes } from "../testutil/random.ts";

const hex = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.fromHex(text.replaceAll(" ", ""));

Deno.test("frames are as RFC 9113 has them", () => {
  assertEquals(
    settingsFrame([[1, 0], [2, 0], [4, 65_536]]).toHex(),
    hex("000012 04 00 00000000 0001 00000000 0002 00000000 0004 00010000")
      .toHex(),
  );
  assertEquals(windowFrame(0, 1).toHex(), "000004080000000000" + "00000001");
  assertEquals(resetFrame(3, 8).toHex(), "000004030000000003" + "00000008");
  assertEquals(readFrameHead(hex("004000 00 01 80000005")), {
    length: 16_384,
    type: FRAME.data,
    flags: FLAG.endStream,
    stream: 5, // the first bit means nothing
  });
  forAll((random) => ({
    length: intBetween(random, 0, 2 ** 24 - 1),
    type: intBetween(random, 0, 255),
    flags: intBetween(random, 0, 255),
    stream: intBetween(random, 0, 2 ** 31 - 1),
  }), (head) => {
    const bytes = new Uint8Array(12);
    writeFrameHead(bytes, 2, head);
    assertEquals(readFrameHead(bytes.subarray(2, 11)), head);
  });
});

Deno.test("a request is headers of the table that everyone has, and two texts", () => {
  assertEquals(
    requestHeaders("r:1", { "xftp-handshake": "1" }).toHex(),
    hex("83 87 84 01 03 723a31 00 0e 786674702d68616e647368616b65 01 31")
      .toHex(),
  );
});

Deno.test("a status is read, as RFC 7541 has its examples", () => {
  const vectors: readonly (readonly [string, number | undefined])[] = [
    ["88", 200],
    ["8e", 500],
    ["20 88", 200], // a table of size 0 before it
    // C.5.1: a literal that would go into the table, 302
    ["48 03 333032 58 07 70726976617465", 302],
    // C.6.1: the same, packed, which is not read
    ["48 82 6402 58 85 aec3771a4b", undefined],
    ["08 03 323030", 200],
    // another header before it, its name and value literal
    ["00 01 61 01 62 88", 200],
    ["0f 2f 01 62 88", 200], // an index of two bytes
    ["be 88", 200], // of a table that there is not
    ["", undefined],
    ["00 7f ff ff ff ff ff 0f", undefined],
    ["08 7f", undefined],
  ];
  for (const [text, status] of vectors) {
    assertEquals(statusOf(hex(text)), status, text);
  }
  forAll(
    (random) => randomBytes(random, intBetween(random, 0, 40)),
    (bytes) => void statusOf(bytes), // never throws, never loops
    { runs: 2000 },
  );
});

const SETTINGS = settingsFrame([]);
const OK = (stream: number, flags = 0): Uint8Array =>
  frame(FRAME.headers, FLAG.endHeaders | flags, stream, hex("88"));

Deno.test("a body goes out as the window allows, and an answer comes in pieces", async () => {
  const router = script();
  const http = h2Client(router.stream, "r", "r");
  router.say(settingsFrame([[4, 100]]));
  await router.heard((bytes) => bytes.includes("0000000401"), 9); // our ack
  const body = new Uint8Array(1000).fill(7);
  const asked = http.post({}, [body.subarray(0, 300), body.subarray(300)]);
  await router.heard((bytes) => bytes.includes("000064000000000001"));
  for (let left = 900; left > 0; left -= 300) router.say(windowFrame(1, 300));
  await router.heard((bytes) => bytes.endsWith("07"), 1000);
  router.say(OK(1));
  router.say(frame(FRAME.data, 0, 1, new Uint8Array(10).fill(1)));
  router.say(
    frame(
      FRAME.data,
      FLAG.endStream | FLAG.padded,
      1,
      Uint8Array.of(2, 9, 9, 0, 0),
    ),
  );
  const answer = await asked;
  assertEquals(answer.status, 200);
  const into = new Uint8Array(20);
  assertEquals(await answer.read(into), 12);
  assertEquals(into.slice(9, 12), Uint8Array.of(1, 9, 9));
  assertEquals(await answer.read(into), 0);
  http.close();
});

Deno.test("what a router says while we say something else is answered", async () => {
  const router = script();
  const http = h2Client(router.stream, "r", "r");
  router.say(SETTINGS);
  router.say(frame(FRAME.ping, 0, 0, hex("0102030405060708")));
  router.say(frame(0x42, 0, 0, hex("00"))); // of a later version
  await router.heard((bytes) =>
    bytes.includes("0000080601000000000102030405060708")
  );
  http.close();
});

Deno.test("an answer before the body's end ends the body", async () => {
  const router = script();
  const http = h2Client(router.stream, "r", "r");
  router.say(SETTINGS);
  const asked = http.post({}, [new Uint8Array(200_000)]);
  await router.heard((bytes) => bytes.length > 2 * 65_535);
  router.say(OK(1, FLAG.endStream));
  assertEquals((await asked).status, 200);
  const second = http.post({}, []);
  await router.heard((bytes) => bytes.includes("010500000003"));
  router.say(OK(3, FLAG.endStream));
  assertEquals((await second).status, 200);
  http.close();
});

const HOSTILE: readonly (readonly [string, string, () => Uint8Array[]])[] = [
  ["a frame that is too long", "too long", () => [
    hex("ffffff 00 00 00000001"),
  ]],
  ["headers without end", "too long", () =>
    Array.from(
      { length: 5 },
      (_, at) =>
        frame(
          at === 0 ? FRAME.headers : FRAME.continuation,
          0,
          1,
          new Uint8Array(16_384),
        ),
    )],
  [
    "a push",
    "nobody asked",
    () => [frame(FRAME.push, 4, 1, hex("00000002 88"))],
  ],
  ["a body without headers", "without headers", () => [
    frame(FRAME.data, 0, 1, hex("00")),
  ]],
  ["padding that is longer than its frame", "shorter", () => [
    OK(1),
    frame(FRAME.data, FLAG.padded, 1, hex("05 00")),
  ]],
  ["padded headers that are shorter", "shorter", () => [
    frame(FRAME.headers, FLAG.padded | 4, 1, hex("09 88")),
  ]],
  ["a window that is too large", "window", () => [windowFrame(0, 2 ** 31 - 1)]],
  ["settings with a window that is too large", "window", () => [
    settingsFrame([[4, 2 ** 32 - 1]]),
  ]],
  ["more than we let it send", "more than it may", () => [
    OK(1),
    ...Array.from(
      { length: 513 },
      () => frame(FRAME.data, 0, 1, new Uint8Array(16_384)),
    ),
  ]],
  ["pings faster than it takes our answers", "more answers", () => [
    ...Array.from(
      { length: 1100 },
      () => frame(FRAME.ping, 0, 0, new Uint8Array(8)),
    ),
  ]],
  ["a reset of the request", "connection was lost", () => [resetFrame(1, 2)]],
  ["a goodbye", "connection was lost", () => [
    frame(FRAME.goAway, 0, 0, new Uint8Array(8)),
  ]],
  ["an end", "connection was lost", () => []],
];

for (const [what, reason, frames] of HOSTILE) {
  Deno.test(`a router that says ${what} ends the connection`, async () => {
    const router = script(what.startsWith("pings"));
    const http = h2Client(router.stream, "r", "r");
    router.say(SETTINGS);
    const asking = (async () => {
      const answer = await http.post({}, []);
      const into = new Uint8Array(1);
      // It is not read further, so nothing makes room.
      await new Promise((resolve) => router.closed.then(resolve));
      for (;;) if (await answer.read(into) === 0) return;
    })();
    for (const bytes of frames()) router.say(bytes);
    router.end();
    const error = await assertRejects(() => asking, SftpxError);
    assert(error.message.includes(reason), error.message);
    await assertRejects(() => http.post({}, []), SftpxError);
  });
}

/** A router that says what it is told, and keeps what it hears. */
function script(isDeaf = false) {
  const said: Uint8Array[] = [];
  let heard: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  let isEnded = false;
  let wake = Promise.withResolvers<void>();
  let hears = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const stream: ByteStream = {
    async read(into) {
      while (said.length === 0) {
        if (isEnded) return null;
        await wake.promise;
        wake = Promise.withResolvers<void>();
      }
      const piece = said[0] as Uint8Array;
      const part = piece.subarray(0, into.length);
      into.set(part);
      if (part.length === piece.length) said.shift();
      else said[0] = piece.subarray(part.length);
      return part.length;
    },
    async write(bytes) {
      heard = concatBytes(heard, bytes);
      hears.resolve();
      hears = Promise.withResolvers<void>();
      if (isDeaf && heard.length > 200) await closed.promise;
      return bytes.length;
    },
    close() {
      isEnded = true;
      wake.resolve();
      closed.resolve();
    },
  };
  return {
    stream,
    closed: closed.promise,
    say(bytes: Uint8Array) {
      said.push(bytes);
      wake.resolve();
    },
    end() {
      isEnded = true;
      wake.resolve();
    },
    /** Waits until what was heard, as hex or its last bytes, is so. */
    async heard(is: (hex: string) => boolean, last?: number) {
      for (;;) {
        const from = last === undefined ? 0 : Math.max(0, heard.length - last);
        if (is(heard.subarray(from).toHex())) return;
        await hears.promise;
      }
    },
  };
}
