/**
 * Files stay short enough to be read in one go: over 300 lines is worth a
 * word, over 400 is refused. Tests may be longer.
 *
 * @module
 */
import { say, verdict } from "./say.ts";
import { isTestFile, listFiles, ROOT } from "./tree.ts";

const WARN_LINES = 300;
const MAX_LINES = 400;

/** What is too long. */
export interface LongFiles {
  readonly warnings: readonly string[];
  readonly problems: readonly string[];
}

/** Sorts files, given with their numbers of lines, into those that are too long. */
export function judgeLengths(
  files: Iterable<readonly [path: string, lines: number]>,
): LongFiles {
  const warnings: string[] = [];
  const problems: string[] = [];
  for (const [path, lines] of files) {
    if (isTestFile(path)) continue;
    if (lines > MAX_LINES) {
      problems.push(`${path} has ${lines} lines, over ${MAX_LINES}`);
    } else if (lines > WARN_LINES) {
      warnings.push(`${path} has ${lines} lines, over ${WARN_LINES}`);
    }
  }
  return { warnings, problems };
}

if (import.meta.main) {
  const files: [string, number][] = [];
  for (const path of await listFiles()) {
    if (path.endsWith(".ts")) {
      const text = await Deno.readTextFile(ROOT + path);
      files.push([path, text.split("\n").length - 1]);
    }
  }
  const { warnings, problems } = judgeLengths(files);
  for (const warning of warnings) {
    say(`file limits: warning: ${warning}`);
  }
  verdict("file limits", problems);
}
