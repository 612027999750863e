/**
 * `deno task bench`: measures speed and memory, each against something that
 * runs in turn with it on the same machine, and prints a table.
 *
 * Seconds alone say little on a machine that others use as well; ratios of
 * medians of runs that take turns say more, and so does processor time.
 *
 * `--quick` takes a minute, `--only large,files` measures some rows, `--runs 7`
 * says how often. The numbers go to bench/results/, unless it is quick.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { type Bench, type Measure, ROOT } from "./bench_context.ts";
import { markdown, type Result, saveResults, system } from "./report.ts";
import { carriers } from "./rows/carriers.ts";
import { largeFile } from "./rows/large_file.ts";
import { latency } from "./rows/latency.ts";
import { links } from "./rows/links.ts";
import { politeness } from "./rows/politeness.ts";
import { manyFiles } from "./rows/many_files.ts";
import { memory } from "./rows/memory.ts";
import { shortLinks } from "./rows/short_links.ts";
import { xftp } from "./rows/xftp.ts";

const ROWS: Readonly<Record<string, Measure>> = {
  large: largeFile,
  files: manyFiles,
  latency,
  memory,
  carriers,
  xftp,
  links,
  short: shortLinks,
  politeness,
};

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

const { values } = parseArgs({
  args: Deno.args,
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", default: Object.keys(ROWS).join() },
    runs: { type: "string" },
    save: { type: "boolean", default: false },
  },
});
const { quick } = values;
const runs = Number(values.runs ?? (quick ? 1 : 7));
if (!Number.isInteger(runs) || runs < 1) {
  throw new RangeError(`Cannot run ${values.runs} times`);
}
const results: Result[] = [];
for (const wanted of values.only.split(",")) {
  const [name = "", part] = wanted.split(":");
  const measure = ROWS[name];
  if (measure === undefined) {
    throw new RangeError(
      `Cannot measure "${name}": there are ${Object.keys(ROWS)}`,
    );
  }
  const folder = await Deno.makeTempDir({ prefix: "sftpx-bench-" });
  const bench: Bench = {
    folder,
    runs,
    quick,
    part,
    tell: (text) => say(`  ${text}`),
  };
  try {
    results.push(...await measure(bench));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    results.push({ name, failed: why });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
const about = system();
say("");
say(markdown(results, about, runs));
if (values.save || !quick && values.only === Object.keys(ROWS).join()) {
  const file = await saveResults(`${ROOT}bench/results`, results, about, runs);
  say(`\nThe numbers are in ${file}.`);
}
// Smoke: nothing is judged by its speed on a machine that is busy.
if (results.some((result) => "failed" in result)) Deno.exitCode = 1;
