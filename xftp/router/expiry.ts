/**
 * Removes chunks whose time is over.
 *
 * A chunk's time counts from the end of the hour in which it was made. At the
 * start all that is over goes at once; later there is a pause after each, so
 * that a day's worth of chunks does not hold up those who are being served.
 *
 * @module
 */
import type { Clock } from "../../core/clock.ts";
import { codeOf } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { ChunkRecord } from "./records.ts";
import type { Stats } from "./stats.ts";
import type { Store } from "./store.ts";

/** How often is looked for chunks whose time is over, ms. */
export const EXPIRY_LOOK_MS = 2 * 3_600_000;

/** The pause after each, ms. */
export const EXPIRY_PAUSE_MS = 100;

/** What expiry needs. */
export interface ExpiryDeps {
  readonly store: Store;
  readonly stats: Stats;
  readonly clock: Clock;
  readonly log: Log;
  /** How long chunks are kept, in seconds. */
  readonly ttlS: number;
}

/** Whether a chunk's time is over at `nowS`. */
export function isExpired(
  chunk: Pick<ChunkRecord, "createdS">,
  ttlS: number,
  nowS: number,
): boolean {
  return chunk.createdS + HOUR_S < nowS - ttlS;
}

/**
 * Removes all chunks whose time is over.
 *
 * @param pauseMs The pause after each.
 * @returns How many there were.
 */
export async function expireChunks(
  deps: ExpiryDeps,
  pauseMs: number,
  signal: AbortSignal,
): Promise<number> {
  const { store, stats, clock, log, ttlS } = deps;
  const nowS = Math.floor(clock.wallMs() / 1000);
  let count = 0;
  const over = [...store.records.all()].filter((chunk) =>
    isExpired(chunk, ttlS, nowS)
  );
  for (const chunk of over) {
    if (signal.aborted) break;
    try {
      await store.remove(chunk);
      stats.count("expired");
      count++;
    } catch (error) {
      // The next look finds it again.
      log.event("router.expiry-failed", { code: codeOf(error) });
    }
    if (pauseMs > 0) await clock.delay(pauseMs, signal).catch(() => {}); // the loop sees it
  }
  if (over.length > 0) log.event("router.expired", { count });
  return count;
}

/** Looks for chunks whose time is over, now and then, until `signal` aborts. */
export async function keepExpiring(
  deps: ExpiryDeps,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await deps.clock.delay(EXPIRY_LOOK_MS, signal).catch(() => {}); // the loop sees it
    if (!signal.aborted) await expireChunks(deps, EXPIRY_PAUSE_MS, signal);
  }
}

const HOUR_S = 3600;
