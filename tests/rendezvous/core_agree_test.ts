import { createHash } from "node:crypto";
import { ristretto255 } from "@noble/curves/ed25519.js";
import { assert, assertEquals } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import type { Agreement } from "../../rendezvous/agree.ts";
import type { Channel } from "../../rendezvous/channel.ts";
import { generator } from "../../crypto/cpace.ts";
import { codeKeys, tagOf } from "../../rendezvous/keys.ts";
import type { Message } from "../../rendezvous/messages.ts";
import { WORDS } from "../../rendezvous/words.ts";
import { FakeClock } from "../testutil/fake_clock.ts";
import { channelPair, exchange, type Said } from "./core_kit.ts";

Deno.test("agree: the same words give the same keys, and each learns of the other", async () => {
  const { sender, receiver } = await exchange(channelPair());
  const [s, r] = [agreed(sender), agreed(receiver)];
  assertEquals(s.keys.token.toHex(), r.keys.token.toHex());
  assertEquals(s.keys.meeting.id.toHex(), r.keys.meeting.id.toHex());
  assertEquals(s.fingerprint, new Uint8Array(32).fill(2));
  assertEquals(r.fingerprint, new Uint8Array(32).fill(1));
  assertEquals(s.identity, new Uint8Array(32).fill(4));
  assertEquals(r.identity, new Uint8Array(32).fill(3));
  const all = [
    s.keys.token,
    s.keys.meeting.id,
    s.keys.meeting.words,
    s.keys.meeting.path,
    ...Object.values(s.keys.confirm),
    ...Object.values(s.keys.first),
  ].map((key) => key.toHex());
  assertEquals(new Set(all).size, all.length);
});

Deno.test("S11: one wrong word burns the code, and both are told", async () => {
  const results = await exchange(channelPair(), {
    receiver: { code: { slot: 7, phrase: "tiger-melon" } },
  });
  for (const said of Object.values(results)) {
    refused(said, "unauthorized");
    assert(said instanceof Error && said.message.includes("burnt"));
  }
});

Deno.test("S11: who burns a code leaves once the helper has heard it, or does not answer", async () => {
  for (const answers of [true, false]) {
    const pair = channelPair();
    const { sender } = pair.channels;
    const told = Promise.withResolvers<void>();
    let isBurnt = false;
    const slow: Channel = {
      ...sender,
      async write(message) {
        isBurnt ||= message.type === "burn";
        await sender.write(message);
      },
      async read() {
        if (isBurnt) await told.promise;
        return await sender.read();
      },
    };
    const channels = { ...pair.channels, sender: slow };
    const clock = new FakeClock();
    let isOver = false;
    const both = exchange({ ...pair, channels }, {
      sender: { clock },
      receiver: { code: { slot: 7, phrase: "tiger-melon" } },
    }).finally(() => isOver = true);
    while (!isBurnt) await clock.advance(0);
    await clock.advance(500);
    assertEquals(isOver, false);
    if (answers) told.resolve();
    else await clock.advance(2000);
    refused((await both).sender, "unauthorized");
    told.resolve();
  }
});

Deno.test("S9: what the helper sees has nothing of the words, and the same words look different each time", async () => {
  const views = [];
  for (let run = 0; run < 2; run++) {
    const pair = channelPair();
    await exchange(pair);
    views.push(pair.between.seen.map(({ bytes }) => bytes.toHex()).join(" "));
  }
  const [first = "", second = ""] = views;
  const text = new TextEncoder();
  for (const word of ["tiger", "lemon", "tiger-lemon"]) {
    assertEquals(first.includes(text.encode(word).toHex()), false);
  }
  // Certificates apart, which are made for one time, the two have no 8 bytes in common.
  const fixed = new RegExp("(01){32}|(02){32}", "g");
  const [a, b] = [first, second].map((view) => view.replaceAll(fixed, " "));
  const parts = new Set<string>();
  for (let at = 0; at + 16 <= (a ?? "").length; at++) {
    parts.add((a ?? "").slice(at, at + 16));
  }
  for (let at = 0; at + 16 <= (b ?? "").length; at++) {
    const part = (b ?? "").slice(at, at + 16);
    assertEquals(part.includes(" ") || !parts.has(part), true, part);
  }
});

