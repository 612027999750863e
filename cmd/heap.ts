/**
 * Keeps the heap small: the engine lets garbage pile up as long as the machine
 * has memory, and a receiver that runs for weeks should not grow with what it
 * once received.
 *
 * @module
 */

import { everyIdle } from "../core/timers.ts";

/** How often to look, ms. */
const LOOK_MS = 250;
/** A process that is no larger than this is left alone, bytes. */
const SMALL_BYTES = 190 * 2 ** 20;
/** The garbage is collected when the process grew by this since the last time, bytes. */
const GROWTH_BYTES = 24 * 2 ** 20;

/** Has garbage collected whenever the process has grown; for as long as it runs. */
export function keepHeapSmall(): void {
  let collect: Promise<() => void> | undefined;
  let after = 0;
  const look = async (): Promise<void> => {
    const { rss } = Deno.memoryUsage();
    if (rss < SMALL_BYTES || rss < after + GROWTH_BYTES) return;
    after = Infinity; // until it is done
    (await (collect ??= collector()))();
    after = Deno.memoryUsage().rss;
  };
  everyIdle(LOOK_MS, look);
}

/** What collects garbage; loaded when it is needed first, as few transfers are so large. */
async function collector(): Promise<() => void> {
  const { default: v8 } = await import("node:v8");
  const { default: vm } = await import("node:vm");
  v8.setFlagsFromString("--max-semi-space-size=4");
  v8.setFlagsFromString("--expose-gc");
  const collect: unknown = vm.runInNewContext("gc");
  return typeof collect === "function" ? () => collect() : () => {};
}
