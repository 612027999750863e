/**
 * The second yardstick: bytes from the memory of one process to the memory of
 * another over plain Deno TLS, with nothing done to them.
 *
 * `tls_copy.ts receive HOST` prints where it listens; `tls_copy.ts send HOST PORT
 * CERTIFICATE BYTES` dials it. One connection, writes of 1 MiB, reads into the
 * same buffer again and again.
 *
 * @module
 */
import { acceptOne, dialOne, tell } from "./plain_tls.ts";

const BLOCK_BYTES = 1024 * 1024;

async function receive(hostname: string): Promise<void> {
  using conn = await acceptOne(hostname);
  const buffer = new Uint8Array(BLOCK_BYTES);
  let total = 0;
  for (let count; (count = await conn.read(buffer)) !== null;) total += count;
  await conn.write(new TextEncoder().encode(String(total)));
  await conn.closeWrite();
}

async function send(
  hostname: string,
  port: number,
  cert: string,
  bytes: number,
): Promise<void> {
  using conn = await dialOne(hostname, port, cert);
  const buffer = new Uint8Array(BLOCK_BYTES);
  for (let at = 0; at < BLOCK_BYTES; at += 65_536) {
    crypto.getRandomValues(buffer.subarray(at, at + 65_536));
  }
  const blocks = Math.ceil(bytes / BLOCK_BYTES);
  for (let block = 0; block < blocks; block++) {
    for (let at = 0; at < buffer.length;) {
      at += await conn.write(at === 0 ? buffer : buffer.subarray(at));
    }
  }
  await conn.closeWrite();
  const answer = new Uint8Array(64);
  const count = await conn.read(answer) ?? 0;
  const total = Number(new TextDecoder().decode(answer.subarray(0, count)));
  if (total !== blocks * BLOCK_BYTES) throw new Error(`${total} bytes came`);
  tell({ type: "done" });
}

const [role, host = "", port = "", cert = "", bytes = ""] = Deno.args;
if (role === "receive") await receive(host);
else await send(host, Number(port), cert, Number(bytes));
