/**
 * Politeness: on a clean path few of our packets are dropped for a full queue,
 * and who shares it with us by TCP gets its part.
 *
 * @module
 */
import {
  type Bench,
  MIB,
  ROOT,
  type Row,
  type Skipped,
} from "../bench_context.ts";
import { buildLink, type Lab, missing, openLab, RECEIVER } from "../lab/lab.ts";
import { startWatched } from "../process.ts";
import { median, short } from "../stats.ts";
import { type Place, preparePlace } from "../transfer.ts";
import { makeFile } from "../trees.ts";
import { memoryFolder, sendOver } from "./links.ts";

const LINK = { rttMs: 50, loss: 0, rateMbit: 100 };
const ALONE_MIB = 128;
const BESIDE_MIB = 416;
/** The flow beside us begins first; CUBIC takes some seconds to recover from our start. */
const HEAD_START_MS = 3000;
const SETTLE_MS = 20_000;
const LOOK_MS = 25_000;
const PORT = 5201;
const MOST_DROPPED = 0.05;
const LEAST_PART = 0.3;
const MOST_PART = 0.7;

/** Measures drops and shares, by what is used if nothing is said and by BBR. */
export async function politeness(
  bench: Bench,
): Promise<readonly (Row | Skipped)[]> {
  const why = await missing();
  if (why !== undefined) return [{ name: "politeness", skipped: why }];
  const folder = await memoryFolder();
  try {
    const program = await buildLink(folder);
    const place = await preparePlace(folder);
    const rows: Row[] = [];
    for (const cc of (bench.part ?? "auto+bbr").split("+")) {
      const alone: number[] = [];
      const part: number[] = [];
      for (let n = 0; n < Math.min(bench.runs, 3); n++) {
        alone.push(await dropped(program, place, cc));
        part.push(await share(program, place, cc));
        bench.tell(
          `--cc ${cc}, run ${n + 1}: ${
            short((alone[n] ?? 0) * 100)
          } % dropped alone, ${
            short((part[n] ?? 0) * 100)
          } % of the link beside TCP`,
        );
      }
      rows.push(dropRow(cc, alone), shareRow(cc, part));
    }
    return rows;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const PATH = `${LINK.rttMs} ms, ${LINK.rateMbit} Mbit/s, clean`;

function dropRow(cc: string, runs: readonly number[]): Row {
  const middle = median(runs);
  return {
    name: `${PATH}: our packets that the queue drops, --cc ${cc}`,
    ours: `${short(middle * 100)} %`,
    other: "",
    ratio: middle,
    goal: "< 0.05",
    met: middle < MOST_DROPPED,
    limiter: "link",
    numbers: { dropped: runs },
  };
}

function shareRow(cc: string, runs: readonly number[]): Row {
  const middle = median(runs);
  return {
    name: `${PATH}: our part beside one TCP flow by CUBIC, --cc ${cc}`,
    ours: `${short(middle * 100)} %`,
    other: `${short((1 - middle) * 100)} %`,
    ratio: middle,
    goal: "0.30 to 0.70",
    met: middle >= LEAST_PART && middle <= MOST_PART,
    limiter: "link",
    numbers: { part: runs },
  };
}

/** The share of our packets that a queue drops when we are alone. */
async function dropped(
  program: string,
  place: Place,
  cc: string,
): Promise<number> {
  await using lab = await openLab(program, LINK);
  const source = `${place.folder}/source`;
  await makeFile(source, ALONE_MIB * MIB);
  const args = ["--cc", cc, "--carrier", "quic"];
  const { dropped } = await sendOver(lab, place, source, ALONE_MIB * MIB, args);
  await Deno.remove(source);
  return dropped;
}

/** Our share of what two flows get. */
async function share(
  program: string,
  place: Place,
  cc: string,
): Promise<number> {
  await using lab = await openLab(program, LINK);
  const source = `${place.folder}/source`;
  await makeFile(source, BESIDE_MIB * MIB);
  const stop = await startFlow(lab);
  try {
    await pause(HEAD_START_MS);
    const args = ["--cc", cc, "--carrier", "quic"];
    const bytes = BESIDE_MIB * MIB;
    const [, part] = await Promise.all([
      sendOver(lab, place, source, bytes, args),
      look(lab),
    ]);
    return part;
  } finally {
    await stop();
    await Deno.remove(source);
  }
}

async function look(lab: Lab): Promise<number> {
  await pause(SETTLE_MS);
  const from = await lab.seen();
  await pause(LOOK_MS);
  const to = await lab.seen();
  const udp = to.udp.passedBytes - from.udp.passedBytes;
  const tcp = to.tcp.passedBytes - from.tcp.passedBytes;
  return udp / (udp + tcp);
}

async function startFlow(lab: Lab): Promise<() => Promise<void>> {
  const script = [Deno.execPath(), "run", "-A", `${ROOT}bench/lab/tcp_flow.ts`];
  const at = [RECEIVER, `${PORT}`];
  const limitMs = 120_000;
  const server = startWatched({
    command: [...lab.receiver, ...script, "receive", ...at],
    limitMs,
  });
  await server.mark("text");
  const client = startWatched({
    command: [...lab.sender, ...script, "send", ...at, "60"],
    limitMs,
  });
  return async () => {
    client.kill();
    server.kill();
    await Promise.all([client.ended, server.ended]);
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
