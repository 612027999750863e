/**
 * The yardstick for routers: a file over plain HTTPS (HTTP/2) of the same
 * platform, in one piece, with nothing done to it. What comes in is written to
 * disk and synced.
 *
 * `plain_h2.ts FILE CERT KEY` prints its port.
 *
 * @module
 */
const [file = "", cert = "", key = ""] = Deno.args;

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  cert: await Deno.readTextFile(cert),
  key: await Deno.readTextFile(key),
  onListen: ({ port }) =>
    void Deno.stdout.writeSync(
      new TextEncoder().encode(`${JSON.stringify({ port })}\n`),
    ),
}, async (request) => {
  if (request.method === "GET") {
    const source = await Deno.open(file);
    return new Response(source.readable);
  }
  using target = await Deno.open(file, {
    create: true,
    write: true,
    truncate: true,
  });
  for await (const bytes of request.body ?? []) {
    for (let at = 0; at < bytes.length;) {
      at += await target.write(bytes.subarray(at));
    }
  }
  await target.sync();
  return new Response("stored");
});
