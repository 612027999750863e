import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { systemClock } from "../../core/clock.ts";
import { nullLog } from "../../core/log.ts";
import { createMetrics } from "../../core/metrics.ts";
import { systemRandomBytes } from "../../crypto/random.ts";
import { tell } from "../../cmd/doctor.ts";
import type { Facts, FamilyFacts } from "../../cmd/doctor_facts.ts";
import { findingsOf, prospectsOf } from "../../cmd/doctor_findings.ts";
import { dropsOf, machineFacts } from "../../cmd/doctor_machine.ts";
import { networkFacts } from "../../cmd/doctor_network.ts";
import { answersQuic } from "../../rendezvous/quic_probe.ts";
import { helperStun, stunPortsOf } from "../../rendezvous/stun_helper.ts";
import { bindDatagrams } from "../../rendezvous/stun_socket.ts";
import { quicSides } from "../loopback/quic_pair.ts";
import { freePort } from "../testutil/port.ts";
import { tempDir } from "../testutil/temp.ts";

const MIB = 1 << 20;

/** A healthy machine behind a usual router. */
const HEALTHY: Facts = {
  machine: {
    deno: "2.9.6",
    system: "linux x86_64",
    cores: 4,
    wallMs: Date.UTC(2026, 5, 1),
    driftMs: 0,
    hash: { name: "native", bytesPerSecond: 3000 * MIB },
    disk: { dir: ".", bytesPerSecond: 500 * MIB },
    diskError: undefined,
    buffers: {
      defaultBytes: 212_992,
      maxBytes: 8 * MIB,
      oursBytes: 8 * MIB,
      drops: 0,
    },
  },
  network: {
    addresses: [{ address: "192.168.1.10", scope: "private" }],
    loopback: true,
    multicast: undefined,
    servers: [],
    mapping: {
      routers: ["192.168.1.1"],
      method: "pcp",
      external: { hostname: "198.51.100.2", port: 4000 },
      isOutside: true,
    },
  },
};

const FAMILY: FamilyFacts = {
  family: 4,
  address: { hostname: "203.0.113.10", port: 4278 },
  nat: {
    mapped: { hostname: "198.51.100.2", port: 4000 },
    isNat: true,
    keepsPort: true,
    mapping: "endpoint-independent",
    filtering: "address-and-port-dependent",
  },
  udpError: undefined,
  quic: true,
  tcp: true,
  roundTripMs: 12,
};

function withServer(
  family: Partial<FamilyFacts>,
  network: Partial<Facts["network"]> = {},
): Facts {
  const families = [{ ...FAMILY, ...family }];
  const server = {
    name: "helper.example",
    isHelper: true,
    families,
    error: undefined,
  };
  return {
    ...HEALTHY,
    network: { ...HEALTHY.network, ...network, servers: [server] },
  };
}

const NO_MAPPING = {
  mapping: {
    routers: ["192.168.1.1"],
    method: undefined,
    external: undefined,
    isOutside: false,
  },
};

Deno.test("doctor: a healthy machine has nothing bad", () => {
  const facts = withServer({});
  const verdicts = findingsOf(facts).map((
    { what, verdict },
  ) => [what, verdict]);
  assertEquals(verdicts.filter(([, verdict]) => verdict !== "good"), [
    ["addresses", "fair"],
  ]);
  assertEquals(
    prospectsOf(facts).map(({ works }) => works),
    ["yes", "yes", "yes", "yes", "maybe"],
  );
});

Deno.test("doctor: a symmetric NAT, UDP that is dropped, and no helper each have their words", () => {
  const symmetric = withServer({
    nat: {
      ...FAMILY.nat ?? never(),
      mapping: "address-and-port-dependent",
    },
  }, NO_MAPPING);
  const [nat] = findingsOf(symmetric).filter(({ what }) =>
    what.endsWith("NAT")
  );
  assertEquals(nat?.verdict, "bad");
  assertStringIncludes(nat?.advice ?? "", "through a relay only");
  const punch = prospectsOf(symmetric)[3];
  assertEquals(punch?.works, "maybe");
  assertStringIncludes(punch?.why ?? "", "strict about ports");

  const shut = withServer({
    nat: { ...FAMILY.nat ?? never(), isNat: false },
  }, NO_MAPPING);
  assertEquals(prospectsOf(shut)[2]?.works, "no");
  assertStringIncludes(prospectsOf(shut)[2]?.why ?? "", "firewall");

  const blocked = withServer({
    nat: undefined,
    udpError: "no answer came",
    quic: false,
  }, NO_MAPPING);
  assertEquals(
    prospectsOf(blocked).map(({ works }) => works),
    ["yes", "yes", "no", "no", "maybe"],
  );
  assertStringIncludes(prospectsOf(blocked)[4]?.why ?? "", "over TCP");

  const nothing = withServer({
    nat: undefined,
    udpError: "no answer came",
    quic: false,
    tcp: false,
  }, NO_MAPPING);
  assertEquals(prospectsOf(nothing)[4]?.works, "no");
  assertEquals(
    prospectsOf({ ...HEALTHY, network: { ...HEALTHY.network, ...NO_MAPPING } })
      .map(({ works }) => works),
    ["yes", "yes", "maybe", "maybe", "maybe"],
  );
});

