/**
 * QUIC through a bad network: what it stands, and what has no effect at all.
 */
import {
  assert,
  assertEquals,
  assertGreater,
  assertNotEquals,
} from "@std/assert";
import type { Conn } from "../../transport/transport.ts";
import {
  NEVER,
  proxiedPair,
  type QuicPair,
  quicSides,
} from "../loopback/quic_pair.ts";
import type { Faults } from "../testutil/fault_path.ts";
import { type FaultProxy, spawnFaultProxy } from "../testutil/fault_proxy.ts";
import { seeded } from "../testutil/random.ts";

type Proxied = QuicPair & { readonly proxy: FaultProxy };

/** BBR keeps its speed where packets are lost: the tests would take minutes without it. */
const DIAL = { congestion: "bbr", keepAliveMs: 300 } as const;
const LISTEN = { keepAliveMs: 300 } as const;
const MIB = 1024 * 1024;

function test(name: string, run: (pair: Proxied) => Promise<void>): void {
  Deno.test(name, async () => {
    const pair = await proxiedPair(LISTEN, DIAL);
    try {
      await run(pair);
    } finally {
      await pair.stop();
    }
  });
}

/** Sends `size` bytes on two streams from `near` to `far`, and makes sure that they arrive. */
async function transfer(
  { near, far }: { readonly near: Conn; readonly far: Conn },
  size: number,
  halfway: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const piece = noise(64 * 1024);
  const send = async (half: number): Promise<void> => {
    const stream = await near.openUni();
    for (let at = 0; at < half; at += piece.length) await stream.write(piece);
    await stream.end();
  };
  let seen = 0;
  let told: Promise<void> | undefined;
  const receive = async (half: number): Promise<void> => {
    const stream = await far.acceptUni();
    assert(stream !== undefined);
    let view = new Uint8Array(piece.length);
    for (let at = 0; at < half; at += view.length) {
      view = await stream.readFully(view);
      assert(view.every((byte, i) => byte === piece[i]), `a byte after ${at}`);
      seen += view.length;
      if (seen >= size / 2) told ??= halfway();
    }
    assertEquals((await stream.readSome(new Uint8Array(1))).length, 0);
  };
  const half = size / 2;
  await Promise.all([send(half), send(half), receive(half), receive(half)]);
  await told;
}

const FAULTS: readonly [string, number, Partial<Faults>][] = [
  ["loses 2 % of all datagrams", 2, { drop: 0.02 }],
  ["takes 40 ms, give or take", 2, { delayMs: 30, jitterMs: 10 }],
  ["doubles every fifth datagram", 4, { duplicate: 0.2 }],
  ["delivers out of order", 2, { reorder: 0.02 }],
  ["damages 2 % of all datagrams", 2, { corrupt: 0.02 }],
  ["has 4 MiB/s", 4, { bytesPerSecond: 4 * MIB }],
];

for (const [what, mebibytes, faults] of FAULTS) {
  test(`a transfer arrives through a network that ${what}`, async (pair) => {
    await pair.proxy.set("both", faults);
    await transfer(pair, mebibytes * MIB);
    const { up, down } = await pair.proxy.counters();
    assertGreater(up.bytes, mebibytes * MIB);
    if (faults.drop) assertGreater(up.dropped, 0);
    if (faults.duplicate) assertGreater(up.duplicated, 0);
    if (faults.reorder) assertGreater(up.reordered, 0);
    if (faults.corrupt) assertGreater(up.corrupted + down.corrupted, 0);
  });
}

test("a transfer outlives a hole of a second", async (pair) => {
  await transfer(pair, 4 * MIB, async () => {
    await pair.proxy.set("both", { blackhole: true });
    await pause(1000);
    await pair.proxy.set("both", { blackhole: false });
  });
});

