import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../core/clock.ts";
import { nullLog } from "../../core/log.ts";
import { createMetrics } from "../../core/metrics.ts";
import { systemRandomBytes } from "../../crypto/random.ts";
import {
  DEFAULT_RELAY_LIMITS,
  relayBudget,
} from "../../rendezvous/relay_budget.ts";
import { relayClient } from "../../rendezvous/relay_client.ts";
import {
  relayHost,
  type RelayHostOptions,
} from "../../rendezvous/relay_host.ts";
import { relayUdp } from "../../rendezvous/relay_udp.ts";
import { readExactly } from "../../rendezvous/tcp_splice.ts";
import type {
  Candidate,
  RelayContext,
  RelayGrant,
  RelayHost,
  Role,
} from "../../rendezvous/types.ts";
import type { HostPort } from "../../transport/address.ts";
import { quicDialer } from "../../transport/quic.ts";
import { tlsDialer, tlsListener } from "../../transport/tls.ts";
import { ALPN, CERTIFICATE, quicSides } from "../loopback/quic_pair.ts";
import { within } from "../testutil/deadline.ts";
import { FakeClock, settle } from "../testutil/fake_clock.ts";
import { fakeUdp } from "./fake_udp.ts";

const ONE: HostPort = { hostname: "198.51.100.2", port: 4000 };
const TWO: HostPort = { hostname: "198.51.100.6", port: 5000 };
const FACING_ONE: HostPort = { hostname: "203.0.113.10", port: 7001 };
const FACING_TWO: HostPort = { hostname: "203.0.113.10", port: 7002 };

/** What QUIC begins with. */
function initial(mark: number): Uint8Array {
  const bytes = new Uint8Array(1200).fill(mark);
  bytes.set([0xc3, 0, 0, 0, 1]);
  return bytes;
}

/** A relay of two sides in memory. */
function relayed(limits: Partial<typeof DEFAULT_RELAY_LIMITS> = {}) {
  const [net, clock, stop] = [
    fakeUdp(),
    new FakeClock(),
    new AbortController(),
  ];
  const budget = relayBudget(
    { ...DEFAULT_RELAY_LIMITS, ...limits },
    clock,
    stop.signal,
  );
  const sockets = [net.open(FACING_ONE), net.open(FACING_TWO)] as const;
  const counts = { passed: 0, dropped: 0 };
  const done = relayUdp({
    sockets,
    hosts: [ONE.hostname, TWO.hostname],
    budget,
    clock,
    onPassed: () => counts.passed++,
    onDropped: () => counts.dropped++,
  });
  const close = async (): Promise<void> => {
    stop.abort();
    for (const socket of sockets) socket.close();
    await done;
    assertEquals(clock.pending, 0);
  };
  return { net, clock, budget, counts, close, done };
}

Deno.test("relay: what one peer sends comes to the other, and nothing to who has sent nothing", async () => {
  const { net, counts, close } = relayed();
  const [one, two] = [net.open(ONE), net.open(TWO)];
  await one.send(initial(1), FACING_ONE); // the other is not there: dropped, not kept
  await settle();
  await two.send(initial(2), FACING_TWO);
  const first = await one.receive();
  assertEquals([first?.bytes[9], first?.from], [2, FACING_ONE]);
  await one.send(Uint8Array.of(0x40, 7), FACING_ONE);
  const second = await two.receive();
  assertEquals(second, { bytes: Uint8Array.of(0x40, 7), from: FACING_TWO });
  await settle();
  assertEquals(counts, { passed: 2, dropped: 1 });
  await close();
});

Deno.test("relay: a stranger, and one who does not begin as QUIC does, get and give nothing", async () => {
  const { net, counts, close } = relayed();
  const two = net.open(TWO);
  await two.send(initial(2), FACING_TWO);
  const stranger = { hostname: "192.0.2.66", port: 4000 };
  await net.open(stranger).send(initial(1), FACING_ONE);
  const one = net.open(ONE);
  await one.send(new Uint8Array(1200), FACING_ONE);
  await one.send(initial(1).subarray(0, 1199), FACING_ONE);
  await two.send(Uint8Array.of(0x40), FACING_TWO); // nobody to send it to
  await settle();
  assertEquals(counts, { passed: 0, dropped: 5 });
  const out = net.sent.filter(({ port }) => port !== 7001 && port !== 7002);
  assertEquals(out, []);
  await close();
});

