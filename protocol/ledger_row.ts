/**
 * One row of the ledger: what was said of an entry that is not retired, and
 * what may be said of it next.
 *
 * @module
 */
import type { Answer, Fail } from "./handshake.ts";
import type { LaneRecord } from "./lane.ts";
import { chunkCount, chunkLength, type Entry, type Outcome } from "./entry.ts";
import { sameBytes, sameVerdict } from "./same.ts";
import type { Verdict } from "./status.ts";

/** What is known of an entry that is not retired. */
export interface Known {
  readonly index: number;
  readonly entry: Entry;
  readonly gen: number;
  /** The last verdict, and the version of the entry it was about. */
  readonly judged: Judged | undefined;
  /** What DIGEST said. */
  readonly digest: Uint8Array | undefined;
  readonly gone: boolean;
}

/** A verdict and what it was about. */
export interface Judged {
  readonly gen: number;
  readonly entry: Entry;
  readonly verdict: Verdict;
  /** Data may still come for a file that was refused later. */
  readonly wanted: boolean;
}

/** What becomes of an entry when it retires. */
export interface Final {
  readonly index: number;
  readonly entry: Entry;
  readonly gen: number;
  readonly outcome: Outcome;
  /** As HAVE or DIGEST said; without one the digest is that of the only chunk. */
  readonly digest: Uint8Array | undefined;
}

/** A row, as the ledger changes it. */
export interface Row {
  readonly index: number;
  entry: Entry;
  gen: number;
  judged: Judged | undefined;
  digest: Uint8Array | undefined;
  gone: boolean;
  /** Versions that verdicts may still come for. */
  older: readonly { readonly gen: number; readonly entry: Entry }[];
}

const NONE: Row["older"] = [];

/** A row that is known by one entry and nothing more. */
export function newRow(index: number, gen: number, entry: Entry): Row {
  return {
    index,
    entry,
    gen,
    judged: undefined,
    digest: undefined,
    gone: false,
    older: NONE,
  };
}

/**
 * Returns what becomes of an entry as things stand; `undefined`: not final.
 *
 * A receiver that has a file, or refuses it, may do so while word of a change
 * is on its way. Its last verdict decides, as both come to know that one.
 */
export function finalOf(known: Known, allDigests: boolean): Final | undefined {
  const { index, entry, gen, judged } = known;
  const verdict = judged?.verdict;
  if (judged !== undefined && verdict?.kind === "have") {
    const { digest } = verdict;
    return {
      index,
      entry: judged.entry,
      gen: judged.gen,
      outcome: "here",
      digest,
    };
  }
  const none = { digest: undefined };
  if (judged !== undefined && verdict?.kind === "refused") {
    return {
      index,
      entry: judged.entry,
      gen: judged.gen,
      outcome: "refused",
      ...none,
    };
  }
  if (known.gone) return { index, entry, gen, outcome: "gone", ...none };
  if (entry.kind === "file") {
    if (judged?.gen !== gen) return undefined;
    const needed = chunkCount(entry) > (allDigests ? 0 : 1);
    if (needed && known.digest === undefined) return undefined;
  }
  return { index, entry, gen, outcome: "here", digest: known.digest };
}

/** Says whether the sender has nothing to add to what it said of a file. */
export function allSaid(row: Known): boolean {
  return row.gone || row.digest !== undefined || chunkCount(row.entry) === 0;
}

/** Enters what DIGEST says. */
export function enterDigest(
  row: Row,
  digest: Uint8Array,
  allDigests: boolean,
  repeats: boolean,
  fail: Fail,
): Answer {
  const { index } = row;
  if (row.digest !== undefined) {
    return repeats && sameBytes(digest, row.digest)
      ? "drop"
      : fail(`entry ${index} has its digest already`);
  }
  if (row.gone) fail(`entry ${index} is gone`);
  if (!allDigests && chunkCount(row.entry) < 2) {
    fail(`entry ${index} needs no digest`);
  }
  row.digest = digest;
  return "take";
}

