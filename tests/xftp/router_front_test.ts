/**
 * The router's door: what it makes of what a client offers in TLS, and who may
 * speak to what is behind it.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import net from "node:net";
import { makeCertificate } from "../../crypto/certificate.ts";
import {
  isNativeClient,
  readClientHello,
} from "../../xftp/router/client_hello.ts";
import { SftpxError } from "../../core/errors.ts";
import { within } from "../testutil/deadline.ts";
import { rawH2 } from "./raw_h2.ts";
import {
  get,
  greet,
  kitClient,
  kitRouter,
  makeChunk,
  put,
  unblock,
} from "./router_kit.ts";

const NOTHING = new Uint8Array(0);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

async function webCredentials(): Promise<{ cert: string; key: string }> {
  const { cert, key } = await makeCertificate({ now: new Date() });
  return { cert, key };
}

Deno.test("a client is answered in the protocol that it offers, and refused if there is none", async () => {
  await using router = await kitRouter();
  for (const alpn of ["xftp/1", "h2", "http/1.1"]) {
    const h2 = await rawH2({ port: router.port, alpn: [alpn] });
    assertEquals(h2.alpn, alpn);
    const client = kitClient(h2, await greet(h2, router.keyHash));
    assertEquals((await client.ask("PING")).words, "PONG", alpn);
    h2.close();
  }
  const refused = await rawH2({ port: router.port, alpn: ["spdy/3"] })
    .then(() => "connected", () => "refused");
  assertEquals(refused, "refused");
});

Deno.test("a client that offers no protocol speaks version 1, without a handshake", async () => {
  await using router = await kitRouter();
  const h2 = await rawH2({ port: router.port, alpn: [] });
  assertEquals(h2.alpn, false);
  const own = crypto.getRandomValues(new Uint8Array(32));
  const client = kitClient(h2, { sessionId: own, routerKey: NOTHING });
  const chunk = await makeChunk(client, 262_144);
  assertEquals(await put(client, chunk), "OK");
  assertEquals(await get(client, chunk), chunk.data);
  h2.close();
});

Deno.test("a native client is told by what it offers: one protocol, one cipher, no host", () => {
  const native = { host: undefined, protocols: ["xftp/1"], ciphers: [0x1303] };
  assertEquals(isNativeClient(native), true);
  const both = { ...native, ciphers: [0x1303, 0xcca9, 0x00ff] };
  assertEquals(isNativeClient(both), true);
  for (
    const other of [
      { host: "router.example" },
      { protocols: ["xftp/1", "h2"] },
      { protocols: ["h2"] },
      { protocols: [] },
      { ciphers: [0x1303, 0x1301] },
      { ciphers: [0x00ff] },
      { ciphers: [] },
    ]
  ) {
    assertEquals(isNativeClient({ ...native, ...other }), false);
  }
});

Deno.test("behaviour 13: pages and CORS are there for who names a host, if there is a web certificate", async () => {
  const web = await webCredentials();
  await using router = await kitRouter({ web });
  await using plain = await kitRouter();
  const browser = await rawH2({ port: router.port, sni: "localhost" });
  const other = await rawH2({ port: router.port });
  const without = await rawH2({ port: plain.port, sni: "localhost" });
  assert(browser.certificate.toHex() !== other.certificate.toHex());
  assertEquals(
    other.certificate.toHex(),
    router.options.identity.certificates[0]?.toHex(),
  );

  const page = await browser.ask(NOTHING, {}, "GET");
  assertEquals(page.status, 200);
  assert(text(page.body).includes("<title>a router</title>"));
  const preflight = await browser.ask(NOTHING, {}, "OPTIONS");
  assertEquals([preflight.status, preflight.body.length], [200, 0]);
  for (const h2 of [other, without]) {
    for (const method of ["GET", "OPTIONS", "PUT"]) {
      const { status, body } = await h2.ask(NOTHING, {}, method);
      assert(status !== 200, method);
      assertEquals(body.length, 0);
    }
  }
  for (const h2 of [browser, other, without]) {
    const client = kitClient(
      h2,
      await greet(h2, router.keyHash).catch(() => greet(h2, plain.keyHash)),
    );
    assertEquals((await client.ask("PING")).words, "PONG");
    h2.close();
  }
});

Deno.test("a browser's answers may be read by any page", async () => {
  const web = await webCredentials();
  await using router = await kitRouter({ web });
  using http = Deno.createHttpClient({ caCerts: [web.cert] });
  const url = `https://localhost:${router.port}/`;
  const preflight = await fetch(url, { client: http, method: "OPTIONS" });
  await preflight.body?.cancel();
  const header = (name: string) => preflight.headers.get(name);
  assertEquals(preflight.status, 200);
  assertEquals(header("access-control-allow-origin"), "*");
  assertEquals(header("access-control-allow-methods"), "POST, OPTIONS");
  assertEquals(header("access-control-allow-headers"), "*");
  assertEquals(header("access-control-max-age"), "86400");
  const fresh = await fetch(url, {
    client: http,
    method: "POST",
    body: new Uint8Array(16_384),
  });
  assertEquals(fresh.headers.get("access-control-allow-origin"), "*");
  assertEquals(fresh.headers.get("access-control-expose-headers"), "*");
  const body = new Uint8Array(await fresh.arrayBuffer());
  assertEquals(text(unblock(body)), "SESSION"); // no hello was said in it
});

Deno.test("a connection that is new knows nothing of the session of the one before", async () => {
  await using router = await kitRouter();
  const first = await rawH2({ port: router.port, sni: "localhost" });
  const session = await greet(first, router.keyHash);
  first.close();
  const second = await rawH2({ port: router.port, sni: "localhost" });
  const { body } = await second.ask(new Uint8Array(16_384));
  assertEquals(text(unblock(body)), "SESSION");
  const again = await greet(second, router.keyHash);
  assert(again.sessionId.toHex() !== session.sessionId.toHex());
  second.close();
});

Deno.test("who is not the door gets nothing of what is behind it", async () => {
  await using router = await kitRouter();
  const url = `http://127.0.0.1:${router.innerPort}/`;
  for (const method of ["GET", "POST"]) {
    const answer = await fetch(url, {
      method,
      headers: { "xftp-web-hello": "1" },
      ...(method === "POST" ? { body: new Uint8Array(16_384) } : {}),
    });
    assertEquals(answer.status, 403);
    assertEquals((await answer.arrayBuffer()).byteLength, 0);
  }
  // Nor does one who takes the port that a client's connection had.
  const h2 = await rawH2({ port: router.port });
  await greet(h2, router.keyHash);
  h2.close();
  await h2.closed;
  const answer = await fetch(url, { method: "POST", body: NOTHING });
  assertEquals(answer.status, 403);
  await answer.body?.cancel();
});

Deno.test("a client that says nothing for as long as it may is sent away", async () => {
  await using router = await kitRouter({ idleMs: 500 });
  const h2 = await rawH2({ port: router.port });
  const client = kitClient(h2, await greet(h2, router.keyHash));
  assertEquals((await client.ask("PING")).words, "PONG");
  await within(60_000, "the door to close", h2.closed);
});

Deno.test("more clients than may be are closed at once", async () => {
  await using router = await kitRouter({ maxClients: 2 });
  const one = await rawH2({ port: router.port });
  const two = await rawH2({ port: router.port });
  const third = await rawH2({ port: router.port })
    .then(() => "in", () => "closed");
  assertEquals(third, "closed");
  two.close();
  await two.closed;
  const client = kitClient(one, await greet(one, router.keyHash));
  assertEquals((await client.ask("PING")).words, "PONG");
  one.close();
});

Deno.test("the hello of TLS is read in one piece and in many, and noise is none", async () => {
  const hello = await recordHello({ sni: "router.example", alpn: ["xftp/1"] });
  const read = readClientHello(hello);
  assertEquals(read?.host, "router.example");
  assertEquals(read?.protocols, ["xftp/1"]);
  assert((read?.ciphers.length ?? 0) > 0);
  for (let cut = 0; cut < hello.length; cut++) {
    assertEquals(readClientHello(hello.subarray(0, cut)), undefined);
  }
  // The same in two records.
  const content = hello.subarray(5);
  const two = Uint8Array.from([
    ...record(content.subarray(0, 40)),
    ...record(content.subarray(40)),
  ]);
  assertEquals(readClientHello(two), read);
  for (const noise of ["GET / HTTP/1.1\r\n", "\x16\x03\x01\x00\x01\x02"]) {
    const bytes = Uint8Array.from(noise, (letter) => letter.charCodeAt(0));
    assertThrows(() => readClientHello(bytes), SftpxError);
  }
});

function record(content: Uint8Array): number[] {
  return [22, 3, 1, content.length >> 8, content.length & 255, ...content];
}

/** What this platform says first. */
async function recordHello(
  options: { sni: string; alpn: string[] },
): Promise<Uint8Array> {
  const found = Promise.withResolvers<Uint8Array>();
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (data) => {
      found.resolve(new Uint8Array(data as Uint8Array));
      socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  const failed = rawH2({ port, ...options }).catch(() => {});
  const bytes = await found.promise;
  await failed;
  await new Promise((resolve) => server.close(resolve));
  return bytes;
}

Deno.test("a hello that comes byte by byte is heard", async () => {
  await using router = await kitRouter();
  const hello = await recordHello({ sni: "localhost", alpn: ["h2"] });
  const socket = await Deno.connect({ port: router.port });
  socket.setNoDelay(true);
  for (const byte of hello) await socket.write(Uint8Array.of(byte));
  const answer = new Uint8Array(1);
  await within(60_000, "the router's hello", socket.read(answer));
  assertEquals(answer[0], 22); // of TLS
  socket.close();
});