test("a transfer goes on from another port, and the receiver sees which", async (pair) => {
  const before = pair.far.remote;
  let ports: readonly number[] = [];
  await transfer(pair, 4 * MIB, async () => {
    ports = await pair.proxy.rebind();
  });
  assertEquals(pair.far.remote, `127.0.0.1:${ports[0]}`);
  assertNotEquals(pair.far.remote, before);
  await transfer({ near: pair.far, far: pair.near }, MIB); // and back
});

test("a transfer goes on from another address, and the receiver sees which", async (pair) => {
  let ports: readonly number[] = [];
  await transfer(pair, 4 * MIB, async () => {
    ports = await pair.proxy.moveHost("127.0.0.2");
  });
  assertEquals(pair.far.remote, `127.0.0.2:${ports[0]}`);
});

test("datagrams that nobody sent have no effect, wherever they seem to come from", async (pair) => {
  const { proxy, near, far } = pair;
  const [nearRemote, farRemote] = [near.remote, far.remote];
  const inject = async (): Promise<void> => {
    const random = seeded(9);
    for (let i = 0; i < 200; i++) {
      const bytes = noise(Math.floor(random() * 1400), i);
      // Some look like QUIC: a long header, a short one, version negotiation.
      if (bytes.length > 5) bytes[0] = [0xc3, 0x43, 0x80, 0x00][i % 4] ?? 0;
      if (i % 4 === 2) bytes.fill(0, 1, 5);
      for (const from of ["stranger", "peer"] as const) {
        await proxy.inject("up", bytes, from);
        await proxy.inject("down", bytes, from);
      }
    }
  };
  await transfer(pair, 4 * MIB, inject);
  await transfer({ near: far, far: near }, MIB);
  assertEquals([near.remote, far.remote], [nearRemote, farRemote]);
  assertEquals((await proxy.counters()).up.injected, 400);
});

test("datagrams that are sent again by somebody else have no effect", async (pair) => {
  const { proxy, near, far } = pair;
  const [nearRemote, farRemote] = [near.remote, far.remote];
  let replayed = 0;
  const replay = async (): Promise<void> => {
    for (const from of ["stranger", "peer"] as const) {
      for (const direction of ["up", "down"] as const) {
        replayed += await proxy.replay(direction, from);
      }
    }
  };
  await transfer(pair, 4 * MIB, replay);
  await replay();
  await transfer({ near: far, far: near }, MIB);
  assertEquals([near.remote, far.remote], [nearRemote, farRemote]);
  assertGreater(replayed, 100);
});

test("datagrams that are damaged on purpose have no effect", async (pair) => {
  const { proxy, near, far } = pair;
  await proxy.set("both", { corrupt: 1 });
  await pause(500);
  await proxy.set("both", { corrupt: 0 });
  await transfer(pair, MIB);
  await transfer({ near: far, far: near }, MIB);
});

Deno.test("a proxy in a process of its own does the same", async () => {
  const sides = quicSides(LISTEN, DIAL);
  const target = { hostname: "127.0.0.1", port: sides.server.port };
  const proxy = await spawnFaultProxy({ target, seed: 5 });
  try {
    const { hostname, port } = proxy;
    const [near, far] = await Promise.all([
      sides.dialerWith({ hostname, port }).dial(NEVER),
      sides.listener.accept(),
    ]);
    assert(far !== undefined);
    await proxy.set("up", { drop: 0.01 });
    let ports: readonly number[] = [];
    await transfer({ near, far }, 4 * MIB, async () => {
      ports = await proxy.rebind();
      await proxy.inject("up", noise(100), "stranger");
      await proxy.replay("up", "peer");
    });
    assertEquals(far.remote, `127.0.0.1:${ports[0]}`);
    const { up } = await proxy.counters();
    assertGreater(up.dropped, 0);
    assertGreater(up.injected, 1);
  } finally {
    await sides.stop();
    await proxy.close();
  }
});

function noise(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const random = seeded(seed);
  return Uint8Array.from({ length: size }, () => random() * 256);
}

/** Real time: the network's clock is not ours. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
