/**
 * One TLS connection between two processes of the bench, with nothing around it.
 *
 * @module
 */
import { makeCertificate } from "../crypto/certificate.ts";

const ALPN = ["bench"];

/** Tells the bench of something, as a line of JSON. */
export function tell(event: Readonly<Record<string, unknown>>): void {
  Deno.stdout.writeSync(
    new TextEncoder().encode(`${JSON.stringify(event)}\n`),
  );
}

/** Listens, tells where, and lets one peer in. */
export async function acceptOne(hostname: string): Promise<Deno.TlsConn> {
  const { cert, key } = await makeCertificate({
    ips: [hostname],
    now: new Date(),
  });
  using listener = Deno.listenTls({
    hostname,
    port: 0,
    cert,
    key,
    alpnProtocols: ALPN,
  });
  const { port } = listener.addr;
  tell({ type: "listening", port, fingerprint: encodeURIComponent(cert) });
  const conn = await listener.accept();
  await conn.handshake();
  tell({ type: "connected" });
  return conn;
}

/** Dials who listens, by the certificate that it told of. */
export async function dialOne(
  hostname: string,
  port: number,
  cert: string,
): Promise<Deno.TlsConn> {
  const began = performance.now();
  const conn = await Deno.connectTls({
    hostname,
    port,
    caCerts: [decodeURIComponent(cert)],
    alpnProtocols: ALPN,
  });
  await conn.handshake();
  tell({ type: "connected", handshakeMs: performance.now() - began });
  return conn;
}
