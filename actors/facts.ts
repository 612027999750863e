/**
 * Facts: what the receiving actors say upward about entries. They travel in an
 * outbox, one value an entry, so that they neither wait nor get lost.
 *
 * @module
 */
import type { Outbox } from "../core/coalesce.ts";
import { type RangeSet, rangeSet } from "../protocol/ranges.ts";
import type { Verdict } from "../protocol/status.ts";

/** How an entry ended at the receiver. */
export interface FinalFact {
  /** The content digest of a file that is here. */
  readonly digest: Uint8Array | undefined;
  /** Where it stands; `undefined` when it was refused or is gone. */
  readonly finalPath: string | undefined;
  /** True when it was in place before. */
  readonly skipped: boolean;
}

/** Digests of consecutive chunks that may be here; zeros where one is not. */
export interface CandidateRun {
  readonly first: number;
  readonly digests: Uint8Array;
}

/** What there is to say of one entry. */
export interface Fact {
  /** The run it belongs to: an older one's mean nothing any more. */
  readonly run: number;
  readonly gen: number;
  readonly verdict?: Verdict;
  readonly candidates?: readonly CandidateRun[];
  readonly durable?: RangeSet;
  readonly corrupt?: RangeSet;
  readonly final?: FinalFact;
}

/** Facts on their way up, by index. */
export type Facts = Outbox<number, Fact>;

/** Joins what waits to be said of an entry with what is new. */
export function mergeFacts(old: Fact | undefined, add: Fact): Fact {
  if (old === undefined || old.run < add.run) return add;
  if (old.run > add.run) return old;
  if (old.gen !== add.gen) return old.gen < add.gen ? add : old;
  const candidates = [...old.candidates ?? [], ...add.candidates ?? []];
  const corrupt = union(old.corrupt, add.corrupt);
  const durable = union(without(old.durable, add.corrupt), add.durable);
  const verdict = add.verdict ?? old.verdict;
  const final = add.final ?? old.final;
  return {
    run: add.run,
    gen: add.gen,
    ...(verdict && { verdict }),
    ...(candidates.length > 0 && { candidates }),
    ...(durable && { durable }),
    ...(corrupt && { corrupt }),
    ...(final && { final }),
  };
}

/** A set of the chunks from `first` on. */
export function chunkRun(first: number, count: number): RangeSet {
  return rangeSet([{ start: first, end: first + count }]);
}

/** What of `set` still holds once `gone` is known to be wrong. */
function without(
  set: RangeSet | undefined,
  gone: RangeSet | undefined,
): RangeSet | undefined {
  if (set === undefined || gone === undefined) return set;
  const left = set.clone();
  for (const { start, end } of gone.ranges()) left.remove(start, end);
  return left.isEmpty() ? undefined : left;
}

function union(
  a: RangeSet | undefined,
  b: RangeSet | undefined,
): RangeSet | undefined {
  return a === undefined ? b : b === undefined ? a : a.union(b);
}
