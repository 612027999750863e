/**
 * Runs the tests, all or those that match the arguments, within a bound of
 * time, and ends with how many passed and failed.
 *
 * @module
 */
import { say } from "./say.ts";
import { ROOT } from "./tree.ts";

/** What CI has for everything is 15 minutes. */
const LIMIT_MS = 12 * 60_000;

/** How many tests passed, and how many did not. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/**
 * Adds up the summaries that `deno test` printed; `undefined` when there is
 * none, as when the code does not compile.
 */
export function parseSummary(output: string): Counts | undefined {
  // deno-lint-ignore no-control-regex -- colours are what it removes
  const plain = output.replaceAll(/\x1b\[[0-9;]*m/g, "");
  const summary =
    /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed/gm;
  let counts: Counts | undefined;
  for (const [, passed, failed] of plain.matchAll(summary)) {
    counts = {
      passed: (counts?.passed ?? 0) + Number(passed),
      failed: (counts?.failed ?? 0) + Number(failed),
    };
  }
  return counts;
}

if (import.meta.main) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--parallel", "--doc", ...Deno.args],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, LIMIT_MS);
  const decoder = new TextDecoder();
  let tail = "";
  for await (const bytes of child.stdout) {
    await Deno.stdout.write(bytes);
    // The summary is at the end; what came before need not be kept.
    tail = (tail + decoder.decode(bytes, { stream: true })).slice(-16_384);
  }
  const { success } = await child.status;
  clearTimeout(timer);
  if (timedOut) {
    say(`Cannot finish the tests: ${LIMIT_MS / 60_000} minutes have passed`);
  }
  const counts = parseSummary(tail) ?? { passed: 0, failed: 0 };
  // What fails outside of a test, as a module that does not load, counts too.
  const failed = Math.max(counts.failed, success ? 0 : 1);
  say(`${counts.passed} passed, ${failed} failed`);
  Deno.exitCode = success && !timedOut ? 0 : 1;
}
