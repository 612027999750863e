/**
 * One plain TCP flow, as anybody's download: `tcp_flow.ts receive HOST PORT`
 * takes it, `tcp_flow.ts send HOST PORT SECONDS` sends as fast as it may.
 *
 * @module
 */
const BLOCK_BYTES = 64 * 1024;

const [role, hostname = "", port = "", seconds = ""] = Deno.args;
if (role === "receive") {
  using listener = Deno.listen({ hostname, port: Number(port) });
  Deno.stdout.writeSync(new TextEncoder().encode("listening\n"));
  using conn = await listener.accept();
  const buffer = new Uint8Array(BLOCK_BYTES);
  while (await conn.read(buffer) !== null) { /* nobody wants it */ }
} else {
  using conn = await Deno.connect({ hostname, port: Number(port) });
  const until = performance.now() + Number(seconds) * 1000;
  const block = new Uint8Array(BLOCK_BYTES);
  while (performance.now() < until) await conn.write(block);
}
