/**
 * Runs the tests, all or those that match the arguments, within a bound of
 * time, and ends with how many passed and failed.
 *
 * @module
 */
import { say } from "./say.ts";
import { isTestFile, listFiles, ROOT } from "./tree.ts";

/** On two cores they take 8 minutes; a machine that others load takes longer, one that hangs for ever. */
const LIMIT_MS = 40 * 60_000;

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

/** Runs `deno test` with `args`, showing what it prints, until `deadline`. */
async function runTests(
  args: readonly string[],
  deadline: number,
): Promise<Counts> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", ...args],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const timer = setTimeout(() => {
    say(`Cannot finish the tests: ${LIMIT_MS / 60_000} minutes have passed`);
    child.kill("SIGKILL");
  }, Math.max(0, deadline - Date.now()));
  const decoder = new TextDecoder();
  let tail = "";
  for await (const bytes of child.stdout) {
    await Deno.stdout.write(bytes);
    // The summary is at the end; what came before need not be kept.
    tail = (tail + decoder.decode(bytes, { stream: true })).slice(-16_384);
  }
  const { success } = await child.status;
  clearTimeout(timer);
  const counts = parseSummary(tail) ?? { passed: 0, failed: 0 };
  // What fails outside of a test, as a module that does not load, counts too.
  const failed = Math.max(counts.failed, success ? 0 : 1);
  return { passed: counts.passed, failed };
}

/** The modules whose docs have examples; those of tools and tests are no docs. */
async function modulesWithExamples(): Promise<string[]> {
  const found: string[] = [];
  for (const path of await listFiles()) {
    if (!/\.ts$/.test(path) || /^_tools\//.test(path) || isTestFile(path)) {
      continue;
    }
    const text = await Deno.readTextFile(ROOT + path);
    if (/^\s*\* ```ts/m.test(text)) found.push(path);
  }
  return found;
}

if (import.meta.main) {
  const deadline = Date.now() + LIMIT_MS;
  const outcomes = [await runTests(["--parallel", ...Deno.args], deadline)];
  if (Deno.args.length === 0) {
    // Apart, so that an example that does not compile stops no test.
    const modules = await modulesWithExamples();
    if (modules.length > 0) {
      say("Examples of the docs:");
      outcomes.push(await runTests(["--doc", ...modules], deadline));
    }
  }
  const passed = outcomes.reduce((sum, it) => sum + it.passed, 0);
  const failed = outcomes.reduce((sum, it) => sum + it.failed, 0);
  say(`${passed} passed, ${failed} failed`);
  Deno.exitCode = failed === 0 ? 0 : 1;
}
