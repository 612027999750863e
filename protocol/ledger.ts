/**
 * The ledger of unretired entries: what was said of each, by both sides.
 *
 * Sender and receiver each keep one and enter what they say and hear. Frames
 * cross on their way, so the two differ for a while; what is final is decided
 * by {@linkcode finalOf} from facts that both come to know.
 *
 * @module
 */
import type { Entry } from "./entry.ts";
import type { Answer, Fail, Side } from "./handshake.ts";
import type { LaneRecord } from "./lane.ts";
import {
  allSaid,
  checkRange,
  checkRecord,
  enterDigest,
  enterGone,
  enterVerdict,
  type Final,
  finalOf,
  type Judged,
  type Known,
  newRow,
  type Row,
} from "./ledger_row.ts";
import type { ManifestFrame } from "./manifest.ts";
import { sameEntry } from "./same.ts";
import type { StatusFrame } from "./status.ts";

/** How much a sender may say. */
export interface LedgerLimits {
  /** Entries that may be unretired at a time. */
  readonly window: number;
  readonly maxEntries: number;
  readonly maxBytes: number;
  /** Throws for what is over a limit of ours. */
  readonly over: Fail;
}

/** The entries of a conversation. */
export interface Ledger {
  /** The index of the next new entry. */
  readonly next: number;
  /** All entries below are final. */
  readonly retired: number;
  /** How many entries there are; `undefined` before END. */
  readonly total: number | undefined;
  /** What the files add up to. */
  readonly bytes: number;
  /** Returns what is known of an unretired entry. */
  get(index: number): Known | undefined;
  /** Returns what becomes of an unretired entry; `undefined`: not final yet. */
  final(index: number): Final | undefined;
  /** Enters what the sender says. */
  manifest(frame: ManifestFrame, fail: Fail): Answer;
  /** Enters what the receiver says. */
  status(frame: StatusFrame, fail: Fail): Answer;
  /** Judges one record of a lane. */
  record(record: Omit<LaneRecord, "digest">, fail: Fail): Answer;
  /** Returns what a receiver says again when it goes on. */
  repeats(): StatusFrame[];
  /** Goes on over another connection: entries below `next` may be repeated. */
  resume(next: number): void;
  /** Sets how many entries may be unretired. */
  setWindow(window: number): void;
  /** Sets whether every file comes with a DIGEST. */
  setDigests(all: boolean): void;
}

/**
 * Creates an empty ledger.
 *
 * @param us Whose ledger it is: only the sender keeps older versions of an
 * entry, as verdicts on them may be on their way. A receiver that did would let
 * its peer fill its memory.
 */
