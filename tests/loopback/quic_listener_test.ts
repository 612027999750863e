/**
 * A listener among peers that are slow, silent, or gone before they are there.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { within } from "../testutil/deadline.ts";
import { faultProxy } from "../testutil/fault_proxy.ts";
import { NEVER, quicPair, quicSides } from "./quic_pair.ts";

interface Recorded {
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function recorder() {
  const events: Recorded[] = [];
  const log = {
    event: (name: string, fields = {}): void => {
      events.push({ name, fields });
    },
    child: () => log,
  };
  return { events, log };
}

/** Waits for what the network brings, for longer than a handshake may take. */
async function until(
  happened: () => boolean | Promise<boolean>,
): Promise<void> {
  let isOver = false;
  const waiting = async (): Promise<void> => {
    while (!isOver && !await happened()) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  try {
    await within(30_000, `${happened}`, waiting());
  } finally {
    isOver = true;
  }
}

/** Dials through a network that lets the first datagram in, and nothing out. */
async function stalledDials(
  sides: ReturnType<typeof quicSides>,
  count: number,
): Promise<() => Promise<void>> {
  const target = { hostname: "127.0.0.1", port: sides.server.port };
  const proxy = await faultProxy({ target });
  await proxy.set("down", { blackhole: true });
  const { hostname, port } = proxy;
  const dialing = Array.from({ length: count }, () =>
    sides.dialerWith({
      hostname,
      port,
      idleTimeoutMs: 1000,
    }).dial(NEVER).catch(() => {}));
  await until(async () => (await proxy.counters()).up.received >= count);
  return async () => {
    await Promise.all(dialing);
    await proxy.close();
  };
}

Deno.test("handshakes that stall hold up nobody, and are ended at their deadline", async () => {
  const { events, log } = recorder();
  const sides = quicSides({ log, handshakeTimeoutMs: 1500 });
  const over = await stalledDials(sides, 5);
  const { near, far } = await quicPair(sides);
  assertEquals(far.remote, sides.client.address);
  assertEquals(events, []); // all five still stall
  near.close();
  await until(() => events.length >= 5);
  await over();
  const texts = events.map(({ name, fields }) => `${name} ${fields.error}`);
  assert(texts.length >= 5, texts.join());
  for (const text of texts) {
    assertEquals(
      text,
      "listener.handshake-failed Cannot finish handshake: it takes too long",
    );
  }
  await sides.stop();
});

Deno.test("only so many handshakes run at once: the oldest give way, and an honest peer gets in", async () => {
  const { events, log } = recorder();
  const sides = quicSides({ log, maxHandshakes: 3 });
  const over = await stalledDials(sides, 8);
  await until(() => events.length >= 5);
  const evicted = events.map(({ name, fields }) => `${name} ${fields.error}`);
  assertEquals(
    evicted.slice(0, 5),
    Array(5).fill(
      "listener.handshake-failed Cannot finish handshake: others have taken its place",
    ),
  );
  const { far } = await quicPair(sides);
  assertEquals(far.remote, sides.client.address);
  await over();
  await sides.stop();
});

Deno.test("a peer whose handshake gave way is told that we are busy", async () => {
  const sides = quicSides({ maxHandshakes: 1 });
  const target = { hostname: "127.0.0.1", port: sides.server.port };
  const proxy = await faultProxy({ target });
  await proxy.set("down", { blackhole: true });
  const { hostname, port } = proxy;
  const dialing = assertRejects(
    () => sides.dialerWith({ hostname, port }).dial(NEVER),
    SftpxError,
    `Cannot reach "${hostname}:${port}": it ended the handshake`,
  );
  // What the listener answers is lost: it has accepted.
  await until(async () => (await proxy.counters()).down.dropped > 0);
  await proxy.set("down", { blackhole: false });
  await quicPair(sides);
  assertEquals((await dialing).code, "peer-busy");
  await sides.stop();
  await proxy.close();
});

Deno.test("a peer whose handshake gave way after its own part was done loses the connection", async () => {
  const sides = quicSides({ maxHandshakes: 1 });
  const target = { hostname: "127.0.0.1", port: sides.server.port };
  const proxy = await faultProxy({ target });
  await proxy.set("both", { delayMs: 200 });
  const { hostname, port } = proxy;
  const dialing = sides.dialerWith({ hostname, port }).dial(NEVER);
  await until(async () => (await proxy.counters()).down.received > 0);
  await quicPair(sides);
  const conn = await dialing; // there is no code in a close so early
  const error = await assertRejects(
    () => conn.closed,
    SftpxError,
    "the peer ended the handshake",
  );
  assertEquals(error.code, "connection-lost");
  await sides.stop();
  await proxy.close();
});

Deno.test("a peer that gives up in its handshake is no trouble", async () => {
  const { events, log } = recorder();
  const sides = quicSides({ log });
  const target = { hostname: "127.0.0.1", port: sides.server.port };
  const proxy = await faultProxy({ target });
  await proxy.set("down", { blackhole: true });
  const { hostname, port } = proxy;
  const dialing = sides.dialerWith({ hostname, port }).dial(NEVER)
    .catch(() => {});
  // What the listener answers is lost: it has accepted.
  await until(async () => (await proxy.counters()).down.dropped > 0);
  sides.client.close();
  await dialing;
  await until(() => events.length > 0);
  assertEquals(events.map(({ name }) => name), ["debug.listener-left"]);
  await sides.stop();
  await proxy.close();
});

Deno.test("a peer that does not trust us never becomes a connection", async () => {
  const { events, log } = recorder();
  const sides = quicSides({ log });
  let accepted = 0;
  const accepting = sides.listener.accept().then((conn) => {
    if (conn !== undefined) accepted++;
  });
  const fingerprint = new Uint8Array(32);
  for (let i = 1; i <= 20; i++) {
    const error = await assertRejects(
      () => sides.dialerWith({ fingerprint }).dial(NEVER),
      SftpxError,
    );
    assertEquals(error.code, "unauthorized", error.message);
    await until(() => accepted > 0 || events.length >= i);
    assertEquals([accepted, events.length], [0, i]);
  }
  assertEquals(events[0]?.name, "listener.handshake-failed");
  sides.listener.close();
  await accepting;
  await sides.stop();
});

Deno.test("datagrams that are no QUIC do not disturb a listener", async () => {
  const sides = quicSides();
  const socket = Deno.listenDatagram({
    transport: "udp",
    hostname: "127.0.0.1",
    port: 0,
  });
  const to = {
    transport: "udp",
    hostname: "127.0.0.1",
    port: sides.server.port,
  } as const;
  for (let i = 0; i < 300; i++) {
    const bytes = crypto.getRandomValues(new Uint8Array(1 + i * 4));
    if (i % 2 === 0) bytes.set([0xc3, 0, 0, 0, 1].slice(0, bytes.length));
    await socket.send(bytes, to);
  }
  const { near, far } = await quicPair(sides);
  near.close();
  assertEquals((await far.closed).remote, true);
  socket.close();
  await sides.stop();
});

Deno.test("an endpoint that is closed ends its listener", async () => {
  const sides = quicSides();
  const accepting = sides.listener.accept();
  sides.server.close();
  assertEquals(await accepting, undefined);
  assertEquals(await sides.listener.accept(), undefined);
  await sides.stop();
});
