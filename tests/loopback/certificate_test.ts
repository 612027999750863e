/** Certificates as QUIC's own handshake judges them. */
import { assert, assertEquals } from "@std/assert";
import {
  type MadeCertificate,
  makeCertificate,
} from "../../crypto/certificate.ts";

const DAY_MS = 86_400_000;
const NOW = Date.now();
const GOOD = await makeCertificate({ now: new Date(NOW) });

/** What a dial came to: "connected", or why not. */
interface Attempt {
  readonly server: MadeCertificate;
  readonly pin: Uint8Array<ArrayBuffer>;
  readonly alpn?: string;
}

/** Dials a receiver with that certificate, on loopback, and tells what came of it. */
async function attempt({ server, pin, alpn }: Attempt): Promise<string> {
  const there = new Deno.QuicEndpoint({ hostname: "127.0.0.1", port: 0 });
  const here = new Deno.QuicEndpoint({ hostname: "127.0.0.1", port: 0 });
  const listener = there.listen({
    cert: server.cert,
    key: server.key,
    alpnProtocols: ["sftpx/1"],
  });
  let accepted = false;
  const accepting = (async () => {
    const incoming = await listener.incoming();
    const conn = await incoming.accept();
    accepted = true;
    await conn.closed;
  })().catch(() => {}); // refused, or ended below
  try {
    const options: Deno.ConnectQuicOptions<false> & {
      readonly serverCertificateHashes: readonly unknown[];
    } = {
      hostname: "127.0.0.1",
      port: there.addr.port,
      alpnProtocols: [alpn ?? "sftpx/1"],
      endpoint: here,
      serverCertificateHashes: [{ algorithm: "sha-256", value: pin }],
    };
    const conn = await Deno.connectQuic(options);
    conn.close();
    await accepting;
    assert(accepted);
    return "connected";
  } catch (error) {
    return String(error);
  } finally {
    listener.stop();
    there.close();
    here.close();
    await accepting;
  }
}

function assertRefused(outcome: string, reason: RegExp): void {
  assert(reason.test(outcome), outcome);
}

Deno.test("a sender with the right fingerprint gets in", async () => {
  assertEquals(
    await attempt({ server: GOOD, pin: GOOD.fingerprint }),
    "connected",
  );
});

Deno.test("another certificate than the one expected is refused", async () => {
  const other = await makeCertificate({ now: new Date(NOW) });
  for (
    const pin of [
      other.fingerprint,
      new Uint8Array(32),
      GOOD.fingerprint.slice(0, 31),
      new Uint8Array(0),
    ]
  ) {
    assertRefused(
      await attempt({ server: GOOD, pin }),
      /invalid peer certificate: UnknownIssuer/,
    );
  }
});

Deno.test("an expired certificate is refused though its fingerprint is right", async () => {
  const server = await makeCertificate({
    now: new Date(NOW - 2 * DAY_MS),
    days: 1,
  });
  assertRefused(
    await attempt({ server, pin: server.fingerprint }),
    /invalid peer certificate: Expired/,
  );
});

Deno.test("a certificate of a clock an hour ahead is accepted, of one two days ahead is not", async () => {
  const hour = await makeCertificate({ now: new Date(NOW + 3_600_000) });
  const days = await makeCertificate({ now: new Date(NOW + 2 * DAY_MS) });
  assertEquals(
    await attempt({ server: hour, pin: hour.fingerprint }),
    "connected",
  );
  assertRefused(
    await attempt({ server: days, pin: days.fingerprint }),
    /invalid peer certificate: NotValidYet/,
  );
});

Deno.test("a certificate that outlives the year 2050 is accepted", async () => {
  const server = await makeCertificate({ now: new Date(NOW), days: 36_500 });
  assertEquals(
    await attempt({ server, pin: server.fingerprint }),
    "connected",
  );
});

Deno.test("a sender of another protocol is refused", async () => {
  assertRefused(
    await attempt({ server: GOOD, pin: GOOD.fingerprint, alpn: "sftpx/2" }),
    /peer doesn't support any known protocol/,
  );
});
