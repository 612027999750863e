/**
 * A file to a router and back, encrypted and in chunks, against the same file
 * over plain HTTPS (HTTP/2) in one piece.
 *
 * @module
 */
import { makeCertificate } from "../../crypto/certificate.ts";
import { parseRouterAddress, type RouterAddress } from "../../xftp/address.ts";
import { storeOnRouters } from "../../xftp/client_send.ts";
import { fetchFromRouters } from "../../xftp/client_recv.ts";
import { type Bench, MIB, ROOT, type Row } from "../bench_context.ts";
import { median, short } from "../stats.ts";

/** What is measured of one side. */
interface Numbers {
  readonly up: number[];
  readonly down: number[];
}

/** Measures an upload and a download. */
export async function xftp(bench: Bench): Promise<readonly Row[]> {
  const bytes = (bench.quick ? 16 : 128) * MIB;
  const source = `${bench.folder}/source`;
  await writeNoise(source, bytes);
  const ours: Numbers = { up: [], down: [] };
  const plain: Numbers = { up: [], down: [] };
  const router = await startRouter(bench.folder);
  const http = await startPlain(bench.folder);
  try {
    for (let run = 0; run < bench.runs; run++) {
      await measurePlain(http, source, bytes, plain);
      await measureOurs(router.address, source, bench.folder, bytes, ours);
    }
  } finally {
    for (const { process } of [router, http]) {
      process.kill("SIGTERM");
      await process.status;
    }
    http.client.close();
  }
  return (["up", "down"] as const).map((way) => {
    const [mine, other] = [median(ours[way]), median(plain[way])];
    bench.tell(`xftp ${way}: ${short(mine)} against ${short(other)} MiB/s`);
    return {
      name: `${bytes / MIB} MiB ${
        way === "up" ? "to a router" : "from a router"
      }, against plain HTTPS (h2)`,
      ours: `${short(mine)} MiB/s`,
      other: `${short(other)} MiB/s`,
      ratio: mine / other,
      goal: "",
      met: undefined,
      limiter: "CPU: XSalsa20-Poly1305 in JavaScript",
      numbers: { ours: ours[way], other: plain[way] },
    };
  });
}

async function measureOurs(
  router: RouterAddress,
  source: string,
  folder: string,
  bytes: number,
  numbers: Numbers,
): Promise<void> {
  const resumeDir = `${folder}/resume`;
  const uploadDir = `${folder}/fetched`;
  const begun = performance.now();
  const { recipients: [description] } = await storeOnRouters({
    paths: [source],
    routers: [router],
    resumeDir,
    fresh: true,
  });
  const stored = performance.now();
  if (description === undefined) throw new Error("no description");
  await fetchFromRouters({ description, uploadDir, resumeDir });
  numbers.up.push(rate(bytes, stored - begun));
  numbers.down.push(rate(bytes, performance.now() - stored));
  await Deno.remove(uploadDir, { recursive: true });
}

async function measurePlain(
  { url, client, folder }: Plain,
  source: string,
  bytes: number,
  numbers: Numbers,
): Promise<void> {
  const begun = performance.now();
  const file = await Deno.open(source);
  const put = await fetch(url, { client, method: "PUT", body: file.readable });
  await put.text();
  const stored = performance.now();
  const got = await fetch(url, { client });
  const target = await Deno.open(`${folder}/plain-fetched`, {
    create: true,
    write: true,
    truncate: true,
  });
  await got.body?.pipeTo(target.writable);
  numbers.up.push(rate(bytes, stored - begun));
  numbers.down.push(rate(bytes, performance.now() - stored));
}

function rate(bytes: number, ms: number): number {
  return bytes / MIB / (ms / 1000);
}

interface Started {
  readonly process: Deno.ChildProcess;
}

interface Plain extends Started {
  readonly url: string;
  readonly client: Deno.HttpClient;
  readonly folder: string;
}

async function startRouter(
  folder: string,
): Promise<Started & { readonly address: RouterAddress }> {
  const place = ["--router-dir", `${folder}/router`, "--json"];
  const sftpx = [
    "run",
    "-A",
    "--v8-flags=--max-semi-space-size=4,--heap-growing-percent=60",
    `${ROOT}cmd/sftpx.ts`,
    "router",
  ];
  const port = freePort();
  await new Deno.Command(Deno.execPath(), {
    args: [...sftpx, "init", ...place, "--quota", "64G", "--port", `${port}`],
    stdout: "null",
    stderr: "null",
  }).output();
  const process = new Deno.Command(Deno.execPath(), {
    args: [...sftpx, "start", ...place],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const { address } = await firstLine(process);
  return { process, address: parseRouterAddress(String(address)) };
}

async function startPlain(folder: string): Promise<Plain> {
  const { cert, key } = await makeCertificate({ now: new Date() });
  await Deno.writeTextFile(`${folder}/cert.pem`, cert);
  await Deno.writeTextFile(`${folder}/key.pem`, key);
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      `${ROOT}bench/plain_h2.ts`,
      `${folder}/plain`,
      `${folder}/cert.pem`,
      `${folder}/key.pem`,
    ],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const { port } = await firstLine(process);
  const client = Deno.createHttpClient({ caCerts: [cert] });
  return { process, client, folder, url: `https://localhost:${port}/` };
}

/** The first line that a program writes, which is JSON. */
async function firstLine(
  process: Deno.ChildProcess,
): Promise<Record<string, unknown>> {
  let text = "";
  const reader = process.stdout.pipeThrough(new TextDecoderStream())
    .getReader();
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`it ended: ${text}`);
    text += value;
  }
  return JSON.parse(text.slice(0, text.indexOf("\n")));
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function writeNoise(path: string, bytes: number): Promise<void> {
  using file = await Deno.open(path, { create: true, write: true });
  const block = new Uint8Array(65_536);
  for (let left = bytes; left > 0; left -= block.length) {
    crypto.getRandomValues(block);
    await file.write(block);
  }
}
