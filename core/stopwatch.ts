/**
 * How long things were waited for, by kind, over the last moment.
 *
 * @module
 */
import type { Clock } from "./clock.ts";

/** What was waited for since the last look. */
export interface Lap<Kind extends string> {
  readonly windowMs: number;
  readonly waits: Readonly<Record<Kind, number>>;
  /** Processor time of the process, ms. */
  readonly cpuMs: number;
}

/** Counts waits, those of several at a time added up. */
export interface Stopwatch<Kind extends string> {
  /** Begins to wait; what it returns ends it. */
  begin(kind: Kind): () => void;
  /** Counts a wait that is over, ms. */
  count(kind: Kind, ms: number): void;
  /** Waits for `work`. */
  time<T>(kind: Kind, work: Promise<T>): Promise<T>;
  /**
   * What there was since the lap before, if that is long enough ago; waits that
   * are not over count as far as they are.
   */
  lap(): Lap<Kind> | undefined;
}

/** A lap takes this long at least, ms. */
const LAP_MS = 2000;

/**
 * Creates a stopwatch.
 *
 * @param cpuMs Processor time of the process so far, ms.
 */
export function createStopwatch<Kind extends string>(
  kinds: readonly Kind[],
  clock: Clock,
  cpuMs: () => number = () => 0,
): Stopwatch<Kind> {
  const sums = new Map(kinds.map((kind) => [kind, 0]));
  const open = new Map(kinds.map((kind) => [kind, new Set<Wait>()]));
  let since = clock.now();
  let cpuSince = cpuMs();

  const add = (kind: Kind, ms: number): void => {
    sums.set(kind, (sums.get(kind) ?? 0) + ms);
  };
  const begin = (kind: Kind): () => void => {
    const wait: Wait = { from: clock.now() };
    open.get(kind)?.add(wait);
    return () => {
      if (open.get(kind)?.delete(wait)) add(kind, clock.now() - wait.from);
    };
  };
  return {
    begin,
    count: add,
    async time(kind, work) {
      const end = begin(kind);
      try {
        return await work;
      } finally {
        end();
      }
    },
    lap() {
      const now = clock.now();
      const windowMs = now - since;
      if (windowMs < LAP_MS) return undefined;
      for (const [kind, waits] of open) {
        for (const wait of waits) {
          add(kind, now - wait.from);
          wait.from = now;
        }
      }
      const waits = Object.fromEntries(sums) as Record<Kind, number>;
      for (const kind of kinds) sums.set(kind, 0);
      const used = cpuMs();
      const lap = { windowMs, waits, cpuMs: used - cpuSince };
      since = now;
      cpuSince = used;
      return lap;
    },
  };
}

interface Wait {
  from: number;
}
