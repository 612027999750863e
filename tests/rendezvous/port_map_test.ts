import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { systemClock } from "../../core/clock.ts";
import { nullLog } from "../../core/log.ts";
import { systemRandomBytes } from "../../crypto/random.ts";
import { mapPort, type PortMapDeps } from "../../rendezvous/port_map.ts";
import {
  gatewaysOf,
  guessedGateways,
} from "../../rendezvous/port_map_gateway.ts";
import {
  decodePcp,
  decodePmp,
  decodePmpAddress,
  encodePcp,
  encodePmp,
} from "../../rendezvous/port_map_pcp.ts";
import { portMapSource } from "../../rendezvous/port_map_source.ts";
import { locationOf, serviceOf } from "../../rendezvous/port_map_upnp.ts";
import type { Candidate, GatherContext } from "../../rendezvous/types.ts";
import { createEndpoint } from "../../transport/quic.ts";
import { within } from "../testutil/deadline.ts";
import { type FakeGateway, fakeGateway } from "./fake_gateway.ts";

const NEVER = new AbortController().signal;

function depsOf(gateway: FakeGateway): PortMapDeps {
  return {
    clock: systemClock,
    log: nullLog,
    randomBytes: systemRandomBytes,
    gateways: () =>
      Promise.resolve([{ gateway: "127.0.0.1", local: "127.0.0.1" }]),
    pcpPort: gateway.pcpPort,
    upnp: { group: "127.0.0.1", port: gateway.ssdpPort },
  };
}

for (
  const [method, knows] of [
    ["pcp", { pcp: true }],
    ["nat-pmp", { natPmp: true }],
    ["upnp", { upnp: true }],
  ] as const
) {
  Deno.test(`port mapping: by ${method}, and it is taken back`, async () => {
    await using gateway = fakeGateway(knows);
    const mapping = await mapPort("udp", 4000, depsOf(gateway), NEVER);
    assertEquals(mapping?.method, method);
    assertEquals(mapping?.external, { hostname: "198.51.100.2", port: 4000 });
    assertEquals([...gateway.ports], ["udp 4000 -> 4000"]);
    await mapping?.renew(NEVER);
    assertEquals(gateway.ports.size, 1);
    await mapping?.remove();
    assertEquals(gateway.ports.size, 0);
  });
}

Deno.test("port mapping: a router that leases for ever only, and one whose port is taken, are asked again", async () => {
  await using gateway = fakeGateway({ upnp: true, refuse: [725, 718] });
  const mapping = await mapPort("tcp", 4000, depsOf(gateway), NEVER);
  assertNotEquals(mapping?.external.port, 4000);
  assertEquals(mapping?.lifetime, 0);
  assert(gateway.asked.includes("lease 0"));
  await mapping?.remove();
  assertEquals(gateway.ports.size, 0);
});

Deno.test("port mapping: a router that knows nothing costs a bounded time, and one that sends us elsewhere is not followed", async () => {
  const clock = {
    ...systemClock,
    delay: (ms: number, signal?: AbortSignal) =>
      systemClock.delay(ms / 10, signal),
  };
  await using silent = fakeGateway({});
  const none = mapPort("udp", 4000, { ...depsOf(silent), clock }, NEVER);
  assertEquals(await within(20_000, "no router", none), undefined);
  const elsewhere = { upnp: true, control: "http://127.0.0.2:1/control" };
  await using sly = fakeGateway(elsewhere);
  const asked = mapPort("udp", 4000, { ...depsOf(sly), clock }, NEVER);
  assertEquals(await within(20_000, "no router", asked), undefined);
  assertEquals([...new Set(sly.asked)], ["description"]);
});

Deno.test("port mapping: as a source it gives both carriers, and all is taken back when the transfer is over", async () => {
  await using gateway = fakeGateway({ natPmp: true });
  const endpoint = createEndpoint({ hostname: "127.0.0.1" });
  const stop = new AbortController();
  const { clock, log, randomBytes, ...more } = depsOf(gateway);
  const context: GatherContext = {
    role: "receiver",
    endpoints: [endpoint],
    tcpPort: 4443,
    clock,
    log,
    randomBytes,
  };
  const found: Candidate[] = [];
  for await (
    const candidate of portMapSource(more).gather(context, stop.signal)
  ) {
    found.push(candidate);
    if (found.length === 2) {
      assertEquals(gateway.ports.size, 2);
      stop.abort();
    }
  }
  assertEquals(found, [
    {
      kind: "mapped",
      carrier: "quic",
      hostname: "198.51.100.2",
      port: endpoint.port,
    },
    { kind: "mapped", carrier: "tcp", hostname: "198.51.100.2", port: 4443 },
  ]);
  assertEquals(gateway.ports.size, 0);
  endpoint.close();
});

