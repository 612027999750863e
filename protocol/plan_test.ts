import { assert, assertEquals, assertThrows } from "@std/assert";
import { forAll } from "../tests/testutil/random.ts";
import { createPlan, type Lease, type Plan } from "./plan.ts";

const MIB = 1024 * 1024;

function sizes(lease: Lease | undefined): string[] {
  return (lease?.items ?? []).map(({ index, first, count }) =>
    `${index}:${first}+${count}`
  );
}

Deno.test("a plan forgets what is below an entry, leased or not", () => {
  const plan = createPlan();
  for (let index = 0; index < 10; index++) plan.addWant(index, 0, 1, MIB, 5);
  plan.next(20);
  plan.removeBelow(8);
  plan.addRange(2, 0, 0, 1); // it is not known any more
  assertEquals(plan.pendingBytes, 10);
  assertEquals(plan.next(1000)?.items.map(({ index }) => index), [8, 9]);
  assertEquals(plan.next(1000), undefined);
});

Deno.test("a plan gives a large file out in runs, in order", () => {
  const plan = createPlan();
  plan.addWant(3, 0, 10, MIB, 9 * MIB + 1);
  const leases = [plan.next(4 * MIB), plan.next(4 * MIB), plan.next(4 * MIB)];
  assertEquals(leases.map(sizes), [["3:0+4"], ["3:4+4"], ["3:8+2"]]);
  assertEquals(leases[2]?.bytes, MIB + 1);
  assertEquals(plan.next(MIB), undefined);
  assertEquals(plan.pendingBytes, 0);
});

Deno.test("a plan packs small files together, and no more than fit", () => {
  const plan = createPlan({ packBytes: 1000, packRecords: 3 });
  for (let index = 0; index < 4; index++) plan.addWant(index, 0, 1, 500, 10);
  plan.addWant(4, 0, 2, 500, 900);
  plan.addWant(5, 0, 1, 500, 200);
  assertEquals(sizes(plan.next(MIB)), ["0:0+1", "1:0+1", "2:0+1"]);
  assertEquals(sizes(plan.next(MIB)), ["3:0+1", "4:0+2"]);
  assertEquals(sizes(plan.next(MIB)), ["5:0+1"]);
});

Deno.test("a plan does not keep a small file behind a pack that it does not fit", () => {
  const plan = createPlan({ packBytes: 1000 });
  plan.addWant(0, 0, 1, 1000, 900);
  plan.addWant(1, 0, 1, 1000, 900);
  plan.addWant(2, 0, 2, 1000, 2000);
  assertEquals(sizes(plan.next(MIB)), ["0:0+1"]);
  assertEquals(sizes(plan.next(MIB)), ["1:0+1"]);
  assertEquals(sizes(plan.next(1)), ["2:0+1"]);
});

Deno.test("a plan gives what must go again before anything new", () => {
  const plan = createPlan();
  plan.addWant(0, 0, 4, MIB, 4 * MIB);
  plan.addWant(1, 0, 4, MIB, 4 * MIB);
  const lost = plan.next(4 * MIB);
  assert(lost !== undefined);
  plan.next(2 * MIB);
  plan.addRange(1, 0, 1, 1);
  plan.giveBack(lost);
  assertEquals(plan.pendingBytes, 7 * MIB);
  assertEquals(sizes(plan.next(8 * MIB)), ["0:0+4"]);
  plan.giveBack(lost); // it was given back, and is leased again
  assertEquals(sizes(plan.next(8 * MIB)), ["1:1+1"]);
  assertEquals(sizes(plan.next(8 * MIB)), ["1:2+2"]);
});

Deno.test("a plan forgets leases of an entry that was replaced or removed", () => {
  const plan = createPlan();
  plan.addWant(0, 0, 2, MIB, 2 * MIB);
  plan.addWant(1, 0, 2, MIB, 2 * MIB);
  const first = plan.next(2 * MIB);
  const second = plan.next(2 * MIB);
  assert(first !== undefined && second !== undefined);
  plan.addWant(0, 1, 3, MIB, 3 * MIB);
  plan.removeEntry(1);
  plan.giveBack(first);
  plan.giveBack(second);
  plan.addRange(0, 0, 0, 2);
  assertEquals(plan.pendingBytes, 3 * MIB);
  assertEquals(plan.next(8 * MIB)?.items, [
    { index: 0, gen: 1, first: 0, count: 3 },
  ]);
  assertEquals(plan.next(MIB), undefined);
});

