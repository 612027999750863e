/**
 * What the router counts. Counters run from one row of the daily statistics to
 * the next; how many chunks there are and their bytes come from the store.
 *
 * @module
 */

/** Counters that begin anew with each row. */
export const COUNTERS = [
  "created",
  "recipients",
  "uploaded",
  "expired",
  "deleted",
  "downloads",
  "acks",
] as const;

/** A counter that begins anew with each row. */
export type Counter = typeof COUNTERS[number];

/** Chunks that were fetched, told apart, by period. */
export interface Periods {
  /** Since midnight, UTC. */
  readonly day: ReadonlySet<number>;
  /** Since Monday. */
  readonly week: ReadonlySet<number>;
  /** Since the 1st. */
  readonly month: ReadonlySet<number>;
}

/** All that is counted, at one moment. */
export interface StatsSnapshot extends Readonly<Record<Counter, number>> {
  /** Since when, in milliseconds since 1970. */
  readonly fromMs: number;
  /** Chunks that were blocked, ever. */
  readonly blocked: number;
  /** Chunks that were fetched. */
  readonly periods: Periods;
}

/** One row of the daily statistics. */
export interface StatsRow extends Readonly<Record<Counter, number>> {
  /** When it began, in milliseconds since 1970. */
  readonly fromMs: number;
  /** Distinct chunks fetched in the day. */
  readonly day: number;
  /** In the week, if one ends with this row. */
  readonly week: number | undefined;
  /** In the month, if one ends with this row. */
  readonly month: number | undefined;
}

/** The counters. */
export interface Stats {
  /** Counts. */
  count(what: Counter | "blocked", by?: number): void;
  /** Counts that a chunk was fetched. */
  fetched(id: Uint8Array): void;
  /** All of it, as it is now. */
  snapshot(): StatsSnapshot;
  /** Goes on from what was, before the process began. */
  restore(snapshot: StatsSnapshot): void;
  /** Ends a row at `nowMs` and begins the next. */
  endRow(nowMs: number): StatsRow;
}

/** Distinct chunks that are told apart in a period; more are not counted. */
const MAX_DISTINCT = 1_000_000;

/** Creates counters that begin at `fromMs`. */
export function createStats(fromMs: number): Stats {
  let from = fromMs;
  let blocked = 0;
  const counters = zeros();
  const periods = {
    day: new Set<number>(),
    week: new Set<number>(),
    month: new Set<number>(),
  };
  const all = (): StatsSnapshot => ({
    ...counters,
    fromMs: from,
    blocked,
    periods,
  });
  return {
    count(what, by = 1) {
      if (what === "blocked") blocked += by;
      else counters[what] += by;
    },
    fetched(id) {
      counters.downloads++;
      const mark = markOf(id);
      for (const set of Object.values(periods)) {
        if (set.size < MAX_DISTINCT) set.add(mark);
      }
    },
    snapshot: all,
    restore(snapshot) {
      from = snapshot.fromMs;
      blocked = snapshot.blocked;
      for (const name of COUNTERS) counters[name] = snapshot[name];
      for (const name of ["day", "week", "month"] as const) {
        periods[name] = new Set(snapshot.periods[name]);
      }
    },
    endRow(nowMs) {
      const now = new Date(nowMs);
      const endsWeek = now.getUTCDay() === 1;
      const endsMonth = now.getUTCDate() === 1;
      const row: StatsRow = {
        ...counters,
        fromMs: from,
        day: periods.day.size,
        week: endsWeek ? periods.week.size : undefined,
        month: endsMonth ? periods.month.size : undefined,
      };
      Object.assign(counters, zeros());
      periods.day.clear();
      if (endsWeek) periods.week.clear();
      if (endsMonth) periods.month.clear();
      from = nowMs;
      return row;
    },
  };
}

function zeros(): Record<Counter, number> {
  return {
    created: 0,
    recipients: 0,
    uploaded: 0,
    expired: 0,
    deleted: 0,
    downloads: 0,
    acks: 0,
  };
}

/** 48 bits of an id, which is random: enough to tell chunks apart. */
function markOf(id: Uint8Array): number {
  let mark = 0;
  for (const byte of id.subarray(0, 6)) mark = mark * 256 + byte;
  return mark;
}
