/**
 * The have-set: integers kept as sorted, disjoint, half-open ranges.
 *
 * Ranges that touch are one range. They are kept in blocks of at most
 * {@link BLOCK_NUMBERS} numbers, so that a million chunks that arrive in any
 * order cost a binary search and a short move each. How a set travels is in
 * `ranges_codec.ts`.
 *
 * @module
 */

/** The integers from `start` up to, not including, `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** What can be asked of a set. A set must not change while it is iterated. */
export interface ReadonlyRangeSet {
  /** How many integers there are. */
  readonly count: number;
  /** How many ranges there are. */
  readonly rangeCount: number;
  isEmpty(): boolean;
  has(value: number): boolean;
  /** Whether every integer of `start..end` is there; true when it is empty. */
  hasAll(start: number, end: number): boolean;
  /** The ranges, in order, none touching the next. */
  ranges(): IterableIterator<Range>;
  /** The gaps of `0..limit`, in order. */
  missing(limit: number): IterableIterator<Range>;
  /** The first gap of `from..limit`, whole up to `limit`. */
  firstMissing(from: number, limit: number): Range | undefined;
  clone(): RangeSet;
  /** A new set with what either has. */
  union(other: ReadonlyRangeSet): RangeSet;
  equals(other: ReadonlyRangeSet): boolean;
}

/** A set that can change. */
export interface RangeSet extends ReadonlyRangeSet {
  add(start: number, end: number): void;
  addAll(other: ReadonlyRangeSet): void;
  remove(start: number, end: number): void;
  /** Removes and returns at most `max` integers of the lowest range. */
  takeFirst(max: number): Range | undefined;
  clear(): void;
}

/** Numbers (two a range) in a block before it is halved: 8 KiB to move at worst. */
const BLOCK_NUMBERS = 1024;

/** Where a range is: its block, and the index of its start in the block. */
interface Place {
  readonly block: number;
  readonly at: number;
}

/** Creates a set of the ranges given, in any order. */
export function rangeSet(initial: Iterable<Range> = []): RangeSet {
  const set = new Blocks();
  for (const { start, end } of initial) set.add(start, end);
  return set;
}

/**
 * A class, as every open file has some sets: with closures each takes 2.5 KB,
 * so 0.1 KB.
 */
class Blocks implements RangeSet {
  // Each block is start, end, start, end, …; no block is empty.
  #blocks: number[][] = [];
  #count = 0;
  #rangeCount = 0;

  get count(): number {
    return this.#count;
  }

  get rangeCount(): number {
    return this.#rangeCount;
  }

  isEmpty(): boolean {
    return this.#count === 0;
  }

  has(value: number): boolean {
    return this.#startAt(this.#seek(value + 1)) <= value;
  }

  hasAll(start: number, end: number): boolean {
    check("look in", start, end);
    if (start === end) return true;
    const place = this.#seek(start + 1);
    return this.#startAt(place) <= start && end <= this.#endAt(place);
  }

  *ranges(): Generator<Range, void> {
    for (const block of this.#blocks) {
      for (let at = 0; at < block.length; at += 2) {
        yield { start: block[at] ?? 0, end: block[at + 1] ?? 0 };
      }
    }
  }

  *missing(limit: number): Generator<Range, void> {
    let from = 0;
    for (;;) {
      const gap = this.firstMissing(from, limit);
      if (gap === undefined) return;
      yield gap;
      from = gap.end;
    }
  }

