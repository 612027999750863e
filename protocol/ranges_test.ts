import { assert, assertEquals, assertThrows } from "@std/assert";
import { naiveRanges } from "../tests/testutil/naive_ranges.ts";
import { forAll, seeded } from "../tests/testutil/random.ts";
import { type Range, rangeSet } from "./ranges.ts";

const list = (set: { ranges(): Iterable<Range> }): number[][] =>
  [...set.ranges()].map(({ start, end }) => [start, end]);

Deno.test("rangeSet() joins ranges that touch or overlap", () => {
  const set = rangeSet([{ start: 10, end: 20 }, { start: 0, end: 5 }]);
  set.add(5, 7);
  assertEquals(list(set), [[0, 7], [10, 20]]);
  set.add(6, 11);
  assertEquals(list(set), [[0, 20]]);
  assertEquals([set.count, set.rangeCount], [20, 1]);
});

Deno.test("rangeSet() cuts what is removed out of the middle", () => {
  const set = rangeSet([{ start: 0, end: 100 }]);
  set.remove(10, 20);
  set.remove(90, 200);
  set.remove(300, 400);
  assertEquals(list(set), [[0, 10], [20, 90]]);
  assertEquals(set.count, 80);
});

Deno.test("rangeSet() does what a naive set does, whatever the order", () => {
  forAll((random) => Math.floor(random() * 2 ** 32), (seed) => {
    const random = seeded(seed);
    // One in eight starts with so many ranges that they fill several blocks.
    const large = random() < 1 / 8;
    const span = large ? 5000 : 10 + Math.floor(random() * 300);
    const upTo = (n: number): number => Math.floor(random() * n);
    const set = rangeSet();
    const naive = naiveRanges();
    for (let i = 0; large && i < span; i += 2) {
      set.add(i, i + 1);
      naive.add(i, i + 1);
    }
    for (let step = 0; step < 60; step++) {
      const start = upTo(span);
      const end = start + upTo(random() < 0.7 ? 6 : span);
      const what = random();
      if (what < 0.6) {
        set.add(start, end);
        naive.add(start, end);
      } else if (what < 0.9) {
        set.remove(start, end);
        naive.remove(start, end);
      } else {
        const max = 1 + upTo(9);
        assertEquals(set.takeFirst(max), naive.takeFirst(max));
      }
      assertEquals([...set.ranges()], naive.ranges());
      assertEquals(set.count, naive.values.size);
      assertEquals(set.rangeCount, naive.ranges().length);
      assertEquals(set.isEmpty(), naive.values.size === 0);
      assertEquals([...set.missing(end)], naive.missing(end));
      const from = upTo(span);
      assertEquals(
        set.firstMissing(from, end),
        naive.firstMissing(from, end),
      );
      assertEquals(set.has(from), naive.values.has(from));
      let all = true;
      for (let i = start; i < end; i++) all &&= naive.values.has(i);
      assertEquals(set.hasAll(start, end), all);
    }
  }, { runs: 60 });
});

Deno.test("rangeSet() takes 200,000 chunks in random order, and gives them back", () => {
  const size = 200_000;
  const random = seeded(7);
  const order = Uint32Array.from({ length: size }, (_, i) => i);
  for (let i = size - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
  }
  const bits = new Uint8Array(size + 1);
  const set = rangeSet();
  let ranges = 0; // a chunk between two others joins them, alone it is new
  let widest = 0;
  for (const [n, chunk] of order.entries()) {
    set.add(chunk, chunk + 1);
    ranges += 1 - (bits[chunk - 1] ?? 0) - (bits[chunk + 1] ?? 0);
    bits[chunk] = 1;
    widest = Math.max(widest, ranges);
    if (n % 1000 === 0) {
      assertEquals([set.count, set.rangeCount], [n + 1, ranges]);
    }
    if (n === size / 2) {
      for (let i = 0; i < size; i++) assertEquals(set.has(i), bits[i] === 1);
    }
  }
  assert(widest > 40_000, "the order was not random enough to tell");
  assertEquals(list(set), [[0, size]]);
  for (const chunk of order.subarray(0, size / 2)) {
    set.remove(chunk, chunk + 1);
    bits[chunk] = 0;
  }
  for (let i = 0; i < size; i++) assertEquals(set.has(i), bits[i] === 1);
  set.remove(1000, size - 1000);
  set.add(500, size);
  assertEquals(list(set).at(-1)?.[1], size);
  assertEquals(set.hasAll(500, size), true);
});

Deno.test("rangeSet() holds the largest integers there are", () => {
  const top = Number.MAX_SAFE_INTEGER;
  const set = rangeSet([{ start: 0, end: top }]);
  set.remove(5, top - 5);
  assertEquals(list(set), [[0, 5], [top - 5, top]]);
  assertEquals(set.has(top - 1), true);
  assertEquals(set.firstMissing(0, top), { start: 5, end: top - 5 });
});

Deno.test("union() and clone() leave their set alone", () => {
  const one = rangeSet([{ start: 0, end: 3 }]);
  const other = rangeSet([{ start: 3, end: 4 }, { start: 9, end: 10 }]);
  const both = one.union(other);
  const copy = one.clone();
  copy.add(100, 101);
  assertEquals(list(both), [[0, 4], [9, 10]]);
  assertEquals(list(one), [[0, 3]]);
  assertEquals(list(other), [[3, 4], [9, 10]]);
  assertEquals(both.equals(one), false);
  assertEquals(both.equals(rangeSet([...both.ranges()])), true);
  assertEquals(
    rangeSet([{ start: 0, end: 2 }, { start: 4, end: 6 }]).equals(
      rangeSet([{ start: 0, end: 1 }, { start: 4, end: 7 }]),
    ),
    false,
  );
  both.clear();
  assertEquals([both.count, list(both)], [0, []]);
});

Deno.test("rangeSet() refuses ranges that are none", () => {
  const set = rangeSet();
  for (
    const [start, end] of [[-1, 1], [2, 1], [0.5, 1], [0, 2 ** 53], [NaN, 1]]
  ) {
    assertThrows(
      () => set.add(start ?? 0, end ?? 0),
      RangeError,
      "Cannot add range",
    );
    assertThrows(() => set.remove(start ?? 0, end ?? 0), RangeError);
  }
  assertThrows(() => set.takeFirst(0), RangeError, "max must be >= 1");
  assertEquals(set.isEmpty(), true);
});
