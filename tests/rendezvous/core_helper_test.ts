import { assert, assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { systemClock } from "../../core/clock.ts";
import { systemRandomBytes as random } from "../../crypto/random.ts";
import { offerCode, takeCode } from "../../rendezvous/by_code.ts";
import { createChannel } from "../../rendezvous/channel.ts";
import type { HelperClient } from "../../rendezvous/client.ts";
import type { Code } from "../../rendezvous/code.ts";
import { encodeMessage, type Message } from "../../rendezvous/messages.ts";
import { within } from "../testutil/deadline.ts";
import { FakeClock, settle } from "../testutil/fake_clock.ts";
import { type Lab, startLab } from "./core_kit.ts";

function withDeadline<T>(promise: Promise<T>, ms: number): Promise<T> {
  return within(ms, "the helper", promise);
}

const NEVER = new AbortController().signal;
const nonce = new Uint8Array(16).fill(1);

function common(helper: HelperClient) {
  return {
    helper,
    fingerprint: new Uint8Array(32),
    identity: new Uint8Array(32),
    clock: systemClock,
    random,
  };
}

/** Two that meet by a code. */
async function meet(lab: Lab, hostname = "192.0.2.1"): Promise<void> {
  const [s, r] = [lab.client(hostname), lab.client(hostname)];
  const code = Promise.withResolvers<Code>();
  const [a, b] = await Promise.all([
    offerCode({ ...common(s), onCode: code.resolve }, NEVER),
    code.promise.then((code) => takeCode(code, common(r), NEVER)),
  ]);
  assertEquals(a.keys.id.toHex(), b.keys.id.toHex());
  s.close();
  r.close();
}

Deno.test("helper: tells each its address, and brings two together", async () => {
  const lab = startLab();
  const [s, r] = [lab.client("192.0.2.1"), lab.client("198.51.100.2")];
  const waiting = await s.allocate(nonce, NEVER);
  assert(waiting.observed.startsWith("192.0.2.1:"));
  const other = await r.claim("receiver", waiting.slot, nonce, NEVER);
  assert(other.observed.startsWith("198.51.100.2:"));
  await Promise.all([waiting.met(), other.met()]);
  await waiting.channel.write({ type: "data", bytes: Uint8Array.of(1) });
  assertEquals(await other.channel.read(), {
    type: "data",
    bytes: Uint8Array.of(1),
  });
  await lab.stop();
});

Deno.test("helper: whoever comes first waits for the other", async () => {
  const lab = startLab();
  const own = { slot: 4711, phrase: "grandmas-teacup" };
  const taken = takeCode(own, common(lab.client()), NEVER);
  await settle();
  const offered = offerCode(
    { ...common(lab.client()), own, onCode: () => {} },
    NEVER,
  );
  const [a, b] = await Promise.all([offered, taken]);
  assertEquals(a.token.reveal(), b.token.reveal());
  await lab.stop();
});

Deno.test("S11: a wrong guess burns the code for the one who has the right words, too", async () => {
  const lab = startLab();
  const code = Promise.withResolvers<Code>();
  const offered = offerCode(
    { ...common(lab.client()), onCode: code.resolve },
    NEVER,
  );
  const failed = assertRejects(() => offered, SftpxError, "burnt");
  const { slot, phrase } = await code.promise;
  const guess = { slot, phrase: "wrong-words" };
  await assertRejects(
    () => takeCode(guess, common(lab.client("198.51.100.9")), NEVER),
    SftpxError,
    "burnt",
  );
  assertEquals((await failed).code, "unauthorized");
  await assertRejects(
    () => takeCode({ slot, phrase }, common(lab.client()), NEVER),
    SftpxError,
    "burnt",
  );
  assertEquals(lab.metrics.snapshot()["sftpx_helper_burnt_total"], 1);
  await lab.stop();
});

Deno.test("S11: one address gets 12 wrong guesses an hour, and others are served", async () => {
  const lab = startLab({ requestsPerMinute: 1000 });
  let burnt = 0;
  for (let i = 0; i < 20; i++) {
    const code = Promise.withResolvers<Code>();
    const over = new AbortController();
    const offered = offerCode(
      { ...common(lab.client()), onCode: code.resolve },
      over.signal,
    );
    offered.catch(() => {});
    const { slot } = await code.promise;
    const guess = { slot, phrase: "wrong-words" };
    const error = await assertRejects(
      () => takeCode(guess, common(lab.client("198.51.100.9")), NEVER),
      SftpxError,
    );
    if (error.code === "unauthorized") burnt++;
    else assertEquals(error.code, "peer-busy");
    over.abort();
  }
  assertEquals(burnt, 12);
  await meet(lab);
  await lab.stop();
});

Deno.test("helper: a code is good for one pairing", async () => {
  const lab = startLab();
  const own = { slot: 12, phrase: "grandmas-teacup" };
  const offer = () =>
    offerCode({ ...common(lab.client()), own, onCode: () => {} }, NEVER);
  await Promise.all([offer(), takeCode(own, common(lab.client()), NEVER)]);
  await settle();
  const error = await assertRejects(
    () => takeCode(own, common(lab.client()), NEVER),
    SftpxError,
    "used",
  );
  assertEquals(error.code, "unauthorized");
  await lab.stop();
});

Deno.test("helper: somebody who comes and leaves without a guess burns nothing", async () => {
  const lab = startLab();
  const code = Promise.withResolvers<Code>();
  const offered = offerCode(
    { ...common(lab.client()), onCode: code.resolve },
    NEVER,
  );
  const { slot, phrase } = await code.promise;
  const scan = await lab.client("198.51.100.9")
    .claim("receiver", slot, nonce, NEVER);
  await scan.met();
  await scan.channel.close();
  // The slot is free again once both sides of that have ended.
  const taken = takeCode({ slot, phrase }, common(lab.client()), NEVER);
  const [a, b] = await withDeadline(Promise.all([offered, taken]), 20_000);
  assertEquals(a.token.reveal(), b.token.reveal());
  await lab.stop();
});

Deno.test("helper: a code is waited for as long as is allowed", async () => {
  const clock = new FakeClock();
  const lab = startLab({ rooms: { waitMs: 60_000 } }, clock);
  const waiting = await lab.client().allocate(nonce, NEVER);
  const met = waiting.met();
  met.catch(() => {});
  await clock.advance(59_000);
  await clock.advance(6000);
  const error = await assertRejects(() => met, SftpxError, "in time");
  assertEquals(error.code, "unreachable");
  const stopped = lab.stop();
  await clock.advance(5000);
  await stopped;
});

Deno.test("helper: who stops it is told to who waits, at once", async () => {
  const lab = startLab();
  const waiting = await lab.client().allocate(nonce, NEVER);
  const met = assertRejects(() => waiting.met(), SftpxError, "stops");
  await lab.stop();
  await met;
});

Deno.test("helper: what breaks the rules ends the connection, and others are served", async () => {
  const lab = startLab({ maxConnectionsPerAddress: 1000 });
  const bad: Uint8Array[] = [
    Uint8Array.of(0xff, 0xff, 6), // a body of 64 KiB
    Uint8Array.of(0, 0, 99), // no such type
    encodeMessage({ type: "burn" }), // out of turn
    encodeMessage({ type: "waiting", slot: 1, observed: "" }),
    encodeMessage({ type: "data", bytes: new Uint8Array(1400) }),
    Uint8Array.of(0, 17, 1, 2, ...nonce), // another version
  ];
  for (const bytes of bad) {
    const conn = await lab.stranger();
    const { send } = await conn.openBidi();
    await send.write(bytes);
    const info = await withDeadline(conn.closed, 20_000);
    assertEquals(info.code, "protocol");
  }
  // What is said while there is nothing to say.
  const conn = await lab.stranger();
  const channel = createChannel(await conn.openBidi());
  await channel.write({ type: "allocate", nonce });
  await channel.read();
  await channel.write({ type: "data", bytes: Uint8Array.of(1) });
  assertEquals((await withDeadline(conn.closed, 20_000)).code, "protocol");
  await meet(lab);
  await lab.stop();
});

Deno.test("helper: one who talks too much is cut off, and its peer is told", async () => {
  const lab = startLab();
  const a = await lab.client().claim("sender", 5, nonce, NEVER);
  const b = await lab.client().claim("receiver", 5, nonce, NEVER);
  await Promise.all([a.met(), b.met()]);
  const flood = async (): Promise<void> => {
    for (let i = 0; i < 100; i++) {
      await a.channel.write({ type: "data", bytes: new Uint8Array(1400) });
    }
  };
  flood().catch(() => {}); // it is cut off
  let bytes = 0;
  for (;;) {
    const message: Message | undefined = await b.channel.read();
    if (message?.type !== "data") {
      assertEquals(message, { type: "end", reason: "excess" });
      break;
    }
    bytes += message.bytes.length;
  }
  assert(bytes <= 32 * 1024, String(bytes));
  await lab.stop();
});

Deno.test("helper: those who say nothing hold nothing for long", async () => {
  const clock = new FakeClock();
  const lab = startLab({ maxConnectionsPerAddress: 1000 }, clock);
  const conns = [];
  for (let i = 0; i < 300; i++) {
    const conn = await lab.stranger();
    const { send } = await conn.openBidi();
    await send.write(Uint8Array.of(0)); // and not a byte more
    conns.push(conn);
  }
  assertEquals(lab.metrics.snapshot()["sftpx_helper_connections"], 300);
  for (let i = 0; i < 15; i++) await clock.advance(5000);
  await Promise.all(conns.map((conn) => withDeadline(conn.closed, 20_000)));
  await settle();
  assertEquals(lab.metrics.snapshot()["sftpx_helper_connections"], 0);
  const stopped = lab.stop();
  await clock.advance(5000);
  await stopped;
});

Deno.test("helper: a flood from one address leaves room for others", async () => {
  const lab = startLab({ rooms: { maxPerAddress: 16 } });
  const refusals: string[] = [];
  const flood = [];
  for (let i = 0; i < 100; i++) {
    const client = lab.client("198.51.100.9");
    flood.push(client);
    await client.allocate(nonce, NEVER).catch((error) =>
      refusals.push(error.code)
    );
  }
  assertEquals(lab.metrics.snapshot()["sftpx_helper_waiting"], 16);
  assertEquals(refusals.length, 84);
  assertEquals(new Set(refusals), new Set(["peer-busy"]));
  for (let i = 0; i < 20; i++) await meet(lab, `192.0.2.${i}`);
  await lab.stop();
});

Deno.test("helper: connections of one address are counted", async () => {
  const lab = startLab({ maxConnectionsPerAddress: 8 });
  const conns = [];
  for (let i = 0; i < 20; i++) conns.push(await lab.stranger());
  await settle();
  const ended = await Promise.all(
    conns.map((conn) =>
      Promise.race([conn.closed.then(({ code }) => code), settle()])
    ),
  );
  assertEquals(ended.filter((code) => code === "peer-busy").length, 12);
  conns[0]?.close();
  await settle();
  await meet(lab);
  await lab.stop();
});

Deno.test("helper: thousands wait, each of whom is found", async () => {
  const lab = startLab({
    requestsPerMinute: 1e6,
    rooms: { maxPerAddress: 1e6 },
    maxConnectionsPerAddress: 1e6,
  });
  const before = Deno.memoryUsage().heapUsed;
  const waiting = [];
  for (let i = 0; i < 3000; i++) {
    const client = lab.client(`10.${i >> 8}.${i & 255}.1`);
    waiting.push(await client.allocate(nonce, NEVER));
  }
  const each = (Deno.memoryUsage().heapUsed - before) / waiting.length;
  assertEquals(lab.metrics.snapshot()["sftpx_helper_waiting"], 3000);
  assert(each < 64 * 1024, `${each} bytes a peer, both ends`);
  const slots = new Set(waiting.map(({ slot }) => slot));
  assertEquals(slots.size, 3000);
  for (const each of [waiting[0], waiting[1500], waiting[2999]]) {
    assert(each !== undefined);
    const other = await lab.client().claim("receiver", each.slot, nonce, NEVER);
    await withDeadline(Promise.all([each.met(), other.met()]), 20_000);
  }
  await lab.stop();
});

Deno.test("helper: a host is called for each sender, many at once", async () => {
  const lab = startLab();
  const id = random(16);
  const calls: Uint8Array[] = [];
  const over = new AbortController();
  const there = Promise.withResolvers<string>();
  const hosting = lab.client("192.0.2.1").host(
    id,
    ({ channel, nonce }) => {
      calls.push(nonce);
      channel.write({ type: "accept", nonce: new Uint8Array(16).fill(7) });
    },
    there.resolve,
    over.signal,
  );
  hosting.catch(() => {});
  assert((await there.promise).startsWith("192.0.2.1:"));
  const senders = await Promise.all(
    Array.from({ length: 5 }, async (_, i) => {
      const mine = new Uint8Array(16).fill(i);
      const waiting = await lab.client().join(id, mine, NEVER);
      return await withDeadline(waiting.met(), 20_000);
    }),
  );
  assertEquals(senders, senders.map(() => new Uint8Array(16).fill(7)));
  assertEquals(
    calls.map(([first]) => first).toSorted(),
    [0, 1, 2, 3, 4],
  );
  over.abort();
  await lab.stop();
});
