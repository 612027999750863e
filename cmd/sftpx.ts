/**
 * The program, from its sources.
 *
 * @module
 */
import { seedTls } from "../transport/seed.ts";
import { loadStart, PARTS_LATER } from "./parts_later.ts";

if (import.meta.main) {
  seedTls(); // on another thread, while this one loads the rest
  const { start } = await loadStart(Deno.args[0]);
  await start(PARTS_LATER);
}
