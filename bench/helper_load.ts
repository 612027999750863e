/**
 * How many peers can wait at a helper, and what each takes: a helper in a process
 * of its own, and peers that wait over real QUIC, of which some are then found.
 *
 *     deno run -A bench/helper_load.ts [PEERS]
 *
 * @module
 */
import { systemClock } from "../core/clock.ts";
import { secret } from "../core/secret.ts";
import { makeCertificate } from "../crypto/certificate.ts";
import { systemRandomBytes } from "../crypto/random.ts";
import { createHelperClient } from "../rendezvous/client.ts";
import { helperDialer, parseHelper } from "../rendezvous/helper_dialer.ts";
import { serveHelper } from "../rendezvous/serve_helper.ts";
import { endpointPool } from "../transport/quic.ts";

const NEVER = new AbortController().signal;

if (Deno.args[0] === "serve") await serve();
else await load(Number(Deno.args[0] ?? 3000));

/** The helper: says where it is, then how large it is each time that it is asked. */
async function serve(): Promise<void> {
  const { cert, key } = await makeCertificate({ now: new Date() });
  const helper = serveHelper({
    bind: "127.0.0.1:0",
    certificate: { cert, key: secret(new TextEncoder().encode(key)) },
    stun: false,
    maxConnectionsPerAddress: 1e6,
    requestsPerMinute: 1e9,
  });
  const say = (value: unknown): Promise<number> =>
    Deno.stdout.write(new TextEncoder().encode(`${JSON.stringify(value)}\n`));
  await say(`${helper.address}/${helper.fingerprint.toHex()}`);
  for await (const _ of Deno.stdin.readable) {
    await say({
      rss: Deno.memoryUsage().rss,
      waiting: Number(
        /^sftpx_helper_waiting (\d+)$/m.exec(helper.exposition())?.[1],
      ),
    });
  }
  await helper.close();
}

async function load(peers: number): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--config",
      "deno.json",
      import.meta.filename ?? "",
      "serve",
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const input = child.stdin.getWriter();
  const hear = async () => JSON.parse((await lines.read()).value ?? "null");
  const ask = async () => {
    await input.write(new TextEncoder().encode("?\n"));
    return await hear();
  };
  const helper = parseHelper(await hear());
  const pool = endpointPool({ size: 8 });
  const client = () =>
    createHelperClient(
      helperDialer({
        helper,
        pool,
        random: systemRandomBytes,
        carrier: "quic",
      }),
      systemClock,
    );
  const before = await ask();
  const began = performance.now();
  const waiting = [];
  for (let at = 0; at < peers; at += 50) {
    waiting.push(
      ...await Promise.all(
        Array.from(
          { length: Math.min(50, peers - at) },
          async () => await client().allocate(systemRandomBytes(16), NEVER),
        ),
      ),
    );
  }
  const tookMs = performance.now() - began;
  await systemClock.delay(5500); // the gauge is set by then
  const after = await ask();
  const times: number[] = [];
  for (let at = 0; at < peers; at += Math.ceil(peers / 50)) {
    const there = waiting[at];
    if (there === undefined) continue;
    const from = performance.now();
    const other = await client()
      .claim("receiver", there.slot, systemRandomBytes(16), NEVER);
    await Promise.all([there.met(), other.met()]);
    times.push(performance.now() - from);
  }
  times.sort((a, b) => a - b);
  const line = JSON.stringify({
    peers,
    waiting: after.waiting,
    came: `${Math.round(peers / tookMs * 1000)}/s`,
    rssBefore: `${(before.rss / 2 ** 20).toFixed(0)} MiB`,
    rssAfter: `${(after.rss / 2 ** 20).toFixed(0)} MiB`,
    each: `${((after.rss - before.rss) / peers / 1024).toFixed(0)} KiB`,
    metMs: {
      median: Math.round(times[times.length >> 1] ?? 0),
      worst: Math.round(times.at(-1) ?? 0),
    },
  });
  await Deno.stdout.write(new TextEncoder().encode(`${line}\n`));
  await input.close();
  pool.close();
  await child.status;
  Deno.exit();
}
