/**
 * How a have-set travels: a count, then the gap before and the length of each
 * range, all varints.
 *
 * | field  | size   | meaning                                              |
 * | ------ | ------ | ---------------------------------------------------- |
 * | count  | varint | ranges that follow                                   |
 * | gap    | varint | integers since the last range ended (since 0 at first) |
 * | length | varint | integers of this range                               |
 *
 * A set has one encoding only: no length is 0, and no gap but the first.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { type RangeSet, rangeSet, type ReadonlyRangeSet } from "./ranges.ts";
import { readVarint, varintLength, writeVarint } from "./varint.ts";

/** What a reader accepts. */
export interface ReadRangesOptions {
  /** The most ranges there may be; it bounds what a peer makes us keep. */
  readonly maxRanges: number;
  /** No range may end after it. @default {2**53 - 1} */
  readonly limit?: number;
}

/** How many bytes `set` takes. */
export function rangesLength(set: ReadonlyRangeSet): number {
  let length = varintLength(set.rangeCount);
  let last = 0;
  for (const { start, end } of set.ranges()) {
    length += varintLength(start - last) + varintLength(end - start);
    last = end;
  }
  return length;
}

/** Writes `set` at `offset` and returns the offset after it. */
export function writeRanges(
  to: DataView,
  offset: number,
  set: ReadonlyRangeSet,
): number {
  let at = writeVarint(to, offset, set.rangeCount);
  let last = 0;
  for (const { start, end } of set.ranges()) {
    at = writeVarint(to, at, start - last);
    at = writeVarint(to, at, end - start);
    last = end;
  }
  return at;
}

/**
 * Reads a set at `offset`; `undefined` when it is not all there yet.
 *
 * @throws {SftpxError} `protocol`, when it is too large or not in the one form.
 */
export function readRanges(
  from: DataView,
  offset: number,
  options: ReadRangesOptions,
): { value: RangeSet; end: number } | undefined {
  const { maxRanges, limit = Number.MAX_SAFE_INTEGER } = options;
  const head = readVarint(from, offset);
  if (head === undefined) return undefined;
  if (head.value > maxRanges) {
    refuse(`there are ${head.value} ranges, at most ${maxRanges} are allowed`);
  }
  const set = rangeSet();
  let at = head.end;
  let last = 0;
  for (let n = 0; n < head.value; n++) {
    const gap = readVarint(from, at);
    if (gap === undefined) return undefined;
    if (gap.value === 0 && n > 0) refuse("two of them touch");
    const length = readVarint(from, gap.end);
    if (length === undefined) return undefined;
    if (length.value === 0) refuse("one of them is empty");
    // Each is below 2^53, so their sum is compared before it can be inexact.
    const start = last + gap.value;
    if (start > limit || length.value > limit - start) {
      refuse(`one of them ends after ${limit}`);
    }
    last = start + length.value;
    set.add(start, last);
    at = length.end;
  }
  return { value: set, end: at };
}

function refuse(reason: string): never {
  throw new SftpxError("protocol", `Cannot decode ranges: ${reason}`);
}