Deno.test("a plan refuses ranges that a file does not have", () => {
  const plan = createPlan();
  plan.addWant(0, 0, 2, MIB, 2 * MIB);
  for (const [first, count] of [[0, 3], [2, 1], [-1, 1], [0.5, 1], [1, 2]]) {
    assertThrows(() => plan.addRange(0, 0, first ?? 0, count ?? 0), RangeError);
  }
  assertThrows(() => plan.addWant(1, 0, 3, MIB, 2 * MIB), RangeError);
  assertThrows(() => plan.next(0), RangeError);
});

/** A chunk, as the naive model has it. */
type Chunk = { pending: boolean; leases: number; bytes: number };

Deno.test("a plan loses no chunk and leases none twice at a time", () => {
  forAll((random) => random, (random) => {
    const plan = createPlan({ packBytes: 64, packRecords: 4 });
    const model = new Map<number, { gen: number; chunks: Chunk[] }>();
    const open: Lease[] = [];
    for (let step = 0; step < 60; step++) {
      operate(plan, model, open, random);
      let pending = 0;
      for (const { chunks } of model.values()) {
        for (const chunk of chunks) if (chunk.pending) pending += chunk.bytes;
      }
      assertEquals(plan.pendingBytes, pending);
    }
    for (let lease = plan.next(50); lease; lease = plan.next(50)) {
      take(lease, model);
    }
    for (const { chunks } of model.values()) {
      assert(chunks.every((chunk) => !chunk.pending), "a chunk was lost");
    }
  }, { runs: 300 });
});

function operate(
  plan: Plan,
  model: Map<number, { gen: number; chunks: Chunk[] }>,
  open: Lease[],
  random: () => number,
): void {
  const pick = (below: number): number => Math.floor(random() * below);
  const index = pick(6);
  const row = model.get(index);
  switch (pick(7)) {
    case 0: {
      const gen = (row?.gen ?? -1) + 1;
      const size = pick(4) === 0 ? pick(400) : pick(40);
      const count = Math.ceil(size / 16);
      plan.addWant(index, gen, count, 16, size);
      const chunks = Array.from({ length: count }, (_, at) => ({
        pending: true,
        leases: 0,
        bytes: Math.min(16, size - at * 16),
      }));
      model.set(index, { gen, chunks });
      return;
    }
    case 1:
    case 2: {
      if (row === undefined) return;
      const first = pick(row.chunks.length + 1);
      const count = pick(row.chunks.length - first + 1);
      const gen = pick(3) === 0 ? row.gen + 1 : row.gen;
      const again = random() < 0.5;
      if (again) plan.addRange(index, gen, first, count);
      else plan.removeRange(index, gen, first, count);
      if (gen !== row.gen) return;
      for (const chunk of row.chunks.slice(first, first + count)) {
        chunk.pending = again;
        chunk.leases = 0; // asked for by name: another lease is right
      }
      return;
    }
    case 3:
      if (pick(3) > 0) return;
      plan.removeEntry(index);
      if (row !== undefined) row.chunks = [];
      return;
    case 4: {
      const [given] = open.splice(pick(open.length), 1);
      if (given === undefined) return;
      plan.giveBack(given);
      for (const item of given.items) {
        const owner = model.get(item.index);
        if (owner === undefined || owner.gen !== item.gen) continue;
        for (const chunk of chunksOf(owner.chunks, item)) {
          chunk.pending = true;
          chunk.leases = 0;
        }
      }
      return;
    }
    default: {
      const max = 1 + pick(100);
      const lease = plan.next(max);
      if (lease === undefined) return;
      take(lease, model);
      assert(lease.bytes <= Math.max(max, 64), "a lease is too large");
      assert(
        lease.items.length === 1 ||
          lease.items.reduce((sum, { count }) => sum + count, 0) <= 4,
        "a pack has too many records",
      );
      open.push(lease);
    }
  }
}

function take(
  lease: Lease,
  model: Map<number, { gen: number; chunks: Chunk[] }>,
): void {
  let bytes = 0;
  for (const item of lease.items) {
    const row = model.get(item.index);
    assertEquals(row?.gen, item.gen);
    for (const chunk of chunksOf(row?.chunks ?? [], item)) {
      assert(chunk.pending, "a chunk was leased that nobody wants");
      assertEquals(chunk.leases, 0, "a chunk was leased twice");
      chunk.pending = false;
      chunk.leases++;
      bytes += chunk.bytes;
    }
  }
  assertEquals(lease.bytes, bytes);
}

function chunksOf(
  chunks: Chunk[],
  { first, count }: { first: number; count: number },
): Chunk[] {
  return chunks.slice(first, first + count);
}
