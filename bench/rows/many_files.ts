/**
 * Many files: against rsync, and a second time when nothing has changed.
 *
 * @module
 */
import type { Bench, Row, Skipped } from "../bench_context.ts";
import { type FreshDisk, freshDisk } from "../fresh_disk.ts";
import { type Daemon, startDaemon } from "../rsync.ts";
import { median, short } from "../stats.ts";
import {
  bareCopy,
  type Place,
  preparePlace,
  run,
  transfer,
} from "../transfer.ts";
import {
  makeLargeTree,
  makeMixedFiles,
  makeSmallFiles,
  type Tree,
} from "../trees.ts";
import { BARE } from "./carriers.ts";
import { clear } from "./large_file.ts";

const LIMIT_MS = 180_000;
const GIB = 2 ** 30;

/**
 * Measures small files and a mixed tree against rsync, and then once more, both
 * against a bare loop, and a large tree that is there already; or one of these,
 * `rsync`, `again`, `bare` or `unchanged`.
 */
export async function manyFiles(
  bench: Bench,
): Promise<readonly (Row | Skipped)[]> {
  const { folder, quick, part } = bench;
  const place = await preparePlace(folder);
  const rows: (Row | Skipped)[] = [];
  if (part !== "unchanged" && part !== "bare") {
    rows.push(...await smallFiles(bench, place));
  }
  if (part === undefined || part === "bare") {
    rows.push(...await againstBare(bench, place));
  }
  if (part === undefined || part === "unchanged") {
    const large = await makeLargeTree(
      `${folder}/large`,
      quick ? GIB / 16 : 10 * GIB,
    );
    rows.push(await unchanged(bench, place, large));
  }
  return rows;
}

async function smallFiles(
  bench: Bench,
  place: Place,
): Promise<readonly (Row | Skipped)[]> {
  const { folder, quick, part } = bench;
  const rows: (Row | Skipped)[] = [];
  const disk = await freshDisk(folder);
  try {
    const small = await makeSmallFiles(
      `${disk.folder}/small`,
      quick ? 1000 : 20_000,
      4096,
    );
    if (part !== "again") {
      const mixed = await makeMixedFiles(
        `${disk.folder}/mixed`,
        quick ? 500 : 10_000,
      );
      rows.push(...await againstRsync(bench, place, disk, small, mixed));
    }
    if (part !== "rsync") rows.push(await twice(bench, place, disk, small));
  } finally {
    await disk.remove();
  }
  return rows;
}

async function againstRsync(
  bench: Bench,
  place: Place,
  disk: FreshDisk,
  small: Tree,
  mixed: Tree,
): Promise<readonly (Row | Skipped)[]> {
  const daemon = await startDaemon(`${disk.folder}/rsync`);
  try {
    return [
      await against(bench, place, disk, daemon, small, "of 4 KiB"),
      await against(bench, place, disk, daemon, mixed, "of mixed size"),
    ];
  } finally {
    await daemon?.stop();
  }
}

/**
 * The two take turns, and nothing is removed meanwhile. What rsync has not
 * written to the disk when it ends is written before ours begins: each pays for
 * its own files only. Ours are durable at the end.
 */
async function against(
  bench: Bench,
  place: Place,
  disk: FreshDisk,
  daemon: Daemon | undefined,
  { path, files, bytes }: Tree,
  what: string,
): Promise<Row | Skipped> {
  const name =
    `${files} files ${what}, on ${disk.what}; against rsync -a to its daemon`;
  if (daemon === undefined) return { name, skipped: "there is no rsync here" };
  const ours: number[] = [];
  const rsync: number[] = [];
  for (let n = 0; n < bench.runs; n++) {
    const copy = `${path.split("/").at(-1)}-${n}`;
    const target = `${disk.folder}/target-${copy}`;
    await run(["sync", "-f", disk.folder]);
    rsync.push(await daemon.send(path, copy));
    await run(["sync", "-f", disk.folder]);
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

/**
 * The same trees against the least that does the same. The disk is another, so
 * that the memory of neither measurement is short of pages that were used before.
 */
async function againstBare(
  { folder, quick, runs, tell }: Bench,
  place: Place,
): Promise<readonly (Row | Skipped)[]> {
  const disk = await freshDisk(folder);
  const rows: (Row | Skipped)[] = [];
  try {
    const small = `${disk.folder}/small`;
    const mixed = `${disk.folder}/mixed`;
    const trees = [
      [await makeSmallFiles(small, quick ? 1000 : 20_000, 4096), "of 4 KiB"],
      [await makeMixedFiles(mixed, quick ? 500 : 10_000), "of mixed size"],
    ] as const;
    for (const [{ path, files }, what] of trees) {
      const ours: number[] = [];
      const bare: number[] = [];
      for (let n = 0; n < runs; n++) {
        const target = `${path}-${n}`;
        const options = { place, target, limitMs: LIMIT_MS, isTold: false };
        await run(["sync", "-f", disk.folder]);
        ours.push((await transfer({ ...options, source: path })).wholeS);
        await run(["sync", "-f", disk.folder]);
        bare.push((await bareCopy(path, `${target}-bare`, LIMIT_MS)).wholeS);
        tell(
          `${what}, run ${n + 1}: bare ${short(bare[n] ?? 0)} s, ours ${
            short(ours[n] ?? 0)
          } s`,
        );
      }
      rows.push({
        name: `${files} files ${what}, on ${disk.what}; against ${BARE}`,
        ours: `${short(median(ours))} s`,
        other: `${short(median(bare))} s`,
        ratio: median(ours) / median(bare),
        goal: "",
        met: undefined,
        limiter: "CPU",
        numbers: { ours, bare },
      });
    }
  } finally {
    await disk.remove();
  }
  return rows;
}

/** The second time should take as long as a look at every file. */
async function twice(
  bench: Bench,
  place: Place,
  disk: FreshDisk,
  tree: Tree,
): Promise<Row> {
  const target = `${disk.folder}/target`;
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
