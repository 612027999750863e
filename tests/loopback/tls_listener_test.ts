/**
 * A listener over TCP among peers that are slow, silent, hostile or gone, and
 * what breaks on the way.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { levelOf } from "../../core/log.ts";
import { shownCertificate } from "../../transport/tls.ts";
import { noDelay } from "../../transport/no_delay.ts";
import {
  encodeFrame,
  encodeHeader,
  encodeHello,
} from "../../transport/tls_frames.ts";
import { within } from "../testutil/deadline.ts";
import {
  accepted,
  assertLost,
  buffer,
  receiveAll,
  said,
  sendAll,
  text,
} from "./contract_kit.ts";
import { ALPN, CERTIFICATE, NEVER } from "./quic_pair.ts";
import { proxiedTlsPair, tlsPair, type TlsSide, tlsSides } from "./tls_pair.ts";

/** A group that nobody has. */
const GROUP = new Uint8Array(32).fill(7);

/** A connection of someone who follows no rules. */
async function raw({ port }: TlsSide): Promise<Deno.TlsConn> {
  const tcp = await Deno.connect({ hostname: "127.0.0.1", port });
  const tls = await Deno.startTls(tcp, {
    caCerts: [CERTIFICATE.cert],
    alpnProtocols: [ALPN],
    unsafelyDisableHostnameVerification: true,
  });
  await tls.handshake();
  return tls;
}

/** Waits until the other side ends a connection; gives back what it said before. */
async function endOf(conn: Deno.Conn): Promise<number> {
  let count = 0;
  try {
    for (;;) {
      const read = await conn.read(new Uint8Array(1000));
      if (read === null) break;
      count += read;
    }
  } catch {
    // as good as an end
  }
  conn.close();
  return count;
}

Deno.test("tls: those who stop at any step of the way in are ended at the deadline", async () => {
  const sides = tlsSides({ handshakeTimeoutMs: 400 });
  const { port } = sides;
  const silent = await Deno.connect({ hostname: "127.0.0.1", port });
  const shaken = await raw(sides);
  const half = await raw(sides);
  await half.write(encodeHello({ kind: "control", group: GROUP }).slice(0, 20));
  const orphan = await raw(sides);
  await orphan.write(encodeHello({ kind: "client-stream", group: GROUP }));
  const pair = await tlsPair(sides); // an honest one
  for (const conn of [silent, shaken, half, orphan]) {
    assertEquals(await within(5000, "its end", endOf(conn)), 0);
  }
  await pair.stop();
});

Deno.test("tls: those who leave before their first word are no trouble, what is no TLS or no hello is", async () => {
  const names: string[] = [];
  let heard = Promise.withResolvers<void>();
  const log = {
    event(name: string): void {
      names.push(`${levelOf(name)} ${name}`);
      heard.resolve();
    },
    child: () => log,
  };
  const sides = tlsSides({ log });
  const { port } = sides;
  const after = async (come: () => Promise<unknown>): Promise<void> => {
    heard = Promise.withResolvers();
    await come();
    await within(5000, "an event", heard.promise);
  };
  await after(async () => {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
  });
  await after(async () => (await raw(sides)).close());
  const peer = { hostname: "127.0.0.1", port, remote: "a helper" };
  await after(() => shownCertificate(peer, ALPN, NEVER));
  await after(async () => {
    const plain = await Deno.connect({ hostname: "127.0.0.1", port });
    await plain.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
    await endOf(plain);
  });
  await after(async () => {
    const tls = await raw(sides);
    await tls.write(new Uint8Array(60));
    await endOf(tls);
  });
  assertEquals(names, [
    ...Array(3).fill("debug debug.listener-left"),
    ...Array(2).fill("warn listener.handshake-failed"),
  ]);
  await sides.stop();
});

Deno.test("tls: at the limit the oldest gives way, and an honest peer comes in", async () => {
  // Five connections are what one dial takes.
  const sides = tlsSides({ maxHandshakes: 6, handshakeTimeoutMs: 60_000 });
  const strangers = await Promise.all(
    Array.from(
      { length: 20 },
      () => Deno.connect({ hostname: "127.0.0.1", port: sides.port }),
    ),
  );
  const pair = await within(10_000, "its end", tlsPair(sides));
  await Promise.all(
    strangers.slice(0, 10).map((one) => within(5000, "its end", endOf(one))),
  );
  await pair.stop();
  await Promise.all(strangers.slice(10).map(endOf));
});

Deno.test("tls: what is no hello is not answered", async () => {
  const sides = tlsSides();
  const good = encodeHello({ kind: "control", group: GROUP });
  for (const at of [0, 4, 5, 6]) {
    const conn = await raw(sides);
    const bytes = good.slice();
    bytes[at] = 9;
    await conn.write(bytes);
    assertEquals(await within(5000, "its end", endOf(conn)), 0);
  }
  await sides.stop();
});

