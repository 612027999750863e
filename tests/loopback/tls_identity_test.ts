/**
 * Over TLS, too, only the one whose certificate is pinned hears anything.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import {
  type MadeCertificate,
  makeCertificate,
  readCertificate,
} from "../../crypto/certificate.ts";
import type { KnownPeer } from "../../transport/tls_dialer.ts";
import {
  fetchCertificate,
  peerCertificate,
  secure,
} from "../../transport/tls_pin.ts";
import { ALPN, CERTIFICATE, NEVER } from "./quic_pair.ts";
import { proxiedTlsPair, tlsPair, tlsSides } from "./tls_pair.ts";

const OTHER = await makeCertificate({ now: new Date() });
const EXPIRED = await makeCertificate({
  now: new Date(2020, 1, 1),
  days: 1,
});

/** Someone with a certificate, who counts what is said to them. */
function stranger(
  { cert, key }: MadeCertificate,
  alpnProtocols: string[] = [ALPN],
) {
  const listener = Deno.listenTls({
    hostname: "127.0.0.1",
    port: 0,
    cert,
    key,
    alpnProtocols,
  });
  const { port } = listener.addr as Deno.NetAddr;
  let heard = 0;
  let connections = 0;
  const listen = async (conn: Deno.TlsConn): Promise<void> => {
    connections++;
    try {
      for (;;) {
        const count = await conn.read(new Uint8Array(100));
        if (count === null) break;
        heard += count;
      }
    } catch {
      // a handshake that failed
    }
    conn.close();
  };
  const run = (async () => {
    const all: Promise<void>[] = [];
    try {
      for (;;) all.push(listen(await listener.accept()));
    } catch {
      await Promise.all(all);
    }
  })();
  return {
    peer: { hostname: "127.0.0.1", port, remote: `127.0.0.1:${port}` },
    get heard() {
      return heard;
    },
    get connections() {
      return connections;
    },
    async stop() {
      listener.close();
      await run;
    },
  };
}

/** Dials a stranger, with the pin of `CERTIFICATE` or another. */
async function refusal(
  who: ReturnType<typeof stranger>,
  fingerprint: Uint8Array = CERTIFICATE.fingerprint,
): Promise<SftpxError> {
  const { hostname, port } = who.peer;
  const sides = tlsSides();
  const dialer = sides.dialerWith({ hostname, port, fingerprint });
  const error = await assertRejects(() => dialer.dial(NEVER), SftpxError);
  await sides.stop();
  await who.stop();
  assertEquals(who.heard, 0, "something was said to a stranger");
  assert(who.connections > 0);
  return error;
}

const PINS = { fingerprints: [CERTIFICATE.fingerprint], alpn: ALPN };

Deno.test("tls: one with another certificate hears nothing", async () => {
  const error = await refusal(stranger(OTHER)); // of the same name
  assertEquals(error.code, "unauthorized");
  assert(/certificate is not the expected/.test(error.message), error.message);
});

Deno.test("tls: an expired certificate is refused, though it is the pinned one", async () => {
  const error = await refusal(stranger(EXPIRED), EXPIRED.fingerprint);
  assertEquals(error.code, "unauthorized");
  assert(/expired/.test(error.message), error.message);
});

Deno.test("tls: one that does not speak our protocol hears nothing", async () => {
  for (const protocols of [["h2"], []]) {
    const error = await refusal(stranger(CERTIFICATE, protocols));
    assertEquals(error.code, "protocol", error.message);
  }
});

Deno.test("tls: one that takes the place of the right one later hears nothing", async () => {
  const who = stranger(OTHER);
  const tcp = await Deno.connect(who.peer);
  const { cert } = CERTIFICATE;
  const error = await assertRejects(
    () => secure(tcp, cert, PINS, "there:1", NEVER),
    SftpxError,
  );
  assertEquals(error.code, "unauthorized");
  await who.stop();
  assertEquals(who.heard, 0);
});

Deno.test("tls: one whom this machine trusts, but who is not pinned, hears nothing", async () => {
  const who = stranger(OTHER);
  const tcp = await Deno.connect(who.peer);
  const error = await assertRejects(
    () => secure(tcp, OTHER.cert, PINS, "there:1", NEVER), // as a root of the system
    SftpxError,
  );
  assertEquals(error.code, "unauthorized");
  await who.stop();
  assertEquals(who.heard, 0);
});

