/**
 * Which of the logs that were put aside are to go.
 *
 * @module
 */
import { basename, dirname } from "node:path";

const DAY_MS = 86_400_000;
/** However old, these many stay beside those of the last day. */
const KEPT = 3;
/** None stays for longer. */
const OLDEST_MS = 21 * DAY_MS;

/** The logs beside `path` that are to be removed. */
export async function oldLogs(path: string, nowMs: number): Promise<string[]> {
  const prefix = `${basename(path)}.`;
  const found: { name: string; ms: number }[] = [];
  for await (const { name, isFile } of Deno.readDir(dirname(path))) {
    if (!isFile || !name.startsWith(prefix)) continue;
    const time = name.slice(prefix.length);
    const ms = Date.parse(time);
    // Only names that we gave: others may have put something beside it.
    if (/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(time) && !Number.isNaN(ms)) {
      found.push({ name: path + name.slice(prefix.length - 1), ms });
    }
  }
  const older = found.filter(({ ms }) => nowMs - ms > DAY_MS)
    .sort((a, b) => b.ms - a.ms);
  return older.filter(({ ms }, index) =>
    index >= KEPT || nowMs - ms > OLDEST_MS
  )
    .map(({ name }) => name);
}
