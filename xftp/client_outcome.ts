/**
 * What became of each thing that was fetched: counted, and told.
 *
 * @module
 */
import type { EventSink } from "../core/events.ts";
import type { SftpxError } from "../core/errors.ts";
import type { SafePath } from "../store/paths.ts";
import type { FetchFailure } from "./client_options.ts";
import type { StoreTotals } from "./client_progress.ts";

/** One file, folder or link. */
export interface Thing {
  readonly path: SafePath;
  readonly kind: "file" | "dir" | "link";
  /** Of content. */
  readonly bytes: number;
}

/** What became of it. */
export interface Outcome extends Thing {
  /** Where it came to stand; `undefined` if the same was there, or it is left out. */
  readonly place: SafePath | undefined;
  /** Why it is left out. */
  readonly refusal?: SftpxError;
}

/** What became of all of them. */
export interface Outcomes {
  add(outcome: Outcome): void;
  readonly totals: StoreTotals;
  /** What is left out, the first of it. */
  readonly failures: readonly FetchFailure[];
  /** The names at the top below which something came. */
  readonly places: readonly string[];
}

/** Failures that are kept by name. */
const MAX_FAILURES = 100;

/** Begins to count. */
export function countOutcomes(session: string, onEvent: EventSink): Outcomes {
  const totals = { entries: 0, bytes: 0, skipped: 0, failed: 0 };
  const failures: FetchFailure[] = [];
  const tops = new Set<string>();
  return {
    add({ path, kind, bytes, place, refusal }) {
      const reason = refusal?.message;
      totals.entries++;
      if (reason !== undefined) {
        totals.failed++;
        if (failures.length < MAX_FAILURES) failures.push({ path, reason });
      } else {
        totals.bytes += bytes;
        if (place === undefined) totals.skipped++;
        else tops.add(place.split("/")[0] ?? "");
      }
      const here = place === undefined ? "skipped" : "received";
      onEvent({
        type: "entry",
        session,
        path,
        kind,
        outcome: reason === undefined ? here : "refused",
        bytes,
        ...place !== undefined && place !== path && { finalPath: place },
        ...reason !== undefined && { reason },
      });
    },
    totals,
    failures,
    get places() {
      return [...tops];
    },
  };
}
