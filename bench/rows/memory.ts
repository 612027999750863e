/**
 * Memory: neither a large file nor many files may need more of it.
 *
 * @module
 */
import { type Bench, GIB, MIB, type Row } from "../bench_context.ts";
import { short } from "../stats.ts";
import {
  type Place,
  preparePlace,
  transfer,
  type TransferOptions,
} from "../transfer.ts";
import {
  makeFile,
  makeSmallFiles,
  makeSparseFile,
  type Tree,
} from "../trees.ts";
import { clear } from "./large_file.ts";

const LIMIT_MS = 300_000;
const MOST_MIB = 250;

/** Four connections by QUIC at each end, the first one included, all at full speed. */
const FOUR = ["--threads", "3"];

/** Measures the most that either side held, for one large file and for many small ones. */
export async function memory(bench: Bench): Promise<readonly Row[]> {
  const { folder, quick } = bench;
  const place = await preparePlace(folder);
  const size = quick ? GIB / 4 : 10 * GIB;
  const [few, many] = quick ? [500, 5000] : [2000, 200_000];
  const large = await makeSparseFile(`${folder}/sparse`, size);
  const full = quick ? GIB / 4 : 3 * GIB;
  const rows = [
    await row(bench, place, large, `one file of ${size / GIB} GiB`),
    await row(
      bench,
      place,
      await makeFile(`${folder}/full`, full),
      `one file of ${full / GIB} GiB over 4 connections, each on a thread`,
      { sendArgs: [...FOUR, "--carrier", "quic"], recvArgs: FOUR },
    ),
    await row(
      bench,
      place,
      await makeSmallFiles(`${folder}/few`, few, 64),
      `${few} files`,
    ),
    await row(
      bench,
      place,
      await makeSmallFiles(`${folder}/many`, many, 64),
      `${many} files`,
    ),
  ];
  return rows;
}

async function row(
  bench: Bench,
  place: Place,
  { path }: Tree,
  what: string,
  args: Pick<TransferOptions, "sendArgs" | "recvArgs"> = {},
): Promise<Row> {
  const target = `${bench.folder}/target`;
  const { sender, receiver, wholeS } = await transfer({
    ...{ place, source: path, target, limitMs: LIMIT_MS, isTold: false },
    ...args,
  });
  await clear(target);
  await Deno.remove(path, { recursive: true });
  const [from, to] = [sender.peakBytes / MIB, receiver.peakBytes / MIB];
  bench.tell(
    `memory, ${what}: sender ${short(from)} MiB, receiver ${short(to)} MiB, ${
      short(wholeS)
    } s`,
  );
  return {
    name: `most memory of a side, ${what} (sender, receiver)`,
    ours: `${short(from)}, ${short(to)} MiB`,
    other: "",
    ratio: undefined,
    goal: `< ${MOST_MIB} MiB`,
    met: Math.max(from, to) < MOST_MIB,
    limiter: "",
    numbers: { sender: [from], receiver: [to], seconds: [wholeS] },
  };
}
