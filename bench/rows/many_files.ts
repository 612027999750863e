/**
 * Many files: against rsync, and a second time when nothing has changed.
 *
 * @module
 */
import type { Bench, Row, Skipped } from "../bench_context.ts";
import { type Daemon, startDaemon } from "../rsync.ts";
import { median, short } from "../stats.ts";
import { type Place, preparePlace, run, transfer } from "../transfer.ts";
import {
  makeLargeTree,
  makeMixedFiles,
  makeSmallFiles,
  type Tree,
} from "../trees.ts";
import { clear } from "./large_file.ts";

const LIMIT_MS = 180_000;
const GIB = 2 ** 30;

/** Measures small files and a mixed tree against rsync, and then once more. */
export async function manyFiles(
  bench: Bench,
): Promise<readonly (Row | Skipped)[]> {
  const { folder, quick } = bench;
  const place = await preparePlace(folder);
  const daemon = await startDaemon(`${folder}/rsync`);
  try {
    const small = await makeSmallFiles(
      `${folder}/small`,
      quick ? 1000 : 20_000,
      4096,
    );
    const again = await twice(bench, place, small);
    const rows = [
      await against(bench, place, daemon, small, "of 4 KiB"),
      await against(
        bench,
        place,
        daemon,
        await makeMixedFiles(`${folder}/mixed`, quick ? 500 : 10_000),
        "of mixed size",
      ),
      again,
      await unchanged(
        bench,
        place,
        await makeLargeTree(`${folder}/large`, quick ? GIB / 16 : 10 * GIB),
      ),
    ];
    return rows;
  } finally {
    await daemon?.stop();
  }
}

async function against(
  bench: Bench,
  place: Place,
  daemon: Daemon | undefined,
  { path, files, bytes }: Tree,
  what: string,
): Promise<Row | Skipped> {
  const name = `${files} files ${what}; against rsync -a to its daemon`;
  if (daemon === undefined) return { name, skipped: "there is no rsync here" };
  const ours: number[] = [];
  const rsync: number[] = [];
  for (let n = 0; n < bench.runs; n++) {
    // Nothing is removed meanwhile: for minutes after that ext4 looks at each
    // inode that was freed before it makes a file, which takes up to 200 µs.
    const copy = `${path.split("/").at(-1)}-${n}`;
    rsync.push(await daemon.send(path, copy));
    const target = `${bench.folder}/target-${copy}`;
    const sent = await transfer({
      ...{ place, source: path, target, limitMs: LIMIT_MS, isTold: false },
    });
    ours.push(sent.wholeS);
    bench.tell(
      `${what}, run ${n + 1}: rsync ${short(rsync[n] ?? 0)} s, ours ${
        short(sent.wholeS)
      } s, CPU ${short(sent.sender.cpuS)} and ${short(sent.receiver.cpuS)} s`,
    );
  }
  const ratio = median(ours) / median(rsync);
  const mib = bytes / 2 ** 20;
  return {
    name,
    ours: `${short(median(ours))} s (${short(mib / median(ours))} MiB/s)`,
    other: `${short(median(rsync))} s`,
    ratio,
    goal: "<= 1.00",
    met: ratio <= 1,
    limiter: "CPU",
    numbers: { ours, rsync },
  };
}

/** The second time should take as long as a look at every file. */
async function twice(bench: Bench, place: Place, tree: Tree): Promise<Row> {
  const target = `${bench.folder}/target`;
  const options = { place, source: tree.path, target, isTold: false };
  await transfer({ ...options, limitMs: LIMIT_MS });
  const ours: number[] = [];
  const list: number[] = [];
  for (let n = 0; n < bench.runs; n++) {
    list.push(await run(["find", tree.path, "-printf", "%s %T@ %p\n"]));
    ours.push((await transfer({ ...options, limitMs: LIMIT_MS })).wholeS);
    bench.tell(
      `again, run ${n + 1}: find ${short(list[n] ?? 0)} s, ours ${
        short(ours[n] ?? 0)
      } s`,
    );
  }
  await clear(target);
  return {
    name: `${tree.files} files that are there already; against find -printf`,
    ours: `${short(median(ours))} s`,
    other: `${short(median(list))} s`,
    ratio: median(ours) / median(list),
    goal: "",
    met: undefined,
    limiter: "CPU",
    numbers: { ours, find: list },
  };
}

/**
 * Large files that are there already: what is left is to list them. Measured
 * against a look at all of them and one file of a byte, which has to start and
 * to shake hands as well.
 */
async function unchanged(
  bench: Bench,
  place: Place,
  { path, files, bytes }: Tree,
): Promise<Row> {
  const target = `${bench.folder}/target-large`;
  const byte = `${bench.folder}/byte`;
  await Deno.writeTextFile(byte, "1");
  const common = { place, limitMs: 600_000, isTold: false };
  await transfer({ ...common, source: path, target });
  const ours: number[] = [];
  const least: number[] = [];
  for (let n = 0; n < bench.runs; n++) {
    const list = await run(["find", path, "-printf", "%s %T@ %p\n"]);
    const other = `${bench.folder}/target-byte-${n}`;
    const one = await transfer({ ...common, source: byte, target: other });
    least.push(list + one.wholeS);
    ours.push((await transfer({ ...common, source: path, target })).wholeS);
  }
  await clear(target);
  const ratio = median(ours) / median(least);
  const size = short(bytes / GIB);
  bench.tell(
    `unchanged: ${short(median(ours))} s against ${short(median(least))} s`,
  );
  return {
    name:
      `${size} GiB in ${files} files that are there already; against find and a file of 1 byte`,
    ours: `${short(median(ours))} s`,
    other: `${short(median(least))} s`,
    ratio,
    goal: "<= 1.20",
    met: ratio <= 1.2,
    limiter: "CPU",
    numbers: { ours, least },
  };
}