Deno.test("port mapping: an address that nobody reaches is not offered, and still taken back", async () => {
  await using gateway = fakeGateway({ pcp: true, outside: "10.0.0.7" });
  const stop = new AbortController();
  const { clock, log, randomBytes, ...more } = depsOf(gateway);
  const gathering = portMapSource(more).gather({
    role: "sender",
    endpoints: [],
    tcpPort: 4000,
    clock,
    log,
    randomBytes,
  }, stop.signal);
  const next = gathering[Symbol.asyncIterator]().next();
  while (gateway.ports.size === 0) await systemClock.delay(5);
  stop.abort();
  assertEquals(await next, { done: true, value: undefined });
  assertEquals(gateway.ports.size, 0);
});

Deno.test("PCP and NAT-PMP: answers to others, cut ones and noise are none", () => {
  const request = {
    protocol: "udp",
    internalPort: 4000,
    externalPort: 5000,
    lifetime: 3600,
  } as const;
  const nonce = new Uint8Array(12).fill(3);
  const pcp = encodePcp(request, "192.168.1.10", nonce);
  assertEquals(
    pcp.toHex(),
    "0201000000000e10" + "00000000000000000000ffffc0a8010a" +
      "030303030303030303030303" + "11000000" + "0fa01388" +
      "00000000000000000000ffff00000000",
  );
  const answer = pcp.slice();
  answer[1] = 0x81;
  assertEquals(decodePcp(answer, request, nonce), {
    ok: true,
    externalPort: 5000,
    address: "0.0.0.0",
    lifetime: 3600,
  });
  for (let cut = 0; cut < answer.length; cut++) {
    assertEquals(decodePcp(answer.subarray(0, cut), request, nonce), undefined);
  }
  assertEquals(decodePcp(answer, request, new Uint8Array(12)), undefined);
  assertEquals(
    decodePcp(answer, { ...request, internalPort: 1 }, nonce),
    undefined,
  );
  answer[3] = 8;
  assertEquals(decodePcp(answer, request, nonce), { ok: false, result: 8 });

  assertEquals(encodePmp(request).toHex(), "000100000fa0138800000e10");
  const said = Uint8Array.fromHex("0081000000000001" + "0fa01388" + "00000e10");
  assertEquals(decodePmp(said, request), {
    ok: true,
    externalPort: 5000,
    address: undefined,
    lifetime: 3600,
  });
  for (let cut = 0; cut < said.length; cut++) {
    assertEquals(decodePmp(said.subarray(0, cut), request), undefined);
  }
  assertEquals(
    decodePmpAddress(Uint8Array.fromHex("00800000000000010a000001")),
    "10.0.0.1",
  );
  assertEquals(
    decodePmpAddress(Uint8Array.fromHex("0080000100000001")),
    undefined,
  );
});

Deno.test("UPnP: a description elsewhere than at the router is not fetched, nor a service there asked", () => {
  const answer = (place: string): string =>
    `HTTP/1.1 200 OK\r\nLocation: ${place}\r\n\r\n`;
  const at = (place: string) => locationOf(answer(place), "192.168.1.1")?.href;
  assertEquals(
    at("http://192.168.1.1:5000/d.xml"),
    "http://192.168.1.1:5000/d.xml",
  );
  for (
    const place of [
      "http://192.168.1.2/d.xml",
      "http://192.168.1.1@example.org/",
      "https://192.168.1.1/",
      "file:///etc/passwd",
      "//example.org/",
      "",
    ]
  ) assertEquals(at(place), undefined, place);
  assertEquals(
    locationOf(
      "HTTP/1.1 404 no\r\nLocation: http://192.168.1.1/",
      "192.168.1.1",
    ),
    undefined,
  );
  const service = (url: string) =>
    serviceOf(
      "<service><serviceType>urn:schemas-upnp-org:service:WANPPPConnection:1" +
        `</serviceType><controlURL>${url}</controlURL></service>`,
      new URL("http://192.168.1.1:5000/d.xml"),
      "192.168.1.1",
    )?.control.href;
  assertEquals(service("/ctl"), "http://192.168.1.1:5000/ctl");
  assertEquals(service("http://127.0.0.1/ctl"), undefined);
  assertEquals(service("//example.org/ctl"), undefined);
});

Deno.test("routers: those of Linux' table, and elsewhere the first of each private network", () => {
  const interfaces = [
    {
      name: "eth0",
      family: "IPv4",
      address: "192.168.1.10",
      netmask: "255.255.255.0",
    },
    { name: "lo", family: "IPv4", address: "127.0.0.1", netmask: "255.0.0.0" },
    { name: "eth0", family: "IPv6", address: "fe80::1", netmask: "ffff::" },
  ] as const;
  const table = [
    "Iface\tDestination\tGateway\tFlags",
    "eth0\t00000000\t0101A8C0\t0003",
    "eth0\t0001A8C0\t00000000\t0001",
    "eth1\t00000000\t0102A8C0\t0003",
    "noise",
  ].join("\n");
  const router = { gateway: "192.168.1.1", local: "192.168.1.10" };
  assertEquals(gatewaysOf(table, interfaces), [router]);
  assertEquals(guessedGateways(interfaces), [router]);
});
