/**
 * The program in one piece: what the binary and the bundle are made of.
 *
 * @module
 */
import { seedTls } from "../transport/seed.ts";
import { PARTS } from "./parts.ts";
import { start } from "./start.ts";

if ("WorkerGlobalScope" in globalThis) {
  // A bundle is one script, and a Worker of it is begun by this very file.
  await import("../workers/programs.ts");
} else if (import.meta.main) {
  seedTls();
  await start(PARTS);
}
