/**
 * The start of the process.
 *
 * @module
 */
import { seedTls } from "../transport/seed.ts";
import { exitAfter } from "./exit.ts";
import { processIo } from "./io.ts";
import { libraryOf, main } from "./main.ts";
import type { Parts } from "./parts.ts";

/** Runs what the command line asks for, and ends the process. */
export async function start(parts: Parts): Promise<never> {
  seedTls(); // beside all that is loaded now
  const io = processIo();
  const library = libraryOf(parts);
  return await exitAfter(
    (signal) =>
      main(Deno.args, io, () => Promise.resolve(library), signal, parts),
  );
}