Deno.test("tls: what the platform says a peer has used is what it has used", async () => {
  for (const made of [CERTIFICATE, OTHER]) {
    const who = stranger(made);
    const pins = { fingerprints: [made.fingerprint], alpn: ALPN };
    const pem = await fetchCertificate(who.peer, pins, NEVER);
    const { der } = readCertificate(made.cert, new Date());
    assertEquals(readCertificate(pem, new Date()).der, der);
    const tcp = await Deno.connect(who.peer);
    const conn = await secure(tcp, pem, pins, "there:1", NEVER);
    assertEquals(new Uint8Array(peerCertificate(conn)), der);
    conn.close();
    await who.stop();
  }
});

Deno.test("tls: a platform that does not say which certificate was used is not used", async () => {
  const error = await assertRejects(
    // deno-lint-ignore require-await
    async () => peerCertificate({} as Deno.TlsConn),
    SftpxError,
  );
  assertEquals(error.code, "config");
});

Deno.test("tls: a certificate that was said is used if it is the pinned one, and asked for if not", async () => {
  const { der } = readCertificate(CERTIFICATE.cert, new Date());
  const other = readCertificate(OTHER.cert, new Date()).der;
  const counts: number[] = [];
  for (const shown of [der, undefined, other, new Uint8Array(9)]) {
    const known: KnownPeer = { shown };
    const pair = await proxiedTlsPair({}, { known });
    assertEquals(
      readCertificate(known.certificate ?? "", new Date()).der,
      der,
    );
    counts.push(pair.proxy.count);
    await pair.stop();
  }
  const [least = 0] = counts;
  assertEquals(counts, [least, least + 1, least + 1, least + 1]);
});

Deno.test("tls: as many streams as are known to come are made ready, and no more", async () => {
  const { der } = readCertificate(CERTIFICATE.cert, new Date());
  const pair = await proxiedTlsPair({}, {
    known: { shown: der },
    streams: 2,
    lent: 0,
  });
  const counts: number[] = [];
  for (const _ of [1, 2, 3]) {
    const stream = await pair.near.openUni();
    await stream.write(new Uint8Array(1));
    assert(await pair.far.acceptUni());
    counts.push(pair.proxy.count);
  }
  assertEquals(counts, [3, 3, 4]); // one is for control
  await pair.stop();
});

Deno.test("tls: a peer that has another certificate than it said hears nothing, and is asked", async () => {
  const who = stranger(OTHER);
  const { hostname, port } = who.peer;
  const { der } = readCertificate(CERTIFICATE.cert, new Date());
  const known: KnownPeer = { shown: der };
  const sides = tlsSides();
  const dialer = sides.dialerWith({ hostname, port, known });
  const error = await assertRejects(() => dialer.dial(NEVER), SftpxError);
  assertEquals(error.code, "unauthorized");
  assertEquals(known, { certificate: undefined, shown: undefined });
  await sides.stop();
  await who.stop();
  assertEquals(who.heard, 0);
});

Deno.test("tls: it is TLS 1.3", async () => {
  const { connect } = await import("node:tls");
  const sides = tlsSides();
  const { promise, resolve, reject } = Promise.withResolvers<string | null>();
  const socket = connect({
    port: sides.port,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    ALPNProtocols: [ALPN],
  }, () => resolve(socket.getProtocol()));
  socket.on("error", reject);
  assertEquals(await promise, "TLSv1.3");
  socket.destroy();
  await sides.stop();
});

Deno.test("tls: several pins, of which one is right", async () => {
  const pair = await tlsPair(tlsSides({}, {
    fingerprint: [OTHER.fingerprint, CERTIFICATE.fingerprint],
  }));
  assertEquals(pair.near.carrier, "tcp");
  await pair.stop();
});

Deno.test("tls: a receiver that has its other pinned certificate now is found again", async () => {
  const pins = { fingerprint: [OTHER.fingerprint, CERTIFICATE.fingerprint] };
  const first = tlsSides({}, pins);
  const { port, dialer } = first;
  const pair = await tlsPair(first);
  await pair.stop();
  const second = tlsSides({ port, cert: OTHER.cert, key: OTHER.key });
  const again = await dialer.dial(NEVER);
  again.close();
  await second.stop();
});
