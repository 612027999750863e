/**
 * Long, narrow and lossy links: the share of a link that a transfer uses, and
 * how much sooner it is over than with what else there is.
 *
 * @module
 */
import { type Bench, MIB, type Row, type Skipped } from "../bench_context.ts";
import {
  buildLink,
  type Lab,
  type Link,
  missing,
  openLab,
  PAYLOAD,
  RECEIVER,
} from "../lab/lab.ts";
import { openRivals, type Timed } from "../lab/rivals.ts";
import { median, short } from "../stats.ts";
import {
  type Machines,
  type Place,
  plainCopy,
  preparePlace,
  type Transfer,
  transfer,
} from "../transfer.ts";
import { makeFile } from "../trees.ts";
import { clear } from "./large_file.ts";

/** A link, what goes over it, and what should come of it. */
interface Cell extends Link {
  readonly mib: number;
  /** Share of the link's payload rate, from 5 s after the start. */
  readonly goal: number;
}

const CELLS: Readonly<Record<string, Cell>> = {
  a: { rttMs: 20, loss: 0, rateMbit: 1000, mib: 768, goal: 0.9 },
  b: { rttMs: 100, loss: 0, rateMbit: 200, mib: 640, goal: 0.9 },
  c: { rttMs: 200, loss: 0, rateMbit: 100, mib: 384, goal: 0.9 },
  d: { rttMs: 1000, loss: 0, rateMbit: 100, mib: 1024, goal: 0.9 },
  e: { rttMs: 100, loss: 1, rateMbit: 200, mib: 384, goal: 0.6 },
  f: { rttMs: 200, loss: 5, rateMbit: 100, mib: 256, goal: 0.6 },
  g: { rttMs: 50, loss: 10, rateMbit: 50, mib: 128, goal: 0.4 },
};
/** The start that is not counted in a link's share, ms. */
const START_MS = 5000;
/** A rival that takes longer has been seen enough of, seconds: then it is compared with our first so many. */
const RIVAL_S = 20;
const LIMIT_MS = 150_000;
/** Begins the names of how much faster than a rival we were: the same bytes, or the same seconds. */
const AHEAD = "ahead of ";
/** Here what two cores carry may be less than the link does. */
const FAST_MBIT = 500;

