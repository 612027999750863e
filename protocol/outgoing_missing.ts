/**
 * What of an entry is still to be sent, and what is known of it.
 *
 * @module
 */
import type { ChunkDigests } from "./digests.ts";
import type { Work } from "./outgoing_types.ts";
import type { Range, RangeSet } from "./ranges.ts";

/** What of an entry counts here. */
export interface Chunks {
  readonly index: number;
  readonly gen: number;
  readonly digest: Uint8Array | undefined;
  /** Of the chunks that were read. */
  readonly digests: ChunkDigests;
  /** Of those that the receiver offers. */
  readonly candidates: ChunkDigests | undefined;
  readonly durable: RangeSet;
}

/** The gaps of `set` within `from..to`, in order. */
export function* gaps(
  set: RangeSet,
  from: number,
  to: number,
): Generator<Range> {
  for (
    let gap = set.firstMissing(from, to);
    gap !== undefined;
    gap = set.firstMissing(gap.end, to)
  ) yield gap;
}

/**
 * Chunks of `first..end` that are not durable.
 *
 * @param alsoIf Tells which of those that are durable count as missing all the same.
 */
export function missing(
  { index, gen, durable }: Chunks,
  first: number,
  end: number,
  alsoIf?: (chunk: number) => boolean,
): Work[] {
  if (end > first && durable.isEmpty()) {
    return [{ index, gen, first, count: end - first }];
  }
  let there = durable;
  for (let chunk = first; alsoIf !== undefined && chunk < end; chunk++) {
    if (!durable.has(chunk) || !alsoIf(chunk)) continue;
    if (there === durable) there = durable.clone();
    there.remove(chunk, chunk + 1);
  }
  return [...gaps(there, first, end)].map(({ start, end }) => ({
    index,
    gen,
    first: start,
    count: end - start,
  }));
}

/** Tells of chunks that were not read here, or whose digest was lost with who read them. */
export function isUnread(
  { digest, digests }: Chunks,
): (chunk: number) => boolean {
  return (chunk) => digest === undefined && digests.get(chunk) === undefined;
}

/** The digests of chunks that are known, and those that the receiver offers; zeros elsewhere. */
export function digestsOf(
  item: Chunks | undefined,
  first: number,
  count: number,
): {
  readonly known: Uint8Array<ArrayBuffer>;
  readonly offered: Uint8Array<ArrayBuffer>;
} {
  const known = new Uint8Array(count * 32);
  const offered = new Uint8Array(count * 32);
  for (let n = 0; n < count; n++) {
    known.set(item?.digests.get(first + n) ?? [], n * 32);
    offered.set(item?.candidates?.get(first + n) ?? [], n * 32);
  }
  return { known, offered };
}
