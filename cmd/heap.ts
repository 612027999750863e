/**
 * Keeps the heap small: the engine lets garbage pile up as long as the machine
 * has memory, and a receiver that runs for weeks should not grow with what it
 * once received.
 *
 * @module
 */
import v8 from "node:v8";
import vm from "node:vm";

/** How often to look, ms. */
const LOOK_MS = 250;
/** A process that is no larger than this is left alone, bytes. */
const SMALL_BYTES = 150 * 2 ** 20;
/** The garbage is collected when the process grew by this since the last time, bytes. */
const GROWTH_BYTES = 24 * 2 ** 20;

/** Has garbage collected whenever the process has grown; for as long as it runs. */
export function keepHeapSmall(): void {
  v8.setFlagsFromString("--max-semi-space-size=4");
  v8.setFlagsFromString("--expose-gc");
  const collect: unknown = vm.runInNewContext("gc");
  if (typeof collect !== "function") return;
  let after = 0;
  const timer = setInterval(() => {
    const { rss } = Deno.memoryUsage();
    if (rss < SMALL_BYTES || rss < after + GROWTH_BYTES) return;
    collect();
    after = Deno.memoryUsage().rss;
  }, LOOK_MS);
  Deno.unrefTimer(timer);
}