/** Enters that the sender gives a file up. */
export function enterGone(row: Row, repeats: boolean, fail: Fail): Answer {
  if (row.gone && repeats) return "drop";
  if (allSaid(row)) fail(`entry ${row.index} is gone after all was said of it`);
  row.gone = true;
  return "take";
}

/** Enters a verdict. */
export function enterVerdict(
  row: Row,
  gen: number,
  verdict: Verdict,
  repeats: boolean,
  fail: Fail,
): Answer {
  checkGen(row, gen, fail);
  const { index, judged } = row;
  const entry = versionOf(row, gen) ?? fail(`entry ${index} has no gen ${gen}`);
  if (entry.kind !== "file" && verdict.kind !== "refused") {
    fail(`entry ${index} is not a file`);
  }
  if (verdict.kind === "compare" && verdict.chunks > chunkCount(entry)) {
    fail(`entry ${index} does not have ${verdict.chunks} chunks`);
  }
  const before = judged?.gen === gen ? judged : undefined;
  if (before !== undefined) {
    if (repeats && sameVerdict(verdict, before.verdict)) return "drop";
    if (verdict.kind !== "refused" || !isWanted(before.verdict)) {
      fail(`entry ${index} has its verdict already`);
    }
  }
  const wanted = isWanted(verdict) || (before?.wanted ?? false);
  row.judged = { gen, entry, verdict, wanted };
  if (row.older.length > 0) {
    row.older = row.older.filter((one) => one.gen > gen);
  }
  return gen === row.gen ? "take" : "drop";
}

/** Judges what the receiver says of the chunks before `end`. */
export function checkRange(
  row: Row,
  gen: number,
  end: number,
  compared: boolean,
  fail: Fail,
): Answer {
  checkGen(row, gen, fail);
  const { index, judged } = row;
  if (judged === undefined || judged.gen !== gen || !isWanted(judged.verdict)) {
    return fail(`entry ${index} was not wanted`);
  }
  const { entry, verdict } = judged;
  if (compared && verdict.kind !== "compare") {
    fail(`entry ${index} was not to be compared`);
  }
  const chunks = compared && verdict.kind === "compare"
    ? verdict.chunks
    : chunkCount(entry);
  if (end > chunks) fail(`entry ${index} has only ${chunks} chunks`);
  return gen === row.gen ? "take" : "drop";
}

/** Judges one record of a lane. */
export function checkRecord(
  row: Row,
  { kind, gen, length, chunk }: Omit<LaneRecord, "digest">,
  fail: Fail,
): Answer {
  const { index, entry, judged } = row;
  if (gen < row.gen) return "drop";
  if (entry.kind !== "file") return fail(`entry ${index} is not a file`);
  if (judged === undefined || judged.gen !== gen || !judged.wanted) {
    return fail(`a chunk of entry ${index} was not asked for`);
  }
  if (chunk >= chunkCount(entry) || length !== chunkLength(entry, chunk)) {
    fail(`entry ${index} has no chunk ${chunk} of ${length} bytes`);
  }
  const { verdict } = judged;
  if (verdict.kind === "refused") return "drop"; // it was wanted before
  if (
    kind === "same" && (verdict.kind !== "compare" || chunk >= verdict.chunks)
  ) fail(`chunk ${chunk} of entry ${index} is the same as nothing`);
  return row.gone ? "drop" : "take";
}

function checkGen(row: Row, gen: number, fail: Fail): void {
  if (gen > row.gen) {
    fail(`entry ${row.index} is at gen ${row.gen}, not ${gen}`);
  }
  if (gen < (row.judged?.gen ?? 0)) {
    fail(`entry ${row.index} had a verdict for gen ${row.judged?.gen} already`);
  }
}

function versionOf(row: Row, gen: number): Entry | undefined {
  if (gen === row.gen) return row.entry;
  if (gen === row.judged?.gen) return row.judged.entry;
  return row.older.find((one) => one.gen === gen)?.entry;
}

function isWanted(verdict: Verdict): boolean {
  return verdict.kind === "want" || verdict.kind === "compare";
}