Deno.test("S9: no guess can be tried on what was seen, the right one included", async () => {
  const nonces = {
    sender: new Uint8Array(16).fill(5),
    receiver: new Uint8Array(16).fill(6),
  };
  const pair = channelPair();
  agreed(
    (await exchange(pair, { sender: { nonces }, receiver: { nonces } })).sender,
  );
  const said = (from: string, kind: number): Uint8Array =>
    pair.between.seen.find((one) => one.from === from && one.bytes[3] === kind)
      ?.bytes.subarray(3) ?? new Uint8Array();
  const share = (from: string): Uint8Array => said(from, 1).subarray(1, 33);
  const ad = (role: number, from: string): Uint8Array =>
    Uint8Array.of(1, role, ...said(from, 1).subarray(33));
  const tag = said("sender", 2).subarray(1, 33).toHex();
  const sid = concat(nonces.sender, nonces.receiver);
  const { Point } = ristretto255;
  const [ya, yb] = [share("sender"), share("receiver")].map((bytes) =>
    Point.fromBytes(bytes)
  );
  assert(ya !== undefined && yb !== undefined);
  const phrases = [
    "tiger-lemon",
    ...WORDS.slice(0, 200).map((w) => `tiger-${w}`),
  ];
  let tried = 0;
  for (const phrase of phrases) {
    const g = generator({
      prs: new TextEncoder().encode(phrase),
      ci: concat(
        new TextEncoder().encode("sftpx rendezvous/1 code"),
        Uint8Array.of(0, 0, 0, 7),
      ),
      sid,
    });
    // All that can be made of what was seen, and of the words.
    for (
      const key of [ya, yb, g, ya.add(yb), ya.add(g), yb.add(g), Point.ZERO]
    ) {
      const isk = sha512(
        lv(new TextEncoder().encode("CPaceRistretto255_ISK")),
        lv(sid),
        lv(key.toBytes()),
        ...[
          share("sender"),
          ad(0, "sender"),
          share("receiver"),
          ad(1, "receiver"),
        ]
          .map(lv),
      );
      const guess = tagOf(
        codeKeys(isk, sid).confirm.sender,
        "confirm",
        sid,
        share("sender"),
        ad(0, "sender"),
        share("receiver"),
        ad(1, "receiver"),
      );
      assertEquals(guess.toHex() === tag, false, phrase);
      tried++;
    }
  }
  assertEquals(tried, 201 * 7);
});

Deno.test("S10: an exchange for another slot, version or certificate gives no key", async () => {
  refusedBoth(
    await exchange(channelPair(), {
      receiver: { code: { slot: 8, phrase: "tiger-lemon" } },
    }),
  );
  // The certificate is changed on the way, as by one who wants to be in between.
  const pair = channelPair();
  pair.between.change = (message, from) =>
    edit(message, (bytes) => {
      if (from === "receiver" && bytes[0] === 1) bytes[40] = 0xff;
    });
  refusedBoth(await exchange(pair));
});

Deno.test("S10: what each side says once is part of the key", async () => {
  const nonces = (fill: number) => ({
    sender: new Uint8Array(16).fill(fill),
    receiver: new Uint8Array(16).fill(9),
  });
  refusedBoth(
    await exchange(channelPair(), {
      sender: { nonces: nonces(1) },
      receiver: { nonces: nonces(2) },
    }),
  );
});

Deno.test("S10: a recorded exchange cannot be said again", async () => {
  const recorded: Message[] = [];
  const pair = channelPair();
  pair.between.change = (message, from) => {
    if (from === "receiver") recorded.push(message);
    return message;
  };
  agreed((await exchange(pair)).sender);
  // The same messages, to a sender of the same code that begins anew.
  const again = channelPair();
  again.between.change = (message, from) =>
    from === "receiver" ? recorded.shift() : message;
  refused((await exchange(again)).sender, "unauthorized");
});

