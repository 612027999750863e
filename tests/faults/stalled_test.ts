/**
 * One connection of several goes dark in the middle: what it had goes over the
 * others within 2 s, and the transfer ends well while it stays dark.
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import type { PeerDialers } from "../../actors/options.ts";
import { systemClock } from "../../core/clock.ts";
import { endpointPool, quicDialer } from "../../transport/quic.ts";
import type { Dialer } from "../../transport/transport.ts";
import { within } from "../testutil/deadline.ts";
import { type FaultProxy, faultProxy } from "../testutil/fault_proxy.ts";
import { makeTree, sameTree } from "../testutil/tree.ts";
import { MIB } from "./kit.ts";
import { type Library, library } from "./library.ts";
import { note } from "./line.ts";
import {
  bentSide,
  growBy,
  growTo,
  type KeptLog,
  keptLog,
  portOf,
  portsIn,
} from "./side.ts";

const SIZE = 40 * MIB;
/** A file at this rate takes five seconds. */
const RATE = 8 * MIB;
/** What eight lanes have under way, and what waits for its turn. */
const UNDER_WAY = 2 * 8 * MIB;
/** Looks are this far apart when the machine has time, ms. */
const LOOK_MS = 250;

/** Lets nothing through any more once some of the file has gone that way. */
async function goDark(proxy: FaultProxy): Promise<number> {
  for (let looks = 0;; looks++) {
    const { up } = await proxy.counters();
    if (up.bytes > 2 * MIB) break;
    assert(looks < 1500, `only ${up.bytes} bytes went that way in 30 s`);
    await systemClock.delay(20);
  }
  await proxy.set("both", { blackhole: true });
  return systemClock.now();
}

/** Two ways to a receiver, of which one can go dark; the first dial goes by `first`, all others by the other. */
async function twoWays(lib: Library, first: "straight" | "bent") {
  const target = { hostname: "127.0.0.1", port: portOf(lib) };
  const proxy = await faultProxy({ target, keep: 0 });
  const endpoints = endpointPool();
  const dialer = (port: number): Dialer =>
    quicDialer({
      endpoint: endpoints,
      hostname: "127.0.0.1",
      port,
      fingerprint: lib.receiver.fingerprint,
      alpn: "sftpx/1",
    });
  const [straight, bent] = [dialer(target.port), dialer(proxy.port)];
  let dials = 0;
  const cubic: Dialer = {
    dial(signal) {
      const isStraight = (dials++ === 0) === (first === "straight");
      return (isStraight ? straight : bent).dial(signal);
    },
  };
  const dialers: PeerDialers = { cubic, bbr: cubic };
  return { proxy, endpoints, dialers, dials: () => dials };
}

/** Makes sure that the sender took note in time, by its own clock. */
async function checkStalled(here: KeptLog, darkAt: number): Promise<void> {
  const [stalled] = await within(
    30_000,
    "word of it",
    here.waitFor("connection.stalled"),
  );
  const { connection, stillMs, sinceLookMs } = stalled?.fields ?? {};
  assertEquals(connection, 1);
  // It is found at the first look after its time; a busy machine looks late.
  const late = Math.max(0, Number(sinceLookMs) - LOOK_MS);
  assertLess(Number(stillMs) - late, 2000);
  note(
    `dark for ${Math.round(systemClock.now() - darkAt)} ms, and nothing for ${
      String(stillMs)
    } ms, when what it had was given to others`,
  );
}

Deno.test("what a connection had that goes dark goes over the other within 2 s", async () => {
  await using lib = await library();
  await makeTree(`${lib.dir}/src`, { big: SIZE });
  const { proxy, endpoints, dialers, dials } = await twoWays(lib, "straight");
  const here = keptLog();
  const events: string[] = [];
  const sending = lib.send("src", {
    dialers,
    connections: 2,
    limitRate: RATE,
    log: here,
    inside: { endpoints, growth: growBy(1) },
    onEvent: ({ type }) => events.push(type),
  });
  await checkStalled(here, await goDark(proxy));
  const { totals } = await within(60_000, "the transfer", sending);
  await proxy.close();
  assertEquals(await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`), []);
  assertEquals(dials(), 2);
  assert(!events.includes("reconnecting"), "the first was never lost");
  const twice = totals.sent - totals.bytes;
  assert(twice > 0 && twice <= UNDER_WAY, `${twice} bytes went twice`);
});

Deno.test("what the first connection had that goes dark is sent again within 2 s, over another that takes its place", async () => {
  await using lib = await library();
  await makeTree(`${lib.dir}/src`, { big: SIZE });
  const { proxy, endpoints, dialers } = await twoWays(lib, "bent");
  const here = keptLog();
  const sending = lib.send("src", {
    dialers,
    connections: 2,
    limitRate: RATE,
    log: here,
    inside: { endpoints, growth: growBy(1) },
  });
  const darkAt = await goDark(proxy);
  const [silent] = await within(
    30_000,
    "word of it",
    here.waitFor("connection.silent"),
  );
  const { silentMs, sinceLookMs } = silent?.fields ?? {};
  const late = Math.max(0, Number(sinceLookMs) - LOOK_MS);
  assertLess(Number(silentMs) - late, 2000);
  note(
    `another ${Math.round(systemClock.now() - darkAt)} ms after it was dark`,
  );
  const { totals } = await within(60_000, "the transfer", sending);
  await proxy.close();
  assertEquals(await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`), []);
  const twice = totals.sent - totals.bytes;
  assert(twice > 0 && twice <= 2 * UNDER_WAY, `${twice} bytes went twice`);
});

Deno.test("a connection that goes dark while it holds all of the receiver's memory gives it back", async () => {
  await using dark = await bentSide({ roomBytes: MIB });
  const { lib, here } = dark;
  await makeTree(`${lib.dir}/src`, { big: SIZE });
  const sending = lib.send("src", {
    connections: 2,
    limitRate: RATE,
    log: here,
    inside: { growth: growBy(1) },
  });
  const proxy = await dark.proxy();
  // So slow that it is within a frame for sure, and has the only room for one.
  await proxy.set("up", { bytesPerSecond: MIB, queueBytes: 64 * MIB });
  const darkAt = await goDark(proxy);
  // QUIC would call it lost after 30 s.
  const { totals } = await within(25_000, "the transfer", sending);
  note(`done ${Math.round(systemClock.now() - darkAt)} ms after it was dark`);
  assertEquals(await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`), []);
  assert(totals.sent > totals.bytes);
  assert(here.named("connection.stalled").length > 0);
});

Deno.test("when a side port goes dark what it had goes by the first port, and so does who comes next", async () => {
  await using dark = await bentSide();
  const { lib, here } = dark;
  await makeTree(`${lib.dir}/src`, { big: SIZE + 40 * MIB });
  const events: string[] = [];
  const sending = lib.send("src", {
    connections: 2,
    limitRate: RATE,
    log: here,
    inside: { growth: growTo() },
    onEvent: ({ type }) => events.push(type),
  });
  const proxy = await dark.proxy();
  await checkStalled(here, await goDark(proxy));
  // Another connection takes its place, and must not wait there for long.
  await within(30_000, "a try", here.waitFor("side-port.unreachable"));
  const { totals } = await within(60_000, "the transfer", sending);
  assertEquals(await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`), []);
  assertEquals(portsIn(here, "side-port.unreachable"), [proxy.port]);
  assert(!events.includes("reconnecting"), "the first was never lost");
  const twice = totals.sent - totals.bytes;
  assert(twice > 0 && twice <= UNDER_WAY, `${twice} bytes went twice`);
});
