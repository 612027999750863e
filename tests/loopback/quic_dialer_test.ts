import {
  assert,
  assertEquals,
  assertGreater,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import {
  createEndpoint,
  endpointPool,
  quicDialer,
  quicListener,
} from "../../transport/quic.ts";
import { ALPN, CERTIFICATE, NEVER, quicSides } from "./quic_pair.ts";

const { cert, key, fingerprint } = CERTIFICATE;

/** Gives what it took back in reverse order, and lets the platform finish. */
async function closed(...all: { close(): void }[]): Promise<void> {
  for (const one of all) one.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
}

Deno.test("a name is dialed at all of its addresses, and the first that answers wins", async () => {
  const endpoint = createEndpoint({ hostname: "127.0.0.1" });
  const listener = quicListener({ endpoint, cert, key, alpn: ALPN });
  const pool = endpointPool();
  const asked: string[] = [];
  const dialer = quicDialer({
    endpoint: pool,
    hostname: "peer.example",
    port: endpoint.port,
    fingerprint,
    alpn: ALPN,
    idleTimeoutMs: 500,
    lookup: (hostname) => {
      asked.push(hostname);
      // Nobody is at the first two.
      return Promise.resolve(["127.0.0.9", "127.0.0.1", "::1"]);
    },
  });
  const [conn, peer] = await Promise.all([
    dialer.dial(NEVER),
    listener.accept(),
  ]);
  assertEquals(asked, ["peer.example"]);
  assertEquals(conn.remote, endpoint.address);
  assert(peer !== undefined);
  conn.close();
  await closed(listener, pool, endpoint);
});

Deno.test("a peer on IPv6 is found by its address, in brackets or not, and by its name", async () => {
  const endpoint = createEndpoint({ hostname: "::1" });
  assertEquals(endpoint.family, 6);
  const listener = quicListener({ endpoint, cert, key, alpn: ALPN });
  const pool = endpointPool();
  for (const hostname of ["::1", "[::1]", "peer.example"]) {
    const dialer = quicDialer({
      endpoint: pool,
      hostname,
      port: endpoint.port,
      fingerprint,
      alpn: ALPN,
      lookup: () => Promise.resolve(["127.0.0.1", "::1"]),
    });
    const [conn, peer] = await Promise.all([
      dialer.dial(NEVER),
      listener.accept(),
    ]);
    assertEquals(conn.remote, `[::1]:${endpoint.port}`);
    assert(peer?.remote.startsWith("[::1]:"), peer?.remote);
    conn.close();
  }
  await closed(listener, pool, endpoint);
});

Deno.test("a listener on all addresses takes both families, and shows IPv4 as such", async () => {
  const endpoint = createEndpoint();
  const listener = quicListener({ endpoint, cert, key, alpn: ALPN });
  const pool = endpointPool();
  for (const hostname of ["127.0.0.1", "::1"]) {
    const dialer = quicDialer({
      endpoint: pool,
      hostname,
      port: endpoint.port,
      fingerprint,
      alpn: ALPN,
    });
    const [conn, peer] = await Promise.all([
      dialer.dial(NEVER),
      listener.accept(),
    ]);
    const host = hostname.includes(":") ? `[${hostname}]` : hostname;
    assert(peer?.remote.startsWith(`${host}:`), peer?.remote);
    conn.close();
  }
  await closed(listener, pool, endpoint);
});

Deno.test("one endpoint listens and dials at once", async () => {
  const [one, other] = [
    createEndpoint({ hostname: "127.0.0.1" }),
    createEndpoint({ hostname: "127.0.0.1" }),
  ];
  const listeners = [one, other].map((endpoint) =>
    quicListener({ endpoint, cert, key, alpn: ALPN })
  );
  const dial = (
    from: typeof one,
    to: typeof one,
  ): Promise<{ remote: string }> =>
    quicDialer({
      endpoint: from,
      hostname: "127.0.0.1",
      port: to.port,
      fingerprint,
      alpn: ALPN,
    }).dial(NEVER);
  await Promise.all([dial(one, other), dial(other, one)]);
  const peers = await Promise.all(listeners.map((all) => all.accept()));
  assertEquals(peers.map((peer) => peer?.remote), [
    other.address,
    one.address,
  ]);
  await closed(...listeners, one, other);
});

Deno.test("a pool has so many endpoints and no more, and gives them in turn", async () => {
  const pool = endpointPool({ size: 2, bufferBytes: 0 });
  const taken = [4, 4, 4, 4].map(() => pool.take(4).port);
  assertEquals(new Set(taken).size, 2);
  assertEquals(taken[0], taken[2]);
  assertEquals(pool.take(6).family, 6);
  assertEquals(pool.take(4).buffers, undefined);
  await closed(pool);
  assertThrows(() => endpointPool({ size: 0 }), RangeError, "size");
});

Deno.test({
  name: "the socket of a pool holds more once somebody dials from it",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const pool = endpointPool();
    const sides = quicSides();
    const endpoint = pool.take(4);
    assertEquals(endpoint.buffers, undefined);
    const conn = await sides.dialerWith({ endpoint: pool }).dial(NEVER);
    assertGreater(endpoint.buffers?.receiveBytes ?? 0, 0);
    conn.close();
    await closed(pool);
    await sides.stop();
  },
});

