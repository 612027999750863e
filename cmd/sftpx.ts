/**
 * The program, from its sources.
 *
 * @module
 */
import { PARTS_LATER } from "./parts_later.ts";
import { start } from "./start.ts";

export { type Library, main, type Surroundings } from "./main.ts";

if (import.meta.main) await start(PARTS_LATER);
