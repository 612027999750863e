/**
 * The start of the process.
 *
 * @module
 */
import { putOffTimers } from "../core/timers.ts";
import { exitAfter } from "./exit.ts";
import { processIo } from "./io.ts";
import { libraryOf, main } from "./main.ts";
import type { Parts } from "./parts.ts";

/** Runs what the command line asks for, and ends the process. */
export async function start(parts: Parts): Promise<never> {
  putOffTimers();
  loadAhead(parts, Deno.args[0]);
  const io = processIo();
  const library = libraryOf(parts);
  return await exitAfter(
    (signal) =>
      main(Deno.args, io, () => Promise.resolve(library), signal, parts),
  );
}

/** Loads, while the command line is read, what its first word needs in any case. */
function loadAhead(parts: Parts, command: string | undefined): void {
  const needed = command === "recv" ? [parts.recv, parts.receive] : [];
  for (const load of needed) {
    load().catch(() => {}); // it is said where it is wanted
  }
}
