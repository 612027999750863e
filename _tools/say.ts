/**
 * How the tools talk: lines on stdout, as they come.
 *
 * @module
 */

/** Writes one line to stdout. */
export function say(line = ""): void {
  let rest = new TextEncoder().encode(`${line}\n`);
  while (rest.length > 0) {
    rest = rest.subarray(Deno.stdout.writeSync(rest));
  }
}

/** Says what a check found, and sets the exit code by it. */
export function verdict(name: string, problems: readonly string[]): void {
  for (const problem of problems) {
    say(`${name}: ${problem}`);
  }
  if (problems.length > 0) {
    Deno.exitCode = 1;
  } else {
    say(`${name}: ok`);
  }
}
