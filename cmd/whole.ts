/**
 * The program in one piece: what the binary and the bundle are made of.
 *
 * @module
 */
import { PARTS } from "./parts.ts";
import { start } from "./start.ts";

if (import.meta.main) await start(PARTS);