  firstMissing(from: number, limit: number): Range | undefined {
    if (from >= limit) return undefined;
    check("look in", from, limit);
    let place = this.#seek(from + 1);
    let start = from;
    if (this.#startAt(place) <= from) {
      start = this.#endAt(place);
      if (start >= limit) return undefined;
      place = this.#next(place);
    }
    return { start, end: Math.min(this.#startAt(place), limit) };
  }

  clone(): RangeSet {
    return rangeSet(this.ranges());
  }

  union(other: ReadonlyRangeSet): RangeSet {
    const both = this.clone();
    both.addAll(other);
    return both;
  }

  equals(other: ReadonlyRangeSet): boolean {
    if (this.#count !== other.count || this.#rangeCount !== other.rangeCount) {
      return false;
    }
    const theirs = other.ranges();
    for (const { start, end } of this.ranges()) {
      const range = theirs.next().value;
      if (range?.start !== start || range?.end !== end) return false;
    }
    return true;
  }

  add(start: number, end: number): void {
    check("add", start, end);
    if (start === end) return;
    const from = this.#seek(start);
    let to = from;
    let low = start;
    let high = end;
    // Everything that overlaps or touches becomes part of the new range.
    while (this.#startAt(to) <= end) {
      low = Math.min(low, this.#startAt(to));
      high = Math.max(high, this.#endAt(to));
      this.#count -= this.#endAt(to) - this.#startAt(to);
      this.#rangeCount--;
      to = this.#next(to);
    }
    this.#count += high - low;
    this.#rangeCount++;
    this.#replace(from, to, [low, high]);
  }

  addAll(other: ReadonlyRangeSet): void {
    for (const { start, end } of other.ranges()) this.add(start, end);
  }

  remove(start: number, end: number): void {
    check("remove", start, end);
    if (start === end) return;
    const from = this.#seek(start + 1);
    let to = from;
    const rest: number[] = [];
    while (this.#startAt(to) < end) {
      const [low, high] = [this.#startAt(to), this.#endAt(to)];
      if (low < start) rest.push(low, start);
      if (high > end) rest.push(end, high);
      this.#count -= Math.min(high, end) - Math.max(low, start);
      this.#rangeCount--;
      to = this.#next(to);
    }
    if (to === from) return;
    this.#rangeCount += rest.length / 2;
    this.#replace(from, to, rest);
  }

  takeFirst(max: number): Range | undefined {
    if (!(max >= 1)) {
      throw new RangeError(
        `Cannot take from range set as max must be >= 1: current value is ${max}`,
      );
    }
    if (this.#blocks.length === 0) return undefined;
    const first = { block: 0, at: 0 };
    const start = this.#startAt(first);
    const end = Math.min(this.#endAt(first), start + Math.floor(max));
    this.remove(start, end);
    return { start, end };
  }

  clear(): void {
    this.#blocks = [];
    this.#count = this.#rangeCount = 0;
  }

  #startAt(place: Place): number {
    return this.#blocks[place.block]?.[place.at] ?? Infinity;
  }

  #endAt(place: Place): number {
    return this.#blocks[place.block]?.[place.at + 1] ?? Infinity;
  }

  /** The place of the first range whose end is at least `end`. */
  #seek(end: number): Place {
    const blocks = this.#blocks;
    let low = 0;
    let high = blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((blocks[middle]?.at(-1) ?? 0) < end) low = middle + 1;
      else high = middle;
    }
    const block = blocks[low];
    if (block === undefined) return { block: low, at: 0 };
    let first = 0;
    let last = block.length / 2 - 1; // its end is known to be enough
    while (first < last) {
      const middle = (first + last) >>> 1;
      if ((block[2 * middle + 1] ?? 0) < end) first = middle + 1;
      else last = middle;
    }
    return { block: low, at: 2 * first };
  }

  #next({ block, at }: Place): Place {
    return at + 2 < (this.#blocks[block]?.length ?? 0)
      ? { block, at: at + 2 }
      : { block: block + 1, at: 0 };
  }

  /** Puts `numbers` in the place of the ranges of `from` up to `to`. */
  #replace(from: Place, to: Place, numbers: number[]): void {
    const blocks = this.#blocks;
    const home = blocks[from.block];
    if (home === undefined) { // after everything
      const last = blocks.at(-1);
      if (last === undefined) blocks.push(numbers);
      else {
        last.push(...numbers);
        this.#split(blocks.length - 1);
      }
      return;
    }
    const behind = blocks[to.block];
    if (to.block === from.block) {
      home.splice(from.at, to.at - from.at, ...numbers);
    } else {
      home.splice(from.at, home.length - from.at, ...numbers);
      if (to.at > 0) behind?.splice(0, to.at);
      blocks.splice(from.block + 1, to.block - from.block - 1);
    }
    if (home.length === 0) blocks.splice(from.block, 1);
    else this.#split(from.block);
  }

  #split(index: number): void {
    const blocks = this.#blocks;
    const block = blocks[index];
    if (block === undefined || block.length <= BLOCK_NUMBERS) return;
    // A block at the end is left full: sets mostly grow there.
    const keep = index === blocks.length - 1
      ? BLOCK_NUMBERS
      : BLOCK_NUMBERS / 2;
    blocks.splice(index + 1, 0, block.splice(keep));
  }
}

function check(verb: string, start: number, end: number): void {
  if (
    !Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 ||
    end < start
  ) {
    throw new RangeError(
      `Cannot ${verb} range as it must be integers with 0 <= start <= end: current value is ${start}..${end}`,
    );
  }
}
