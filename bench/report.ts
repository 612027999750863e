/**
 * What was measured, for people and for later.
 *
 * @module
 */
import type { Row, Skipped } from "./bench_context.ts";

/** A row, or why there is none. */
export type Result = Row | Skipped | {
  readonly name: string;
  readonly failed: string;
};

/** Where it was measured. */
export interface System {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly deno: string;
}

/** Says what machine this is. */
export function system(): System {
  const info = Deno.build.os === "linux"
    ? Deno.readTextFileSync("/proc/cpuinfo")
    : "";
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: /^model name\s*:\s*(.+)$/m.exec(info)?.[1] ?? Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    kernel: Deno.osRelease(),
    deno: Deno.version.deno,
  };
}

/** The table. */
export function markdown(
  results: readonly Result[],
  about: System,
  runs: number,
): string {
  const lines = [
    `${about.date}, ${about.cpu}, ${about.cores} cores, Linux ${about.kernel}, Deno ${about.deno}; medians of ${runs}`,
    "",
    "| what | SFTPX | other | ratio | goal | met | limited by |",
    "| --- | --- | --- | --- | --- | --- | --- |",
  ];
  for (const result of results) {
    if ("skipped" in result) {
      lines.push(`| ${result.name} | skipped: ${result.skipped} | | | | | |`);
    } else if ("failed" in result) {
      const first = result.failed.split("\n", 1)[0];
      lines.push(`| ${result.name} | FAILED: ${first} | | | | | |`);
    } else {
      const { name, ours, other, ratio, goal, met, limiter } = result;
      const isMet = met === undefined ? "" : met ? "yes" : "no";
      lines.push(
        `| ${name} | ${ours} | ${other} | ${
          ratio?.toFixed(2) ?? ""
        } | ${goal} | ${isMet} | ${limiter} |`,
      );
    }
  }
  return lines.join("\n");
}

/** Writes all numbers to `<folder>/<date>-<cpu>.json`; returns the file's name. */
export async function saveResults(
  folder: string,
  results: readonly Result[],
  about: System,
  runs: number,
): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  const cpu = about.cpu.toLowerCase().replaceAll(/\(r\)|\(tm\)/g, "")
    .replaceAll(/[^a-z0-9.]+/g, "-").replaceAll(/^-|-$/g, "");
  const file = `${folder}/${about.date}-${cpu}.json`;
  const text = JSON.stringify({ ...about, runs, results }, null, 2);
  await Deno.writeTextFile(file, `${text}\n`);
  return file;
}