Deno.test("S10: what a side said does not come back as the other's", async () => {
  // Both share and confirmation are reflected to the one who said them.
  const pair = channelPair();
  const own: Message[] = [];
  pair.between.change = (message, from) => {
    if (from === "sender") own.push(message);
    return from === "receiver" ? own.shift() : message;
  };
  refused((await exchange(pair)).sender, "unauthorized");
});

Deno.test("S10: shares that are none, or that make a key everybody knows, are refused", async () => {
  const bad = [
    new Uint8Array(32), // the neutral element
    new Uint8Array(32).fill(0xff), // not canonical
    Uint8Array.fromHex(
      "0100000000000000000000000000000000000000000000000000000000000000",
    ), // negative
  ];
  for (const share of bad) {
    const pair = channelPair();
    pair.between.change = (message, from) =>
      edit(message, (bytes) => {
        if (from === "receiver" && bytes[0] === 1) bytes.set(share, 1);
      });
    refusedBoth(await exchange(pair));
  }
});

Deno.test("S10: a confirmation that is cut, empty, longer or changed is refused", async () => {
  const changes: ((bytes: Uint8Array) => Uint8Array)[] = [
    (bytes) => bytes.subarray(0, 1),
    (bytes) => bytes.subarray(0, 17),
    (bytes) => bytes.subarray(0, 33),
    (bytes) => bytes.subarray(0, bytes.length - 1),
    (bytes) => new Uint8Array([...bytes, 0]),
    (bytes) => bytes.map((byte, at) => at === 1 ? byte ^ 1 : byte),
    (bytes) => bytes.map((byte, at) => at === 32 ? byte ^ 1 : byte),
    (bytes) => bytes.map((byte, at) => at === 40 ? byte ^ 1 : byte),
    () => new Uint8Array(),
  ];
  for (const change of changes) {
    const pair = channelPair();
    pair.between.change = (message, from) =>
      message.type === "data" && from === "receiver" && message.bytes[0] === 2
        ? { type: "data", bytes: change(message.bytes) }
        : message;
    const { sender } = await exchange(pair);
    assert(sender instanceof SftpxError, String(sender));
    assertEquals(["unauthorized", "protocol"].includes(sender.code), true);
  }
});

Deno.test("agree: a peer that leaves before it could guess has burnt nothing", async () => {
  const pair = channelPair();
  await pair.channels.receiver.close();
  const { sender } = await exchange(pair);
  assertEquals(sender, undefined);
});

Deno.test("agree: a peer that leaves with our confirmation has had its guess", async () => {
  const pair = channelPair();
  pair.between.change = (message, from) =>
    from === "receiver" && message.type === "data" && message.bytes[0] === 2
      ? undefined
      : message;
  const { sender } = await exchange(pair);
  refused(sender, "unauthorized");
});

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** All lengths here are under 128. */
function lv(bytes: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(bytes.length), bytes);
}

function sha512(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(createHash("sha512").update(concat(...parts)).digest());
}

function edit(
  message: Message,
  change: (bytes: Uint8Array) => void,
): Message {
  if (message.type !== "data") return message;
  const bytes = message.bytes.slice();
  change(bytes);
  return { type: "data", bytes };
}

function agreed(said: Said): Agreement {
  if (said === undefined || said instanceof Error) {
    throw said ?? new Error("nothing was agreed on");
  }
  return said;
}

function refused(said: Said, code: string): void {
  assert(said instanceof SftpxError, `it was agreed: ${Deno.inspect(said)}`);
  assertEquals(said.code, code);
}

function refusedBoth(said: Readonly<Record<string, Said>>): void {
  for (const one of Object.values(said)) refused(one, "unauthorized");
}
