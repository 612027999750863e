/**
 * One byte: all that is left is starting, shaking hands and being sure.
 *
 * @module
 */
import { type Bench, ROOT, type Row } from "../bench_context.ts";
import { median, short } from "../stats.ts";
import { plainCopy, preparePlace, run, transfer } from "../transfer.ts";
import { clear } from "./large_file.ts";

const LIMIT_MS = 30_000;

/** Measures a file of one byte against an empty program and a handshake. */
export async function latency(bench: Bench): Promise<readonly Row[]> {
  const place = await preparePlace(bench.folder);
  const source = `${bench.folder}/byte`;
  await Deno.writeTextFile(source, "1");
  const target = `${bench.folder}/target`;
  const empty = [Deno.execPath(), "run", "-A", `${ROOT}bench/empty.ts`];
  const ours: number[] = [];
  const least: number[] = [];
  for (let n = 0; n < bench.runs; n++) {
    const { handshakeMs } = await plainCopy(1, LIMIT_MS);
    least.push(await run(empty) * 1000 + handshakeMs);
    const options = { place, source, target, limitMs: LIMIT_MS };
    ours.push((await transfer({ ...options, isTold: false })).wholeS * 1000);
    await clear(target);
  }
  const ratio = median(ours) / median(least);
  bench.tell(
    `one byte: ${short(median(ours))} ms against ${short(median(least))} ms`,
  );
  return [{
    name: "a file of 1 byte; against an empty program and one QUIC handshake",
    ours: `${short(median(ours))} ms`,
    other: `${short(median(least))} ms`,
    ratio,
    goal: "<= 2.00",
    met: ratio <= 2,
    limiter: "CPU",
    numbers: { ours, least },
  }];
}
