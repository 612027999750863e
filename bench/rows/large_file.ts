/**
 * One large file, from disk to disk, against bytes from memory to memory.
 *
 * @module
 */
import { type Bench, GIB, MIB, type Row } from "../bench_context.ts";
import { median, short } from "../stats.ts";
import { plainCopy, preparePlace, type Side, transfer } from "../transfer.ts";
import { makeFile } from "../trees.ts";

const LIMIT_MS = 120_000;

/** Measures speed, processor time and memory of both in turn. */
export async function largeFile(bench: Bench): Promise<readonly Row[]> {
  const bytes = bench.quick ? 128 * MIB : GIB;
  const place = await preparePlace(bench.folder);
  const { path } = await makeFile(`${bench.folder}/large`, bytes);
  const target = `${bench.folder}/target`;
  const plain = { rate: [], cpu: [], cpuR: [], cpuS: [] } as Numbers;
  const ours = {
    ...{ rate: [], whole: [], cpu: [], cpuR: [], cpuS: [], peak: [] },
  } as Numbers & { whole: number[]; peak: number[] };
  const perGib = ({ cpuS }: Side): number => cpuS / (bytes / GIB);
  const add = (to: Numbers, { dataS, sender, receiver }: Outcome): void => {
    to.rate.push(bytes / MIB / dataS);
    to.cpuS.push(perGib(sender));
    to.cpuR.push(perGib(receiver));
    to.cpu.push(Math.max(perGib(sender), perGib(receiver)));
  };
  for (let n = 0; n < bench.runs; n++) {
    const copy = await plainCopy(bytes, LIMIT_MS);
    add(plain, copy);
    const sent = await transfer({
      place,
      source: path,
      target,
      limitMs: LIMIT_MS,
    });
    add(ours, sent);
    ours.whole.push(bytes / MIB / sent.wholeS);
    ours.peak.push(
      Math.max(sent.sender.peakBytes, sent.receiver.peakBytes) / MIB,
    );
    await clear(target);
    bench.tell(
      `large file, run ${n + 1}: plain ${
        short(plain.rate[n] ?? 0)
      } MiB/s, ours ${short(ours.rate[n] ?? 0)} MiB/s; CPU s/GiB sender ${
        short(plain.cpuS[n] ?? 0)
      } and ${short(ours.cpuS[n] ?? 0)}, receiver ${
        short(plain.cpuR[n] ?? 0)
      } and ${short(ours.cpuR[n] ?? 0)}`,
    );
  }
  await Deno.remove(path);
  const rate = median(ours.rate) / median(plain.rate);
  const sender = median(ours.cpuS) / median(plain.cpuS);
  const receiver = median(ours.cpuR) / median(plain.cpuR);
  const peak = Math.max(...ours.peak);
  const size = bytes >= GIB ? `${bytes / GIB} GiB` : `${bytes / MIB} MiB`;
  const limiter = "CPU";
  return [
    {
      name:
        `${size}, file to file, BLAKE3 at both ends, durable; against plain QUIC, memory to memory`,
      ours: `${short(median(ours.rate))} MiB/s`,
      other: `${short(median(plain.rate))} MiB/s`,
      ratio: rate,
      goal: ">= 0.90",
      met: rate >= 0.9,
      limiter,
      numbers: { ours: ours.rate, plain: plain.rate, whole: ours.whole },
    },
    cpuRow("sender", sender, ours.cpuS, plain.cpuS),
    cpuRow("receiver", receiver, ours.cpuR, plain.cpuR),
    {
      name: "the same, most memory of a side",
      ours: `${short(peak)} MiB`,
      other: "",
      ratio: undefined,
      goal: "< 250 MiB",
      met: peak < 250,
      limiter: "",
      numbers: { ours: ours.peak },
    },
  ];
}

interface Numbers {
  readonly rate: number[];
  readonly cpu: number[];
  readonly cpuR: number[];
  readonly cpuS: number[];
}

type Outcome = Awaited<ReturnType<typeof transfer>>;

function cpuRow(
  side: string,
  ratio: number,
  ours: readonly number[],
  plain: readonly number[],
): Row {
  return {
    name: `the same, CPU of the ${side}`,
    ours: `${short(median(ours))} s/GiB`,
    other: `${short(median(plain))} s/GiB`,
    ratio,
    goal: "<= 1.15",
    met: ratio <= 1.15,
    limiter: "",
    numbers: { ours, plain },
  };
}

/** Removes what a transfer left. */
export async function clear(target: string): Promise<void> {
  for (const path of [target, `${target}.state`, `${target}.sender`]) {
    await Deno.remove(path, { recursive: true }).catch(() => {});
  }
}