Deno.test("tls: nobody joins a group twice, or takes the name of one", async () => {
  const sides = tlsSides();
  const first = await raw(sides);
  await first.write(encodeHello({ kind: "control", group: GROUP }));
  const conn = await sides.listener.accept();
  assert(conn !== undefined);
  const second = await raw(sides);
  await second.write(encodeHello({ kind: "control", group: GROUP }));
  assert(await within(5000, "its end", endOf(second)) > 0); // told why
  first.close();
  await assertLost(() => conn.closed, "closed");
  await sides.stop();
});

Deno.test("tls: peers that nobody accepts are turned away", async () => {
  const sides = tlsSides({ maxWaiting: 1 });
  const waiting = await sides.dialer.dial(NEVER);
  const error = await assertRejects(() => sides.dialer.dial(NEVER), SftpxError);
  assertEquals(error.code, "peer-busy");
  sides.listener.close();
  assertEquals((await waiting.closed).code, "peer-busy");
  await sides.stop();
});

Deno.test("tls: there is a limit to connections, and room again when some have gone", async () => {
  const sides = tlsSides({ maxSockets: 8 });
  const pair = await tlsPair(sides); // of five connections
  const error = await assertRejects(
    () => sides.dialerWith({ dialTimeoutMs: 2000 }).dial(NEVER),
    SftpxError,
  );
  assertEquals(error.code, "unreachable");
  pair.near.close();
  await pair.near.closed;
  await pair.far.closed;
  for (;;) {
    try {
      (await sides.dialer.dial(NEVER)).close();
      break;
    } catch {
      // not yet
    }
  }
  await pair.stop();
});

const RULES: Readonly<Record<string, readonly Uint8Array[]>> = {
  "a frame that is none": [Uint8Array.of(9, 0, 0)],
  "a ping with a body": [Uint8Array.of(1, 0, 1, 0)],
  "a frame that is too long": [Uint8Array.of(3, 255, 255)],
};

for (const [what, frames] of Object.entries(RULES)) {
  Deno.test(`tls: ${what} ends the group of the one that sent it`, async () => {
    const sides = tlsSides();
    const conn = await raw(sides);
    await conn.write(encodeHello({ kind: "control", group: GROUP }));
    const far = await sides.listener.accept();
    for (const frame of frames) await conn.write(frame);
    await assertLost(async () => await far?.closed, "closed");
    await endOf(conn);
    await sides.stop();
  });
}

Deno.test("tls: a stream that is not the peer's to open ends its group", async () => {
  for (const [id, first] of [[1, 1], [1000, 1], [0, 3]] as const) {
    const sides = tlsSides();
    const control = await raw(sides);
    await control.write(encodeHello({ kind: "control", group: GROUP }));
    const far = await sides.listener.accept();
    const stream = await raw(sides);
    await stream.write(encodeHello({ kind: "client-stream", group: GROUP }));
    const header = encodeHeader({ bidi: false, id });
    header[0] = first;
    await stream.write(header);
    await assertLost(async () => await far?.closed, `stream ${id}`);
    await Promise.all([endOf(stream), endOf(control)]);
    await sides.stop();
  }
});

Deno.test("tls: frames that come in pieces are whole, and those who stop reading stop nothing", async () => {
  const sides = tlsSides();
  const control = await raw(sides);
  await control.write(encodeHello({ kind: "control", group: GROUP }));
  const far = await sides.listener.accept();
  const last = encodeFrame({ type: "close", code: 0x40, reason: "in pieces" });
  for (const byte of last) await control.write(Uint8Array.of(byte));
  assertEquals(await far?.closed, {
    code: "integrity",
    reason: "in pieces",
    remote: true,
  });
  await endOf(control);
  await sides.stop();
});

Deno.test("tls: when one stream's line breaks the whole connection is lost", async () => {
  const pair = await proxiedTlsPair();
  const sending = await pair.near.openUni();
  await sending.write(text("x"));
  const reading = await accepted(pair.far);
  await reading.readFully(buffer(1));
  const waits = reading.readFully(buffer(1));
  waits.catch(() => {});
  // Certificate, control and the spares came first; the stream has one of those.
  for (let index = 1; pair.proxy.size > 1; index++) pair.proxy.cut(index);
  await assertLost(() => waits, "read");
  await assertLost(() => within(5000, "its end", pair.far.closed), "far");
  await assertLost(() => within(5000, "its end", pair.near.closed), "near");
  await pair.stop();
});

/**
 * Sockets of this process on one TCP port of its own; Linux tells. Other tests
 * of this process open and close theirs meanwhile, on other ports.
 */
function openSockets(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const inodes = new Set(
    Deno.readTextFileSync("/proc/self/net/tcp").split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[1]?.endsWith(local))
      .map((fields) => `socket:[${fields[9]}]`),
  );
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return inodes.has(Deno.readLinkSync(`/proc/self/fd/${name}`));
    } catch {
      return false; // that of this listing, or one just closed
    }
  }).length;
}