Deno.test("relay: a side that was silent may come from another port, one that speaks keeps its place", async () => {
  const { net, clock, close } = relayed();
  const [one, two] = [net.open(ONE), net.open(TWO)];
  await two.send(initial(2), FACING_TWO);
  await one.send(initial(1), FACING_ONE);
  await two.receive();
  const moved = net.open({ ...ONE, port: 4999 });
  await moved.send(Uint8Array.of(0x41), FACING_ONE);
  await two.send(Uint8Array.of(0x42), FACING_TWO);
  assertEquals((await one.receive())?.bytes, Uint8Array.of(0x42));
  await clock.advance(2001);
  await moved.send(Uint8Array.of(0x43), FACING_ONE);
  assertEquals((await two.receive())?.bytes, Uint8Array.of(0x43));
  await two.send(Uint8Array.of(0x44), FACING_TWO);
  assertEquals((await moved.receive())?.bytes, Uint8Array.of(0x44));
  await close();
});

Deno.test("relay: what is over the rate is dropped, and each way has its own", async () => {
  const { net, clock, counts, close } = relayed({ bytesPerSecond: 12_000 });
  const [one, two] = [net.open(ONE), net.open(TWO)];
  await two.send(initial(2), FACING_TWO);
  await one.send(initial(1), FACING_ONE);
  await settle();
  for (let i = 0; i < 100; i++) await one.send(initial(1), FACING_ONE);
  await settle();
  const burst = counts.passed;
  assert(burst >= 2 && burst <= 4, `${burst}`); // 3000 bytes may go at once
  await two.send(initial(2), FACING_TWO);
  await settle();
  assertEquals(counts.passed, burst + 1);
  await clock.advance(1000);
  for (let i = 0; i < 100; i++) await one.send(initial(1), FACING_ONE);
  await settle();
  assert(counts.passed - burst - 1 <= 13, `${counts.passed - burst}`);
  await close();
});

Deno.test("relay: a pair ends when it is idle, and when its volume is used up", async () => {
  const idle = relayed({ idleMs: 1000 });
  let why = "";
  idle.budget.ended.then((end) => why = end);
  await idle.clock.advance(999);
  assertEquals(why, "");
  await idle.clock.advance(1);
  assertEquals(why, "idle");
  await idle.close();

  const full = relayed({ maxBytes: 3000 });
  const [one, two] = [full.net.open(ONE), full.net.open(TWO)];
  await two.send(initial(2), FACING_TWO);
  await one.send(initial(1), FACING_ONE);
  for (let i = 0; i < 3; i++) await one.send(initial(1), FACING_ONE);
  assertEquals(await full.budget.ended, "used up");
  assertEquals(full.counts.passed, 2);
  await full.close();
});

/** A helper's relay on loopback, and what two peers get of it. */
async function onLoopback(options: Partial<RelayHostOptions> = {}) {
  const metrics = createMetrics();
  const host: RelayHost = relayHost({ hostname: "127.0.0.1", ...options }, {
    clock: systemClock,
    log: nullLog,
    metrics,
    randomBytes: systemRandomBytes,
  });
  const stop = new AbortController();
  const side = { remote: "127.0.0.1:5", carrier: "quic" } as const;
  const grants = await host.open({ sender: side, receiver: side }, stop.signal);
  assert(grants !== undefined);
  const targets = (role: Role, grant: RelayGrant, tcpPort?: number) => {
    const context: RelayContext = {
      helper: "127.0.0.1",
      role,
      endpoints: [],
      tcpPort,
      clock: systemClock,
      log: nullLog,
      randomBytes: systemRandomBytes,
    };
    return Array.fromAsync<Candidate>(
      relayClient().targets(grant, context, stop.signal),
    );
  };
  return { host, metrics, grants, targets, stop };
}

