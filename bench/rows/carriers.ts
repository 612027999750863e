/**
 * One large file over a path on which TCP beside QUIC should carry it, against
 * a plain copy over TLS and against scp.
 *
 * @module
 */
import {
  type Bench,
  GIB,
  MIB,
  type Row,
  type Skipped,
} from "../bench_context.ts";
import { missing } from "../lab/lab.ts";
import { openRivals } from "../lab/rivals.ts";
import { openVeth } from "../lab/veth.ts";
import { median, short } from "../stats.ts";
import {
  bareCopy,
  type Machines,
  plainCopy,
  preparePlace,
  transfer,
} from "../transfer.ts";
import { makeFile } from "../trees.ts";
import { clear } from "./large_file.ts";

const LIMIT_MS = 120_000;
/** See `bare_copy.ts`. */
export const BARE = "a bare loop: read, hash, TLS, hash, write, sync";
const HERE: Machines = { sender: [], receiver: [], host: "127.0.0.1" };

/** Measures all three in turn, over loopback and over a pair of virtual interfaces. */
export async function carriers(
  bench: Bench,
): Promise<readonly (Row | Skipped)[]> {
  const rows = await measure(bench, "loopback", HERE);
  const why = await missing();
  if (why !== undefined) {
    return [...rows, { name: "carriers, veth", skipped: why }];
  }
  await using veth = await openVeth();
  return [...rows, ...await measure(bench, "veth", veth.at)];
}

async function measure(
  bench: Bench,
  path: string,
  at: Machines,
): Promise<readonly (Row | Skipped)[]> {
  const bytes = bench.quick ? 128 * MIB : 2 * GIB;
  const place = await preparePlace(bench.folder);
  const { path: file } = await makeFile(`${bench.folder}/large`, bytes);
  const target = `${bench.folder}/target`;
  const own = `${bench.folder}/rivals.${path}`;
  await Deno.mkdir(own);
  await using rivals = await openRivals(at, own);
  const scp = rivals.all.find(({ name }) => name === "scp");
  const rates = { ours: [], whole: [], tls: [], bare: [], scp: [] } as Record<
    "ours" | "whole" | "tls" | "bare" | "scp",
    number[]
  >;
  const rate = (seconds: number): number => bytes / MIB / seconds;
  for (let n = 0; n < bench.runs; n++) {
    const plain = await plainCopy(bytes, LIMIT_MS, { by: "tls", at });
    rates.tls.push(rate(plain.dataS));
    const sent = await transfer({
      place,
      at,
      source: file,
      target,
      limitMs: LIMIT_MS,
    });
    rates.ours.push(rate(sent.dataS));
    rates.whole.push(rate(sent.wholeS));
    await clear(target);
    const bare = await bareCopy(file, target, LIMIT_MS, at);
    rates.bare.push(rate(bare.dataS));
    await clear(target);
    const by = await scp?.send(file, bytes, LIMIT_MS / 1000);
    if (by !== undefined) rates.scp.push(rate(by.seconds));
    bench.tell(
      `carriers, ${path}, run ${n + 1}: plain TLS ${
        short(rate(plain.dataS))
      } MiB/s, ours ${short(rate(sent.dataS))}, bare ${
        short(rate(bare.dataS))
      }, scp ${by === undefined ? "absent" : short(rate(by.seconds))}`,
    );
  }
  await Deno.remove(file);
  const size = bytes >= GIB ? `${bytes / GIB} GiB` : `${bytes / MIB} MiB`;
  const numbers = rates;
  const tls = median(rates.ours) / median(rates.tls);
  const rows: (Row | Skipped)[] = [{
    name:
      `${size} over ${path}, file to file, TCP beside QUIC, durable; against plain TLS, memory to memory`,
    ours: `${short(median(rates.ours))} MiB/s`,
    other: `${short(median(rates.tls))} MiB/s`,
    ratio: tls,
    goal: ">= 0.55",
    met: tls >= 0.55,
    limiter: "CPU",
    numbers,
  }, {
    name: `the same; against ${BARE}`,
    ours: `${short(median(rates.ours))} MiB/s`,
    other: `${short(median(rates.bare))} MiB/s`,
    ratio: median(rates.ours) / median(rates.bare),
    goal: "",
    met: undefined,
    limiter: "CPU",
    numbers,
  }];
  const name = `the same, from start to end; against scp`;
  if (rates.scp.length === 0) {
    rows.push({ name, skipped: "ssh and its server are not installed" });
    return rows;
  }
  const ratio = median(rates.whole) / median(rates.scp);
  rows.push({
    name,
    ours: `${short(median(rates.whole))} MiB/s`,
    other: `${short(median(rates.scp))} MiB/s`,
    ratio,
    goal: ">= 2.0",
    met: ratio >= 2,
    limiter: "CPU",
    numbers,
  });
  return rows;
}