Deno.test("tls: a peer that reads nothing does not hold what was closed", async () => {
  if (Deno.build.os !== "linux") return;
  const sides = tlsSides();
  const control = await raw(sides);
  await control.write(encodeHello({ kind: "control", group: GROUP }));
  const far = await sides.listener.accept();
  const lent = await raw(sides);
  await lent.write(encodeHello({ kind: "server-stream", group: GROUP }));
  const stream = await far?.openUni();
  const writing = assertLost(
    async () => await stream?.write(buffer(20_000_000)),
    "write",
  );
  await new Promise((resolve) => setTimeout(resolve, 100));
  assertEquals(openSockets(sides.port), 3); // the listener's, and two taken
  far?.close(); // and the peer does not take its leave
  await writing;
  await within(
    5000,
    "its end",
    (async () => {
      while (openSockets(sides.port) > 1) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })(),
  );
  lent.close();
  control.close();
  await sides.stop();
});

Deno.test("tls: a connection that is lent as its group ends is closed with it", async () => {
  if (Deno.build.os !== "linux") return;
  const sides = tlsSides({ handshakeTimeoutMs: 300 });
  const accepting = (async () => {
    while (await sides.listener.accept() !== undefined);
  })();
  for (let n = 0; n < 20; n++) {
    const group = crypto.getRandomValues(new Uint8Array(32));
    const control = await raw(sides);
    const lent = await Promise.all([raw(sides), raw(sides), raw(sides)]);
    await control.write(encodeHello({ kind: "control", group }));
    await control.read(new Uint8Array(10)); // it is let in
    const close = encodeFrame({ type: "close", code: 0, reason: "" });
    const hello = encodeHello({ kind: "server-stream", group });
    await Promise.all([
      lent[0]?.write(hello),
      control.write(close),
      lent[1]?.write(hello),
      lent[2]?.write(hello),
    ]);
    for (const conn of [control, ...lent]) conn.close();
  }
  await within(
    5000,
    "the last of them",
    (async () => {
      while (openSockets(sides.port) > 1) { // the listener's
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })(),
  );
  await sides.stop();
  await accepting;
});

Deno.test("tls: a line that breaks is seen at once, not after the idle time", async () => {
  const pair = await proxiedTlsPair();
  pair.proxy.cut();
  await assertLost(() => within(3000, "its end", pair.near.closed), "near");
  await assertLost(() => within(3000, "its end", pair.far.closed), "far");
  await pair.stop();
});

Deno.test("tls: a connection that says nothing stays, as both give signs of life", async () => {
  const short = { keepAliveMs: 50, idleTimeoutMs: 400 };
  const pair = await tlsPair(tlsSides(short, short));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const got = accepted(pair.far).then(receiveAll);
  await sendAll(pair.near, text("still here"));
  assertEquals(said(await got), "still here");
  await pair.stop();
});

Deno.test("tls: a closed listener leaves its connections, and takes no more", async () => {
  const pair = await tlsPair(tlsSides());
  pair.listener.close();
  assertEquals(await pair.listener.accept(), undefined);
  const got = accepted(pair.far).then(receiveAll);
  await sendAll(pair.near, text("on what there is"));
  assertEquals(said(await got), "on what there is");
  const error = await assertRejects(() => pair.dialer.dial(NEVER), SftpxError);
  assertEquals(error.code, "unreachable");
  await pair.stop();
});

Deno.test("tls: a port that is in use, and a key that is none, are told", () => {
  const { port } = Deno.listen({ hostname: "127.0.0.1", port: 0 })
    .addr as Deno.NetAddr;
  for (
    const [options, why] of [
      [{ port }, /in use/],
      [{ key: "no key" }, /certificate or key/],
      [{ hostname: "192.0.2.1" }, /does not have that address/],
    ] as const
  ) {
    try {
      tlsSides(options).listener.close();
      assert(false, "it listens");
    } catch (error) {
      assert(error instanceof SftpxError && error.code === "config");
      assert(why.test(error.message), error.message);
    }
  }
});

Deno.test("tls: small answers of an accepting end do not wait for each other", async () => {
  const sides = tlsSides();
  if (!noDelay({ hostname: "127.0.0.1", port: sides.port })) {
    return await sides.stop(); // not on this system
  }
  const pair = await tlsPair(sides);
  const near = await pair.near.openBidi();
  await near.send.write(text("?"));
  const far = await pair.far.acceptBidi();
  assert(far !== undefined);
  const began = performance.now();
  for (let i = 0; i < 30; i++) {
    await far.send.write(text("a"));
    await far.send.write(text("b"));
    await near.receive.readFully(buffer(2));
  }
  const ms = performance.now() - began; // a delay is 40 ms, each time
  assert(ms < 600, `30 answers took ${ms} ms`);
  await pair.stop();
});
