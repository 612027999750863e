import { assert, assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { createMetrics } from "../../core/metrics.ts";
import { perAddress } from "../../rendezvous/per_address.ts";
import { decodeStun, encodeStun, STUN } from "../../rendezvous/stun.ts";
import {
  canPunch,
  type NatBehavior,
  natBehavior,
} from "../../rendezvous/stun_behavior.ts";
import { stunClient } from "../../rendezvous/stun_client.ts";
import { stunServer } from "../../rendezvous/stun_server.ts";
import { bindDatagrams } from "../../rendezvous/stun_socket.ts";
import { systemRandomBytes } from "../../crypto/random.ts";
import { within } from "../testutil/deadline.ts";
import { FakeClock } from "../testutil/fake_clock.ts";
import { type Apart, fakeUdp } from "./fake_udp.ts";

const SERVER = { hostname: "203.0.113.10", port: 3478 };
const OTHER = { hostname: "203.0.113.11", port: 3479 };
const AT = { hostname: "192.168.1.10", port: 5000 };

Deno.test("STUN client: asks again, after longer and longer waits, and gives up", async () => {
  const [net, clock] = [fakeUdp(), new FakeClock()];
  const client = stunClient({ socket: net.open(AT), clock });
  const asked = client.ask(SERVER);
  asked.catch(() => {});
  const counts: number[] = [];
  for (const ms of [0, 499, 1, 1000, 2000]) {
    await clock.advance(ms);
    counts.push(net.sent.length);
  }
  assertEquals(counts, [1, 1, 2, 3, 4]);
  await clock.advance(4000);
  const error = await assertRejects(() => asked, SftpxError);
  assertEquals(error.code, "unreachable");
  assertEquals(net.sent.length, 4);
  assertEquals(clock.pending, 0);
  client.close();
});

Deno.test("STUN client: an answer after a loss is taken, from the server that was asked only", async () => {
  const [net, clock] = [fakeUdp(), new FakeClock()];
  const server = stunServer({ socket: net.open(SERVER), clock });
  const stranger = net.open(OTHER);
  const socket = net.open(AT);
  const client = stunClient({
    socket,
    clock,
    randomBytes: (n) => new Uint8Array(n).fill(7),
  });
  net.lose(1);
  const asked = client.ask(SERVER);
  await clock.advance(0);
  const forged = encodeStun({
    method: 1,
    class: "success",
    transaction: new Uint8Array(12).fill(7),
    attributes: [{
      type: STUN.mappedAddress,
      value: Uint8Array.of(0, 1, 0, 80, 6, 6, 6, 6),
    }],
  });
  await stranger.send(forged, AT);
  await stranger.send(new Uint8Array(40), AT);
  await clock.advance(500);
  const { mapped } = await within(10_000, "the answer", asked);
  assertEquals(mapped, AT);
  client.close();
  server.close();
  await server.finished;
});

Deno.test("STUN client: a signal ends a question, and closing ends all", async () => {
  const [net, clock] = [fakeUdp(), new FakeClock()];
  const client = stunClient({ socket: net.open(AT), clock });
  const stop = new AbortController();
  const first = client.ask(SERVER, { signal: stop.signal });
  const second = client.ask(SERVER);
  second.catch(() => {});
  await clock.advance(0);
  stop.abort(new Error("enough"));
  await assertRejects(() => first, Error, "enough");
  client.close();
  await assertRejects(() => second, SftpxError, "closed");
});

Deno.test("STUN server: answers on real sockets where each came from, IPv4 and IPv6", async () => {
  for (const hostname of ["127.0.0.1", "::1"]) {
    const serving = bindDatagrams({ hostname, port: 0 });
    const server = stunServer({ socket: serving });
    const socket = bindDatagrams({ hostname, port: 0 });
    const client = stunClient({ socket });
    const { mapped } = await client.ask(serving.address);
    assertEquals(mapped, socket.address);
    client.close();
    server.close();
    await server.finished;
  }
});

Deno.test("STUN server: what is no request gets no answer, what it does not know is refused", async () => {
  const net = fakeUdp();
  const metrics = createMetrics();
  const server = stunServer({
    socket: net.open(SERVER),
    clock: new FakeClock(),
    metrics,
  });
  const peer = net.open(AT);
  const message = (kind: "request" | "success", type: number, method = 1) =>
    encodeStun({
      method,
      class: kind,
      transaction: new Uint8Array(12),
      attributes: [{ type, value: new Uint8Array(4) }],
    });
  for (
    const bytes of [
      new Uint8Array(0),
      new Uint8Array(1200).fill(0xc3),
      systemRandomBytes(500),
      message("success", STUN.software), // or two servers would talk for ever
      message("request", STUN.software).subarray(0, 24),
    ]
  ) await peer.send(bytes, SERVER);
  await peer.send(message("request", 0x7001), SERVER);
  const refusal = decodeStun((await peer.receive())?.bytes ?? new Uint8Array());
  assertEquals(refusal.class, "error");
  assertEquals(
    refusal.attributes[0]?.value.subarray(2, 4),
    Uint8Array.of(4, 20),
  );
  await peer.send(message("request", STUN.changeRequest, 3), SERVER);
  const wrong = decodeStun((await peer.receive())?.bytes ?? new Uint8Array());
  assertEquals(wrong.attributes[0]?.value.subarray(2, 4), Uint8Array.of(4, 0));
  const { sftpx_stun_answers_total, sftpx_stun_dropped_total } = metrics
    .snapshot();
  assertEquals([sftpx_stun_answers_total, sftpx_stun_dropped_total], [2, 5]);
  server.close();
});

Deno.test("STUN server: an address gets its share, others theirs, and an answer is at most three times its question", async () => {
  const [net, clock] = [fakeUdp(), new FakeClock()];
  const limit = { perSecond: 2, burst: 5 };
  const server = stunServer({
    socket: net.open(SERVER),
    otherPort: net.open({ ...SERVER, port: 3479 }),
    clock,
    limit,
  });
  const [loud, quiet] = [
    net.open(AT),
    net.open({ hostname: "192.0.2.9", port: 9 }),
  ];
  const request = encodeStun({
    method: 1,
    class: "request",
    transaction: new Uint8Array(12),
    attributes: [],
  });
  for (let i = 0; i < 100; i++) await loud.send(request, SERVER);
  await quiet.send(request, SERVER);
  const { bytes = new Uint8Array(999) } = await quiet.receive() ?? {};
  assert(bytes.length <= 3 * request.length, `${bytes.length}`);
  const answers = (): number =>
    net.sent.filter(({ hostname }) => hostname === AT.hostname).length;
  assertEquals(answers(), 5);
  await clock.advance(1000);
  for (let i = 0; i < 100; i++) await loud.send(request, SERVER);
  await clock.advance(0);
  assertEquals(answers(), 7);
  server.close();
});

Deno.test("perAddress() counts an IPv6 network as one, and forgets the longest unused", async () => {
  const clock = new FakeClock();
  const limit = perAddress({ perSecond: 1, burst: 1, maxAddresses: 2 }, clock);
  assert(limit.take("2001:db8::1"));
  assert(!limit.take("2001:db8::2"));
  assert(limit.take("2001:db8:0:1::2"));
  assert(limit.take("192.0.2.1"));
  assert(!limit.take("::ffff:192.0.2.1"));
  assertEquals(limit.size, 2);
  assert(limit.take("2001:db8::1"), "forgotten");
  await clock.advance(1000);
  assert(limit.take("192.0.2.1"));
});

/** What is found out about a NAT by one of three kinds of servers. */
async function behind(
  nat: { mapping: Apart; filtering: Apart } | undefined,
  kind: "full" | "ports" | "ports and second",
): Promise<NatBehavior> {
  const [net, clock] = [fakeUdp(), new FakeClock()];
  const open = (hostname: string, port: number) => net.open({ hostname, port });
  const server = stunServer({
    socket: open(SERVER.hostname, 3478),
    otherPort: open(SERVER.hostname, 3479),
    ...(kind === "full" && {
      otherAddress: [
        open(OTHER.hostname, 3478),
        open(OTHER.hostname, 3479),
      ] as const,
    }),
    clock,
  });
  const second = { hostname: "198.51.100.99", port: 3478 };
  const other = stunServer({ socket: net.open(second), clock });
  const client = stunClient({
    socket: nat === undefined
      ? net.open(AT)
      : net.behindNat(AT, "198.51.100.2", nat),
    clock,
  });
  const found = natBehavior({
    client,
    server: SERVER,
    own: [AT.hostname],
    ...(kind === "ports and second" && { second }),
  });
  for (let i = 0; i < 40; i++) await clock.advance(300);
  try {
    return await within(10_000, "the NAT's behavior", found);
  } finally {
    client.close();
    server.close();
    other.close();
  }
}

Deno.test("natBehavior(): a server with two addresses tells all nine kinds of NAT apart", async () => {
  const names = {
    none: "endpoint-independent",
    address: "address-dependent",
    port: "address-and-port-dependent",
  } as const;
  for (const mapping of ["none", "address", "port"] as const) {
    for (const filtering of ["none", "address", "port"] as const) {
      const found = await behind({ mapping, filtering }, "full");
      assertEquals(
        [found.isNat, found.mapping, found.filtering],
        [true, names[mapping], names[filtering]],
        `${mapping} ${filtering}`,
      );
    }
  }
});

Deno.test("natBehavior(): a server with two ports tells what ports do, and a second one what addresses do", async () => {
  const one = await behind({ mapping: "none", filtering: "address" }, "ports");
  assertEquals([one.mapping, one.filtering], [
    "port-independent",
    "port-independent",
  ]);
  const two = await behind(
    { mapping: "none", filtering: "port" },
    "ports and second",
  );
  assertEquals([two.mapping, two.filtering], [
    "endpoint-independent",
    "address-and-port-dependent",
  ]);
  const three = await behind(
    { mapping: "address", filtering: "port" },
    "ports and second",
  );
  assertEquals(three.mapping, "address-dependent");
  const four = await behind({ mapping: "port", filtering: "port" }, "ports");
  assertEquals(four.mapping, "address-and-port-dependent");
});

Deno.test("natBehavior(): without a NAT it says so", async () => {
  const found = await behind(undefined, "full");
  assertEquals(found, {
    mapped: AT,
    isNat: false,
    keepsPort: true,
    mapping: "endpoint-independent",
    filtering: "endpoint-independent",
  });
});

Deno.test("canPunch(): only symmetric with symmetric or port-restricted cannot", () => {
  const cone = { mapping: "endpoint-independent" } as const;
  const kinds = {
    open: { ...cone, filtering: "endpoint-independent" },
    restricted: { ...cone, filtering: "address-dependent" },
    portRestricted: { ...cone, filtering: "address-and-port-dependent" },
    symmetric: {
      mapping: "address-and-port-dependent",
      filtering: "address-and-port-dependent",
    },
  } as const;
  const cannot = Object.entries(kinds).flatMap(([a, one]) =>
    Object.entries(kinds).filter(([, two]) => !canPunch(one, two))
      .map(([b]) => `${a} ${b}`)
  );
  assertEquals(cannot, [
    "portRestricted symmetric",
    "symmetric portRestricted",
    "symmetric symmetric",
  ]);
});