Deno.test("doctor: an old Deno, a wrong clock, slow hashing, no disk and small buffers are bad, each with advice", () => {
  const { machine } = HEALTHY;
  const sick: Facts = {
    ...HEALTHY,
    machine: {
      ...machine,
      deno: "2.9.4",
      wallMs: 0,
      hash: { name: "wasm", bytesPerSecond: 100 * MIB },
      disk: undefined,
      diskError: "Read-only file system",
      buffers: { ...machine.buffers, oursBytes: 425_984 },
    },
  };
  const bad = findingsOf(sick).filter(({ verdict }) => verdict === "bad");
  assertEquals(
    bad.map(({ what }) => what),
    ["Deno", "clock", "BLAKE3", "disk", "UDP buffers"],
  );
  assert(bad.every(({ advice }) => advice !== undefined));
  assertEquals(prospectsOf(sick)[0]?.works, "no");
});

Deno.test("doctor: each finding is a line, and an event of flat fields", () => {
  const lines: string[] = [];
  const events: object[] = [];
  tell(withServer({}), {
    data(line, event) {
      lines.push(line);
      events.push(event);
    },
  });
  assertEquals(lines[0], "ok    Deno: 2.9.6");
  assertEquals(events[0], {
    type: "finding",
    what: "Deno",
    verdict: "good",
    value: "2.9.6",
  });
  assertEquals(events.at(-1), {
    type: "prospect",
    what: "peers that cannot be met directly",
    works: "maybe",
    why: "through the helper, if it relays",
  });
});

Deno.test("doctor: asks a real helper's ports where we are, and whether QUIC and TCP answer", async () => {
  const port = freePort();
  const helper = { hostname: "127.0.0.1", port };
  const stun = helperStun(helper, {
    clock: systemClock,
    log: nullLog,
    metrics: createMetrics(),
  });
  assert(stun !== undefined, "ports are taken");
  using _tcp = Deno.listen(helper);
  const facts = await networkFacts({
    addresses: ["127.0.0.1"],
    helper: `127.0.0.1:${port}`,
    stun: [],
    gateways: () => Promise.resolve([]),
    signal: new AbortController().signal,
  });
  const [found] = facts.servers[0]?.families ?? [];
  assertEquals([found?.family, found?.quic, found?.tcp], [4, false, true]);
  assertEquals(found?.nat?.mapped.hostname, "127.0.0.1");
  assertEquals(
    [found?.nat?.isNat, found?.nat?.keepsPort, found?.nat?.mapping],
    [false, true, "port-independent"],
  );
  assertEquals(found?.nat?.filtering, "port-independent");
  assertEquals(facts.loopback, true);
  stun.close();
  await stun.finished;
});

Deno.test("answersQuic() tells a QUIC server from silence and from other servers", async () => {
  const ask = (port: number): Promise<boolean> =>
    answersQuic({ hostname: "127.0.0.1", port }, {
      socket: bindDatagrams({ hostname: "127.0.0.1", port: 0 }),
      clock: {
        ...systemClock,
        delay: (ms, signal) => systemClock.delay(ms / 5, signal),
      },
      randomBytes: systemRandomBytes,
    });
  const sides = quicSides();
  assertEquals(await ask(sides.server.port), true);
  await sides.stop();
  const mute = bindDatagrams({ hostname: "127.0.0.1", port: 0 });
  assertEquals(await ask(mute.address.port), false);
  mute.close();
});

Deno.test("doctor: looks at a real disk, and leaves nothing on it", async () => {
  await using dir = await tempDir();
  const facts = await machineFacts(dir.path);
  assert((facts.disk?.bytesPerSecond ?? 0) > 0);
  assert(facts.hash.bytesPerSecond > 0);
  assertEquals(await Array.fromAsync(Deno.readDir(dir.path)), []);
  const missing = await machineFacts(dir.join("missing"));
  assertEquals(missing.disk, undefined);
  assert(missing.diskError !== undefined);
});

Deno.test("doctor: reads what was dropped for want of room", () => {
  const table = "Tcp: A B\nTcp: 1 2\nUdp: InDatagrams RcvbufErrors\nUdp: 5 7\n";
  assertEquals(dropsOf(table), 7);
  assertEquals(dropsOf(""), undefined);
});

Deno.test("a helper's STUN ports are the two above its own, and ports at any rate", () => {
  assertEquals(stunPortsOf(4277), [4278, 4279]);
  assertEquals(stunPortsOf(65_535), [65_533, 65_534]);
});

function never(): never {
  throw new Error("unreachable");
}
