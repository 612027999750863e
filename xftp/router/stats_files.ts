/**
 * Keeps statistics on disk: a row at every midnight (UTC), what Prometheus reads
 * every so often, and all of it when the router stops.
 *
 * @module
 */
import type { Clock } from "../../core/clock.ts";
import { codeOf, SftpxError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { errorCode, ioError } from "../../store/io_error.ts";
import type { Stats } from "./stats.ts";
import {
  formatBackup,
  formatRow,
  parseBackup,
  type StoredAmount,
} from "./stats_text.ts";

/** What is kept, and where. */
export interface StatsFilesDeps {
  readonly stats: Stats;
  readonly stored: () => StoredAmount;
  readonly clock: Clock;
  readonly log: Log;
}

const DAY_MS = 86_400_000;

/** Milliseconds from `nowMs` to the next midnight, UTC. */
export function untilMidnight(nowMs: number): number {
  return DAY_MS - nowMs % DAY_MS;
}

/**
 * Goes on from what a router that stopped has left, if there is something; it
 * is then renamed, so that it is not counted twice.
 *
 * @throws {SftpxError} `config`, when it cannot be understood.
 */
export async function restoreStats(
  path: string,
  stats: Stats,
): Promise<boolean> {
  try {
    stats.restore(parseBackup(await Deno.readTextFile(path)));
    await Deno.rename(path, `${path}.bak`);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    const reason = ioError(`read "${path}"`, error).message;
    const message = error instanceof SftpxError
      ? `Cannot use statistics "${path}": ${error.message}`
      : reason;
    throw new SftpxError("config", message, error);
  }
}

/** Leaves what is counted for the router that starts next. */
export async function saveStats(
  path: string,
  deps: Pick<StatsFilesDeps, "stats" | "stored">,
): Promise<void> {
  const text = formatBackup(deps.stats.snapshot(), deps.stored());
  await replaceFile(path, text);
}

/** Adds a row at every midnight, until `signal` aborts. */
export async function keepRows(
  path: string,
  deps: StatsFilesDeps,
  signal: AbortSignal,
): Promise<void> {
  const { stats, stored, clock, log } = deps;
  while (!signal.aborted) {
    const midnightMs = clock.wallMs() + untilMidnight(clock.wallMs());
    await clock.delay(untilMidnight(clock.wallMs()), signal).catch(() => {}); // the loop sees it
    if (signal.aborted) return;
    const row = formatRow(stats.endRow(midnightMs), stored());
    try {
      await Deno.writeTextFile(path, `${row}\n`, { append: true, mode: 0o600 });
    } catch (error) {
      log.event("router.stats-failed", { code: codeOf(error) });
    }
  }
}

/** Writes what `text` says every `everyMs`, until `signal` aborts. */
export async function keepMetrics(
  path: string,
  text: () => string,
  everyMs: number,
  deps: Pick<StatsFilesDeps, "clock" | "log">,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await replaceFile(path, text());
    } catch (error) {
      deps.log.event("router.metrics-failed", { code: codeOf(error) });
    }
    await deps.clock.delay(everyMs, signal).catch(() => {}); // the loop sees it
  }
}

/** Whole or not at all: another program may read it at any time. */
async function replaceFile(path: string, text: string): Promise<void> {
  try {
    await Deno.writeTextFile(`${path}.tmp`, text, { mode: 0o600 });
    await Deno.rename(`${path}.tmp`, path);
  } catch (error) {
    throw ioError(`write "${path}"`, error);
  }
}
