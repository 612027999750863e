/**
 * Side ports: a socket for each further connection at the receiver.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { greetReceiver } from "../../actors/greeting.ts";
import { systemClock } from "../../core/clock.ts";
import { SftpxError } from "../../core/errors.ts";
import { systemRandomBytes } from "../../crypto/random.ts";
import { createEndpoint, quicDialer } from "../../transport/quic.ts";
import { within } from "../testutil/deadline.ts";
import { faultProxy } from "../testutil/fault_proxy.ts";
import { freePort } from "../testutil/port.ts";
import { makeTree, sameTree } from "../testutil/tree.ts";
import { MIB } from "./kit.ts";
import { type Library, library, TOKEN } from "./library.ts";
import { type Stop, stopsAt, STRANGERS } from "./raw_peer.ts";
import { bentSide, growBy, growTo, keptLog, portOf, portsIn } from "./side.ts";

async function checkArrived(lib: Library): Promise<void> {
  assertEquals(await sameTree(`${lib.dir}/src`, `${lib.dir}/uploads/src`), []);
}

Deno.test("each of 15 further connections has a port of its own, and all of it arrives", async () => {
  const [here, there] = [keptLog(), keptLog()];
  await using lib = await library({ log: there });
  await makeTree(`${lib.dir}/src`, { big: 32 * MIB, "small/a": 100 });
  let most = 0;
  const sending = lib.send("src", {
    connections: 16,
    limitRate: 4 * MIB, // there is time for all of them
    log: here,
    inside: { growth: growTo((now) => most = Math.max(most, now)) },
  });
  const { totals } = await within(60_000, "the transfer", sending);
  assertEquals(totals.failed, 0);
  await checkArrived(lib);
  assertEquals(totals.sent, totals.bytes); // nobody was taken for stalled
  assertEquals(most, 16);
  const opened = portsIn(there, "side-port.open");
  assertEquals(opened.length, 15);
  assertEquals(new Set(portsIn(here, "side-port.used")), new Set(opened));
  assert(!opened.includes(portOf(lib)));
  assertEquals(here.named("side-port.unreachable"), []);
});

Deno.test("side ports follow the one that was chosen, and what another program has is passed over", async () => {
  const [first, second, taken] = neighbours();
  const [here, there] = [keptLog(), keptLog()];
  await using lib = await library({ bind: `127.0.0.1:${first}`, log: there });
  await makeTree(`${lib.dir}/src`, { big: 12 * MIB });
  const sending = lib.send("src", {
    connections: 3,
    limitRate: 6 * MIB,
    log: here,
    inside: { growth: growTo() },
  });
  await within(60_000, "the transfer", sending);
  taken.close();
  await checkArrived(lib);
  const [one, two, ...more] = portsIn(there, "side-port.open");
  assertEquals([one, more], [second, []]);
  assert(two !== second + 1);
  // Both are dialled at the same time: either may be there first.
  assertEquals(
    new Set(portsIn(here, "side-port.used")),
    new Set(portsIn(there, "side-port.open")),
  );
});

Deno.test("where side ports cannot be reached, further connections go by the first port, and one try tells", async () => {
  const [here, there] = [keptLog(), keptLog()];
  // What is forwarded is one port of another host.
  await using lib = await library({ bind: "127.0.0.2:0", log: there });
  await makeTree(`${lib.dir}/src`, { big: 24 * MIB });
  const target = { hostname: "127.0.0.2", port: portOf(lib) };
  const proxy = await faultProxy({ target, keep: 0 });
  let most = 0;
  const sending = lib.send("src", {
    address: `127.0.0.1:${proxy.port}`,
    connections: 4,
    carrier: "quic",
    limitRate: 4 * MIB,
    log: here,
    inside: { growth: growTo((now) => most = Math.max(most, now)) },
  });
  await within(60_000, "the transfer", sending);
  await proxy.close();
  await checkArrived(lib);
  assertEquals(most, 4);
  assertEquals(here.named("side-port.used"), []);
  const tried = portsIn(here, "side-port.unreachable");
  const opened = portsIn(there, "side-port.open");
  // Those that were dialled at the same time learn it at the same time.
  assert(tried.length >= 1 && tried.every((port) => opened.includes(port)));
});

Deno.test("by a side port nobody begins a transfer, and a crowd there keeps no honest sender out", async () => {
  const [here, there] = [keptLog(), keptLog()];
  await using lib = await library({ log: there });
  await makeTree(`${lib.dir}/src`, { big: 16 * MIB });
  await makeTree(`${lib.dir}/other`, { big: 8 * MIB });
  const options = {
    connections: 2,
    limitRate: 4 * MIB,
    log: here,
    inside: { growth: growTo() },
  };
  const sending = lib.send("src", options);
  const [opened] = await within(
    20_000,
    "a side port",
    there.waitFor("side-port.open"),
  );
  const port = Number(opened?.fields.port);
  const { fingerprint } = lib.receiver;
  const endpoint = createEndpoint({ hostname: "127.0.0.1" });
  const { signal } = new AbortController();
  const conn = await quicDialer({
    endpoint,
    hostname: "127.0.0.1",
    port,
    fingerprint,
    alpn: "sftpx/1",
  }).dial(signal);
  const refused = await assertRejects(
    () =>
      greetReceiver(conn, {
        session: systemRandomBytes(32),
        life: systemRandomBytes(16),
        attempt: 1,
        fingerprint,
        token: TOKEN,
        offer: {
          type: "offer",
          checksum: false,
          b3sum: false,
          fresh: false,
          totalBytes: undefined,
          label: "one that takes the wrong door",
        },
        randomBytes: systemRandomBytes,
        clock: systemClock,
      }, signal),
    SftpxError,
  );
  assertEquals(refused.code, "protocol");
  for (let n = 0; n < 100; n++) {
    const stop = STRANGERS[n % STRANGERS.length] as Stop;
    await stopsAt(stop, { endpoint, port, fingerprint, token: TOKEN });
  }
  const other = await within(60_000, "another", lib.send("other", options));
  assertEquals(other.totals.failed, 0);
  const { totals } = await within(60_000, "the first", sending);
  assertEquals(totals.sent, totals.bytes);
  await checkArrived(lib);
  assertEquals(
    lib.events.filter(({ type }) => type === "started").length,
    2,
  );
  endpoint.close();
});

Deno.test("when the first connection is lost all others are, and side ports are found again", async () => {
  const quic = { idleTimeoutMs: 1500, keepAliveMs: 300 };
  const [here, there] = [keptLog(), keptLog()];
  await using lib = await library({ log: there }, { quic });
  await makeTree(`${lib.dir}/src`, { big: 24 * MIB });
  const target = { hostname: "127.0.0.1", port: portOf(lib) };
  const proxy = await faultProxy({ target, keep: 0 });
  const resumed: boolean[] = [];
  const sending = lib.send("src", {
    address: `127.0.0.1:${proxy.port}`,
    connections: 2,
    carrier: "quic",
    limitRate: 4 * MIB,
    log: here,
    inside: { growth: growTo(), quic },
    onEvent(event) {
      if (event.type === "connected") resumed.push(event.resumed);
    },
  });
  await within(20_000, "one", here.waitFor("side-port.used"));
  await proxy.set("both", { blackhole: true });
  await within(
    20_000,
    "the loss",
    lib.told(({ type }) => type === "reconnecting"),
  );
  await proxy.set("both", { blackhole: false });
  const again = await within(60_000, "it", here.waitFor("side-port.used", 2));
  await within(60_000, "the transfer", sending);
  await proxy.close();
  await checkArrived(lib);
  assertEquals(resumed.slice(0, 2), [false, true]);
  const [first, second] = again.map(({ fields }) => fields.port);
  assertEquals(first, second); // the same port: they are for life
  // One that was asked for in advance may be there, too.
  assert(portsIn(there, "side-port.open").length <= 2);
});

Deno.test("a NAT that gives each connection another port interrupts none of them", async () => {
  await using bent = await bentSide();
  const { lib, here } = bent;
  await makeTree(`${lib.dir}/src`, { big: 24 * MIB });
  const target = { hostname: "127.0.0.1", port: portOf(lib) };
  const first = await faultProxy({ target, keep: 0 });
  const sending = lib.send("src", {
    address: `127.0.0.1:${first.port}`,
    connections: 2,
    carrier: "quic",
    limitRate: 6 * MIB,
    log: here,
    inside: { growth: growBy(1) },
  });
  const side = await bent.proxy();
  for (let times = 0; times < 3; times++) {
    await side.rebind();
    await first.rebind();
    await systemClock.delay(500);
  }
  const { totals } = await within(60_000, "the transfer", sending);
  const { up } = await side.counters();
  await first.close();
  await checkArrived(lib);
  assert(up.bytes > MIB, `${up.bytes} bytes went by the side port`);
  assertEquals(totals.sent, totals.bytes);
  assertEquals(here.named("connection.stalled"), []);
  assertEquals(lib.events.filter(({ type }) => type === "reconnecting"), []);
});

/** Two ports in a row that are free, and the socket of another program after them. */
function neighbours(): [number, number, Deno.DatagramConn] {
  for (let tries = 0; tries < 100; tries++) {
    const first = freePort();
    const held = [first + 2, first + 1].map(udpOn);
    const [taken, second] = held;
    second?.close();
    if (taken !== undefined && second !== undefined) {
      return [first, first + 1, taken];
    }
    taken?.close();
  }
  throw new Error("Cannot find three free ports in a row");
}

function udpOn(port: number): Deno.DatagramConn | undefined {
  try {
    return Deno.listenDatagram({
      transport: "udp",
      hostname: "127.0.0.1",
      port,
    });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return undefined;
    throw error;
  }
}