Deno.test("relay: QUIC goes through it, end to end", async () => {
  const { host, metrics, grants, targets, stop } = await onLoopback();
  const sides = quicSides();
  const [receiving] = await targets("receiver", grants.receiver);
  const [sending] = await targets("sender", grants.sender);
  assert(receiving && sending && sending.kind === "relay");
  const signal = new AbortController();
  // The receiver speaks first, so that the relay knows where it is.
  const opening = quicDialer({
    endpoint: sides.server,
    ...receiving,
    fingerprint: CERTIFICATE.fingerprint,
    alpn: ALPN,
  }).dial(signal.signal);
  opening.catch(() => {});
  const dialing = sides.dialerWith(sending).dial(signal.signal);
  const far = await within(20_000, "the receiver", sides.listener.accept());
  const near = await within(20_000, "the sender", dialing);
  assert(far !== undefined);
  const stream = await near.openUni();
  await stream.write(new TextEncoder().encode("through the relay"));
  await stream.end();
  const came = await far.acceptUni();
  const text = await came?.readFully(new Uint8Array(17));
  assertEquals(new TextDecoder().decode(text), "through the relay");
  assert((metrics.snapshot().sftpx_relay_bytes_total ?? 0) > 2400);
  assertEquals(metrics.snapshot().sftpx_relay_pairs, 1);
  signal.abort();
  near.close();
  stop.abort();
  await sides.stop();
  await settle();
  assertEquals(metrics.snapshot().sftpx_relay_pairs, 0);
  host.close();
});

Deno.test("relay: TLS over TCP goes through it, end to end, over as many connections as it has", async () => {
  const { host, metrics, grants, targets, stop } = await onLoopback();
  const listener = tlsListener({
    hostname: "127.0.0.1",
    port: 0,
    cert: CERTIFICATE.cert,
    key: CERTIFICATE.key,
    alpn: ALPN,
  });
  const port = Number(listener.address.split(":").at(-1));
  const receiving = await targets("receiver", grants.receiver, port);
  const sending = await targets("sender", grants.sender);
  assertEquals(receiving.map(({ carrier }) => carrier), ["quic"]);
  const target = sending.find(({ carrier }) => carrier === "tcp");
  assert(target !== undefined);
  const near = await within(
    20_000,
    "the sender",
    tlsDialer({
      randomBytes: systemRandomBytes,
      hostname: target.hostname,
      port: target.port,
      fingerprint: CERTIFICATE.fingerprint,
      alpn: ALPN,
    }).dial(stop.signal),
  );
  const far = await within(20_000, "the receiver", listener.accept());
  assert(far !== undefined);
  for (let i = 0; i < 6; i++) {
    const stream = await near.openUni();
    await stream.write(new Uint8Array(300_000).fill(i));
    await stream.end();
    const came = await far.acceptUni();
    const all = await came?.readFully(new Uint8Array(300_001));
    assertEquals([all?.length, all?.at(-1)], [300_000, i]);
  }
  assert((metrics.snapshot().sftpx_relay_bytes_total ?? 0) > 1_800_000);
  near.close();
  listener.close();
  stop.abort();
  host.close();
  await systemClock.delay(50);
});

Deno.test("relay: no cookie, no connection; a full relay says so", async () => {
  const { host, grants, stop } = await onLoopback({ maxPairs: 1 });
  const side = { remote: "127.0.0.1:5", carrier: "quic" } as const;
  const more = await host.open({ sender: side, receiver: side }, stop.signal);
  assertEquals(more, undefined);
  const port = grants.sender.tcpPort ?? 0;
  const ends = async (first: Uint8Array): Promise<unknown> => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(first);
    return await within(20_000, "the end", readExactly(conn, 1));
  };
  assertEquals(await ends(new Uint8Array(16)), undefined);
  const wrong = grants.sender.cookie.slice();
  wrong[15] = (wrong[15] ?? 0) ^ 1;
  assertEquals(await ends(wrong), undefined);
  stop.abort();
  assertEquals(await ends(grants.receiver.cookie), undefined);
  host.close();
  await settle();
});