/** Measures every link, or those of the letters in `bench.part`. */
export async function links(
  bench: Bench,
): Promise<readonly (Row | Skipped)[]> {
  const why = await missing();
  if (why !== undefined) return [{ name: "links", skipped: why }];
  const folder = await memoryFolder();
  try {
    const wanted = bench.part ??
      (bench.quick ? "b" : Object.keys(CELLS).join(""));
    const program = await buildLink(folder);
    const place = await preparePlace(folder);
    const rows: Row[] = [];
    for (const letter of wanted) {
      const cell = CELLS[letter];
      if (cell === undefined) throw new RangeError(`no link "${letter}"`);
      rows.push(await measure(bench, { cell, program, place, folder }));
    }
    return rows;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A folder in memory where there is one: here it is not the disk that is measured. */
export async function memoryFolder(): Promise<string> {
  const prefix = "sftpx-bench-";
  try {
    return await Deno.makeTempDir({ dir: "/dev/shm", prefix });
  } catch {
    return await Deno.makeTempDir({ prefix });
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
  const { rttMs, loss, rateMbit, mib, goal } = cell;
  const name = `${rttMs} ms, ${loss} % loss, ${rateMbit} Mbit/s, ${mib} MiB`;
  const source = `${folder}/source`;
  const bytes = mib * MIB;
  await makeFile(source, bytes);
  await using lab = await openLab(program, cell);
  const numbers: Record<string, number[]> = {};
  const note = (key: string, value: number): void => {
    (numbers[key] ??= []).push(value);
  };
  const limiters: string[] = [];
  const rivals = `${folder}/rivals`;
  await Deno.mkdir(rivals);
  {
    await using others = await openRivals({ ...lab, ...machines(lab) }, rivals);
    for (let n = 0; n < bench.runs; n++) {
      const ours = await sendOver(lab, place, source, bytes);
      note("ours", bytes * 8e-6 / ours.wholeS);
      note("steady", ours.steadyMbit);
      note("dropped", ours.dropped);
      limiters.push(ours.limiter);
      const told = [
        `ours ${short(bytes * 8e-6 / ours.wholeS)} Mbit/s, from 5 s on ${
          short(ours.steadyMbit)
        }, ${short(ours.dropped * 100)} % dropped by the queue`,
      ];
      if (rateMbit > FAST_MBIT) {
        const copy = await plainCopy(bytes, LIMIT_MS, {
          at: machines(lab),
        });
        const mbit = bytes * 8e-6 / copy.dataS;
        note("plain QUIC", mbit);
        told.push(`plain QUIC ${short(mbit)}`);
      }
      for (const rival of others.all) {
        const timed = await rival.send(source, bytes, RIVAL_S);
        note(rival.name, timed.mbit);
        const { wholeS, mbitBy } = ours;
        const oursMbit = timed.isWhole
          ? bytes * 8e-6 / wholeS
          : mbitBy(timed.seconds);
        note(`${AHEAD}${rival.name}`, oursMbit / timed.mbit);
        told.push(`${rival.name} ${short(timed.mbit)}${isCut(timed)}`);
      }
      bench.tell(`${name}, run ${n + 1}: ${told.join("; ")}`);
    }
  }
  await Deno.remove(rivals, { recursive: true });
  await Deno.remove(source);
  return row(name, cell, goal, numbers, limiters.at(-1) ?? "");
}

function isCut({ isWhole, seconds }: Timed): string {
  return isWhole ? "" : ` (stopped after ${short(seconds)} s)`;
}

function row(
  name: string,
  { rateMbit }: Cell,
  goal: number,
  numbers: Readonly<Record<string, readonly number[]>>,
  limiter: string,
): Row {
  const of = (key: string): number => median(numbers[key] ?? []);
  const keys = Object.keys(numbers);
  const others = keys.filter((key) =>
    !["ours", "steady", "dropped"].includes(key) && !key.startsWith(AHEAD)
  );
  const ratio = of("steady") / (rateMbit * PAYLOAD);
  const ahead = Math.min(
    ...keys.filter((key) => key.startsWith(AHEAD)).map(of),
  );
  return {
    name,
    ours: `${short(of("steady"))} Mbit/s from 5 s on, ${
      short(of("ours"))
    } in all, ${short(of("dropped") * 100)} % dropped; ${
      short(ahead)
    } times the best of the others`,
    other: `${
      others.map((key) => `${key} ${short(of(key))}`).join(", ")
    } (TCP cubic)`,
    ratio,
    goal: `>= ${goal.toFixed(2)} of the link, ahead of the others`,
    met: ratio >= goal && ahead > 1,
    limiter,
    numbers,
  };
}

function machines({ sender, receiver }: Lab): Machines {
  return { sender, receiver, host: RECEIVER };
}

/** One transfer of ours over a link. */
export interface Sent extends Transfer {
  /** What arrived from {@linkcode START_MS} after the start to the end, Mbit/s. */
  readonly steadyMbit: number;
  /** What had arrived so many seconds after the start, Mbit/s from the start on. */
  readonly mbitBy: (seconds: number) => number;
  /** Share of our packets that the queue had no room for. */
  readonly dropped: number;
  /** What it said that limits it, most of the time. */
  readonly limiter: string;
}

/** Sends one file over a link with all the defaults, or `sendArgs`. */
export async function sendOver(
  lab: Lab,
  place: Place,
  source: string,
  bytes: number,
  sendArgs: readonly string[] = [],
): Promise<Sent> {
  const target = `${place.folder}/target`;
  const before = await lab.seen();
  const heard: { readonly atMs: number; readonly sent: number }[] = [];
  const limiters = new Map<string, number>();
  const sent = await transfer({
    place,
    source,
    target,
    limitMs: LIMIT_MS,
    sendArgs,
    at: machines(lab),
    onReceiver(event, atMs) {
      if (event["type"] !== "progress") return;
      heard.push({ atMs, sent: Number(event["sent"]) });
    },
    onSender(event) {
      if (event["type"] !== "progress") return;
      const limiter = String(event["limiter"]);
      limiters.set(limiter, (limiters.get(limiter) ?? 0) + 1);
    },
  });
  const seen = await lab.seen();
  await clear(target);
  const packets = (of: typeof seen): number => of.udp.packets + of.tcp.packets;
  const full = (of: typeof seen): number => of.udp.full + of.tcp.full;
  const [usual = ["none", 0]] = [...limiters].sort((a, b) => b[1] - a[1]);
  const fromMs = sent.beganMs + START_MS;
  const sentBy = (ms: number): number =>
    heard.findLast(({ atMs }) => atMs < sent.beganMs + ms)?.sent ?? 0;
  const ended = heard.find(({ sent }) => sent >= bytes);
  const steadyMbit = ended === undefined || ended.atMs <= fromMs
    ? NaN // over too soon
    : (bytes - sentBy(START_MS)) * 8e-3 / (ended.atMs - fromMs);
  return {
    ...sent,
    steadyMbit,
    mbitBy: (seconds) => sentBy(seconds * 1000) * 8e-6 / seconds,
    dropped: (full(seen) - full(before)) / (packets(seen) - packets(before)),
    limiter: usual[0],
  };
}
