/**
 * The yardstick: bytes from the memory of one process to the memory of another
 * over plain Deno QUIC, with nothing done to them. No transfer over QUIC can be
 * faster, so its speed is what ours is compared with.
 *
 * `quic_copy.ts receive HOST` prints where it listens; `quic_copy.ts send HOST
 * PORT FINGERPRINT BYTES` dials it. Eight streams, writes of 1 MiB, reads into the
 * same buffer again and again, and the same socket buffers as a transfer has.
 *
 * @module
 */
import { makeCertificate } from "../crypto/certificate.ts";
import { createEndpoint } from "../transport/quic_endpoint.ts";

const STREAMS = 8;
const BLOCK_BYTES = 1024 * 1024;
const OPTIONS = {
  keepAliveInterval: 1000,
  maxIdleTimeout: 30_000,
  maxConcurrentUnidirectionalStreams: 80,
};
const ALPN = ["bench"];

function tell(event: Readonly<Record<string, unknown>>): void {
  Deno.stdout.writeSync(
    new TextEncoder().encode(`${JSON.stringify(event)}\n`),
  );
}

async function receive(host: string): Promise<void> {
  const { cert, key, fingerprint } = await makeCertificate({
    now: new Date(),
  });
  const endpoint = createEndpoint({ hostname: host });
  const listener = endpoint.raw.listen({
    ...OPTIONS,
    cert,
    key,
    alpnProtocols: ALPN,
  });
  tell({
    type: "listening",
    port: endpoint.port,
    fingerprint: fingerprint.toHex(),
  });
  const incoming = await listener.incoming();
  const conn = await incoming.accept();
  tell({ type: "connected" });
  const streams = conn.incomingUnidirectionalStreams.getReader();
  const works: Promise<number>[] = [];
  for (let n = 0; n < STREAMS; n++) {
    const { value } = await streams.read();
    if (value !== undefined) works.push(drain(value));
  }
  const counts = await Promise.all(works);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const last = await conn.createUnidirectionalStream();
  const writer = last.getWriter();
  await writer.write(new TextEncoder().encode(String(total)));
  await writer.close();
  await conn.closed.catch(() => {}); // the sender closes once it has heard us
  endpoint.close();
}

async function drain(stream: ReadableStream<Uint8Array>): Promise<number> {
  const reader = stream.getReader({ mode: "byob" });
  let buffer = new ArrayBuffer(BLOCK_BYTES);
  let total = 0;
  for (;;) {
    const { value, done } = await reader.read(new Uint8Array(buffer), {
      min: BLOCK_BYTES,
    });
    if (value === undefined) return total;
    total += value.length;
    buffer = value.buffer as ArrayBuffer;
    if (done) return total;
  }
}

async function send(
  host: string,
  port: number,
  fingerprint: string,
  bytes: number,
): Promise<void> {
  const endpoint = createEndpoint({ hostname: "0.0.0.0" });
  const began = performance.now();
  const options = {
    ...OPTIONS,
    hostname: host,
    port,
    alpnProtocols: ALPN,
    endpoint: endpoint.raw,
    serverCertificateHashes: [{
      algorithm: "sha-256",
      value: Uint8Array.fromHex(fingerprint),
    }],
  };
  const conn = await Deno.connectQuic(
    options as Deno.ConnectQuicOptions<false>,
  );
  tell({ type: "connected", handshakeMs: performance.now() - began });
  const blocks = Math.ceil(bytes / BLOCK_BYTES);
  let next = 0;
  const fill = async (): Promise<void> => {
    const stream = await conn.createUnidirectionalStream();
    const writer = stream.getWriter();
    const block = crypto.getRandomValues(new Uint8Array(65_536));
    const buffer = new Uint8Array(BLOCK_BYTES);
    for (let at = 0; at < BLOCK_BYTES; at += block.length) {
      buffer.set(block, at);
    }
    await writer.write(buffer.subarray(0, 1)); // or the peer would not see it
    while (next++ < blocks) await writer.write(buffer);
    await writer.close();
  };
  await Promise.all(Array.from({ length: STREAMS }, fill));
  const { value } = await conn.incomingUnidirectionalStreams.getReader().read();
  if (value !== undefined) {
    await new Response(value as ReadableStream<Uint8Array<ArrayBuffer>>).text();
  }
  tell({ type: "done" });
  conn.close();
  await new Promise((resolve) => setTimeout(resolve, 50)); // for the close to leave
  endpoint.close();
}

const [role, host = "", ...rest] = Deno.args;
if (role === "receive") await receive(host);
else {
  const [port = "", fingerprint = "", bytes = ""] = rest;
  await send(host, Number(port), fingerprint, Number(bytes));
}
