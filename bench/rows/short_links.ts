/**
 * Little over links that lose packets: it is over before a start has settled, so
 * what counts is how soon loss is known for what it is.
 *
 * @module
 */
import { type Bench, MIB, type Row, type Skipped } from "../bench_context.ts";
import {
  buildLink,
  type Link,
  missing,
  openLab,
  RECEIVER,
} from "../lab/lab.ts";
import { openRivals } from "../lab/rivals.ts";
import { median, short } from "../stats.ts";
import { type Place, preparePlace } from "../transfer.ts";
import { makeFile } from "../trees.ts";
import { memoryFolder, sendOver } from "./links.ts";

interface Cell extends Link {
  readonly mib: number;
}

const CELLS: readonly Cell[] = [
  { rttMs: 100, loss: 1, rateMbit: 200, mib: 4 },
  { rttMs: 200, loss: 5, rateMbit: 100, mib: 1 },
  { rttMs: 200, loss: 5, rateMbit: 100, mib: 4 },
  { rttMs: 50, loss: 10, rateMbit: 50, mib: 4 },
];
/** A rival that takes longer has been seen enough of, seconds. */
const RIVAL_S = 15;

/** Measures each in turn: by default, by BBR from the beginning, and with what else there is. */
export async function shortLinks(
  bench: Bench,
): Promise<readonly (Row | Skipped)[]> {
  const why = await missing();
  if (why !== undefined) return [{ name: "short links", skipped: why }];
  const folder = await memoryFolder();
  try {
    const program = await buildLink(folder);
    const place = await preparePlace(folder);
    const rows: Row[] = [];
    for (const cell of bench.quick ? CELLS.slice(0, 1) : CELLS) {
      rows.push(await measure(bench, { cell, program, place, folder }));
    }
    return rows;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function measure(
  bench: Bench,
  { cell, program, place, folder }: {
    readonly cell: Cell;
    readonly program: string;
    readonly place: Place;
    readonly folder: string;
  },
): Promise<Row> {
  const { rttMs, loss, rateMbit, mib } = cell;
  const name = `${rttMs} ms, ${loss} % loss, ${rateMbit} Mbit/s, ${mib} MiB`;
  const source = `${folder}/source`;
  await makeFile(source, mib * MIB);
  await using lab = await openLab(program, cell);
  const numbers: Record<string, number[]> = {};
  const note = (key: string, seconds: number): void => {
    (numbers[key] ??= []).push(seconds);
  };
  const own = `${folder}/rivals`;
  await Deno.mkdir(own);
  const { sender, receiver } = lab;
  {
    const where = { ...lab, sender, receiver, host: RECEIVER };
    await using rivals = await openRivals(where, own);
    for (let n = 0; n < bench.runs; n++) {
      for (const cc of ["auto", "bbr"]) {
        const args = ["--cc", cc];
        const sent = await sendOver(lab, place, source, mib * MIB, args);
        note(cc, sent.wholeS);
      }
      for (const rival of rivals.all) {
        const { seconds, isWhole } = await rival
          .send(source, mib * MIB, RIVAL_S);
        note(isWhole ? rival.name : `${rival.name}, stopped`, seconds);
      }
      const told = Object.entries(numbers)
        .map(([key, all]) => `${key} ${short(all.at(-1) ?? NaN)} s`);
      bench.tell(`short, ${name}, run ${n + 1}: ${told.join("; ")}`);
    }
  }
  await Deno.remove(own, { recursive: true });
  await Deno.remove(source);
  const of = (key: string): number => median(numbers[key] ?? []);
  const others = Object.keys(numbers)
    .filter((key) => key !== "auto" && key !== "bbr");
  const best = Math.min(...others.map(of));
  return {
    name: `short: ${name}`,
    ours: `${short(of("auto"))} s; by BBR from the beginning ${
      short(of("bbr"))
    } s`,
    other: `${
      others.map((key) => `${key} ${short(of(key))} s`).join(", ")
    } (TCP cubic)`,
    ratio: of("auto") / best,
    goal: others.length > 0 ? "< 1 of the best of the others" : "",
    met: others.length > 0 ? of("auto") < best : undefined,
    limiter: "loss",
    numbers,
  };
}