export function ledger(us: Side, limits: LedgerLimits): Ledger {
  const rows = new Map<number, Row>();
  let { window } = limits;
  let next = 0;
  let retired = 0;
  let bytes = 0;
  let total: number | undefined;
  let resumed = 0;
  let isResumed = false;
  // Verdicts on retired entries of which the sender may not have heard.
  const unheard = new Map<number, Judged>();
  let allDigests = false;

  function addEntry(
    { index, gen, entry }: ManifestFrame & { type: "entry" },
    fail: Fail,
  ): Answer {
    if (index > next) fail(`entry ${index} comes where ${next} should`);
    if (index < next) return updateEntry(index, gen, entry, fail);
    if (total !== undefined) fail(`entry ${index} comes after the end`);
    if (gen > 0 && !isResumed) fail(`entry ${index} begins as gen ${gen}`);
    if (index - retired >= window) {
      fail(`entry ${index} is beyond the window of ${window}`);
    }
    if (index >= limits.maxEntries) {
      limits.over(`there are more than ${limits.maxEntries} entries`);
    }
    count(sizeOf(entry));
    rows.set(index, newRow(index, gen, entry));
    next++;
    // That it may announce this one shows what it has heard.
    unheard.delete(index - window);
    return "take";
  }

  function updateEntry(
    index: number,
    gen: number,
    entry: Entry,
    fail: Fail,
  ): Answer {
    const row = rows.get(index);
    if (row === undefined) return "drop"; // retired while this was on its way
    if (gen === row.gen && index < resumed && sameEntry(entry, row.entry)) {
      return "drop";
    }
    if (gen !== row.gen + 1 && !(gen > row.gen && index < resumed)) {
      fail(`entry ${index} goes from gen ${row.gen} to ${gen}`);
    }
    if (row.entry.kind !== "file" || entry.kind !== "file") {
      fail(`entry ${index} changes and is not a file`);
    }
    if (entry.path !== row.entry.path) fail(`entry ${index} changes its path`);
    if (allSaid(row)) fail(`entry ${index} changes after all was said of it`);
    count(sizeOf(entry) - sizeOf(row.entry));
    if (us === "sender") {
      row.older = [...row.older, { gen: row.gen, entry: row.entry }];
    }
    row.entry = entry;
    row.gen = gen;
    return "take";
  }

  function count(more: number): void {
    if (bytes + more > limits.maxBytes) {
      limits.over(`there are more than ${limits.maxBytes} bytes`);
    }
    bytes += more;
  }

  function current(
    index: number,
    gen: number,
    fail: Fail,
  ): Row | undefined {
    if (index >= next) fail(`entry ${index} is not known`);
    const row = rows.get(index);
    if (row === undefined) return undefined;
    if (row.entry.kind !== "file") fail(`entry ${index} is not a file`);
    if (gen !== row.gen) {
      fail(`entry ${index} is at gen ${row.gen}, not ${gen}`);
    }
    return row;
  }

  function rowOf(index: number, fail: Fail): Row {
    if (index >= next) fail(`entry ${index} is not known`);
    return rows.get(index) ?? fail(`entry ${index} is retired`);
  }

  function retire(to: number, fail: Fail): Answer {
    if (to < retired || to > next) {
      fail(`${retired} to ${next} entries can be retired, not ${to}`);
    }
    for (let index = retired; index < to; index++) {
      const row = rows.get(index);
      if (row === undefined || finalOf(row, allDigests) === undefined) {
        fail(`entry ${index} cannot be retired yet`);
      }
    }
    const before = retired;
    for (; retired < to; retired++) {
      const judged = rows.get(retired)?.judged;
      if (us === "receiver" && judged !== undefined) {
        unheard.set(retired, judged);
      }
      rows.delete(retired);
    }
    return retired > before ? "take" : "drop";
  }

  return {
    get next() {
      return next;
    },
    get retired() {
      return retired;
    },
    get total() {
      return total;
    },
    get bytes() {
      return bytes;
    },
    get: (index) => rows.get(index),
    final(index) {
      const row = rows.get(index);
      return row === undefined ? undefined : finalOf(row, allDigests);
    },
    manifest(frame, fail) {
      switch (frame.type) {
        case "entry":
          return addEntry(frame, fail);
        case "digest":
        case "gone": {
          const row = current(frame.index, frame.gen, fail);
          if (row === undefined) return "drop"; // retired meanwhile
          const repeats = frame.index < resumed;
          return frame.type === "gone"
            ? enterGone(row, repeats, fail)
            : enterDigest(row, frame.digest, allDigests, repeats, fail);
        }
        case "end":
          if (frame.entries !== next) {
            fail(`the end counts ${frame.entries} entries, not ${next}`);
          }
          if (total === undefined) {
            total = next;
            return "take";
          }
          return isResumed ? "drop" : fail("the end comes twice");
      }
    },
    status(frame, fail) {
      switch (frame.type) {
        case "verdict": {
          // RETIRED may have been lost with a connection, or not.
          if (frame.index < Math.min(retired, resumed)) return "drop";
          const row = rowOf(frame.index, fail);
          const repeats = frame.index < resumed;
          return enterVerdict(row, frame.gen, frame.verdict, repeats, fail);
        }
        case "candidates": {
          const end = frame.first + frame.digests.length / 32;
          const row = rowOf(frame.index, fail);
          return checkRange(row, frame.gen, end, true, fail);
        }
        case "durable":
        case "corrupt": {
          const end = frame.first + frame.count;
          const row = rowOf(frame.index, fail);
          return checkRange(row, frame.gen, end, false, fail);
        }
        case "retired":
          return retire(frame.next, fail);
        case "progress":
        case "arrived":
          return "take";
      }
    },
    record(record, fail) {
      if (record.index >= next) fail(`entry ${record.index} is not known`);
      const row = rows.get(record.index);
      return row === undefined ? "drop" : checkRecord(row, record, fail);
    },
    repeats() {
      const frames: StatusFrame[] = [];
      const say = (index: number, { gen, verdict }: Judged): void => {
        frames.push({ type: "verdict", index, gen, verdict });
      };
      for (const [index, judged] of unheard) say(index, judged);
      frames.push({ type: "retired", next: retired });
      for (const { index, judged } of rows.values()) {
        if (judged !== undefined) say(index, judged);
      }
      return frames;
    },
    resume(from) {
      // What the receiver did not hear of is said again from here.
      for (let index = from; index < next; index++) {
        bytes -= sizeOf(rows.get(index)?.entry);
        rows.delete(index);
      }
      if (from !== next) total = undefined;
      next = from;
      resumed = from;
      isResumed = true;
    },
    setWindow(value) {
      window = value;
    },
    setDigests(all) {
      allDigests = all;
    },
  };
}

function sizeOf(entry: Entry | undefined): number {
  return entry?.kind === "file" ? entry.size : 0;
}