Deno.test({
  name:
    "a dialer of little leaves a socket as it is, until the pool is enlarged",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const pool = endpointPool({ size: 2 });
    const sides = quicSides();
    const [endpoint] = [pool.take(4), pool.take(4)];
    const little = sides.dialerWith({ endpoint: pool, isLittle: true });
    const conn = await little.dial(NEVER);
    assertEquals(endpoint.buffers, undefined);
    pool.enlarge();
    assertGreater(endpoint.buffers?.receiveBytes ?? 0, 0);
    assertGreater(pool.take(6).buffers?.receiveBytes ?? 0, 0);
    conn.close();
    await closed(pool);
    await sides.stop();
  },
});

Deno.test("a name that has no address is unreachable", async () => {
  const pool = endpointPool();
  const dialer = (lookup: () => Promise<readonly string[]>) =>
    quicDialer({
      endpoint: pool,
      hostname: "peer.example",
      port: 1,
      fingerprint,
      alpn: ALPN,
      lookup,
    });
  for (
    const [lookup, text] of [
      [
        () => Promise.reject(new Error("ENOTFOUND")),
        'Cannot find "peer.example": the name has no address',
      ],
      [
        () => Promise.resolve(["not an address"]),
        'Cannot reach "peer.example:1": it has no address that our socket can send to',
      ],
    ] as const
  ) {
    const error = await assertRejects(
      () => dialer(lookup).dial(NEVER),
      SftpxError,
      text,
    );
    assertEquals(error.code, "unreachable");
  }
  await closed(pool);
});

Deno.test("what cannot be dialed is refused before anything is sent", async () => {
  const endpoint = createEndpoint({ hostname: "127.0.0.1" });
  const dial = { endpoint, hostname: "127.0.0.1", port: 1, alpn: ALPN };
  for (const fingerprint of [[], new Uint8Array(31)]) {
    assertThrows(
      () => quicDialer({ ...dial, fingerprint }),
      RangeError,
      "fingerprint",
    );
  }
  const ipv6 = quicDialer({ ...dial, hostname: "::1", fingerprint });
  await assertRejects(() => ipv6.dial(NEVER), SftpxError, "no address");
  assertThrows(
    () => quicDialer({ ...dial, fingerprint, idleTimeoutMs: 0 }),
    RangeError,
    "idleTimeoutMs",
  );
  await closed(endpoint);
});

Deno.test("where one family has no socket, the other one is used", async () => {
  const endpoint = createEndpoint({ hostname: "127.0.0.1" });
  const listener = quicListener({ endpoint, cert, key, alpn: ALPN });
  const whole = endpointPool();
  const pool = {
    take(family: 4 | 6) {
      if (family === 4) return whole.take(4);
      throw new SftpxError(
        "config",
        'Cannot listen on "[::]:0": no such family',
      );
    },
    close: () => whole.close(),
  };
  const dialerOf = (...addresses: string[]) =>
    quicDialer({
      endpoint: pool,
      hostname: "peer.example",
      port: endpoint.port,
      fingerprint,
      alpn: ALPN,
      lookup: () => Promise.resolve(addresses),
    });
  const conn = await dialerOf("::1", "127.0.0.1").dial(NEVER);
  assertEquals(conn.remote, endpoint.address);
  conn.close();
  const error = await assertRejects(
    () => dialerOf("::1").dial(NEVER),
    SftpxError,
    "no socket for IPv6",
  );
  assertEquals(error.code, "unreachable");
  await closed(listener, pool, endpoint);
});
