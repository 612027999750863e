import { assertEquals } from "@std/assert";
import { chunkDigests } from "./digests.ts";
import { digestsOf, isUnread, missing } from "./outgoing_missing.ts";
import { rangeSet } from "./ranges.ts";

const digest = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

function item(
  read: readonly number[],
  durable: readonly (readonly [number, number])[],
): Parameters<typeof missing>[0] {
  const digests = chunkDigests(10);
  for (const chunk of read) digests.set(chunk, digest(chunk + 1));
  return {
    index: 7,
    gen: 1,
    digest: undefined,
    digests,
    candidates: undefined,
    durable: rangeSet(durable.map(([start, end]) => ({ start, end }))),
  };
}

Deno.test("missing() tells the chunks that are not durable", () => {
  const some = item([], [[2, 4], [6, 8]]);
  assertEquals(missing(some, 1, 9), [
    { index: 7, gen: 1, first: 1, count: 1 },
    { index: 7, gen: 1, first: 4, count: 2 },
    { index: 7, gen: 1, first: 8, count: 1 },
  ]);
  assertEquals(missing(item([], []), 3, 5), [
    { index: 7, gen: 1, first: 3, count: 2 },
  ]);
  assertEquals(missing(some, 6, 8), []);
});

Deno.test("missing() counts what is durable and was read by nobody who told of it", () => {
  const some = item([2, 6, 7], [[2, 4], [6, 8]]);
  assertEquals(missing(some, 2, 8, isUnread(some)), [
    { index: 7, gen: 1, first: 3, count: 3 },
  ]);
  assertEquals([...some.durable.ranges()].length, 2); // as it was
  // Of what the receiver had in place nobody needs the digests of chunks.
  const known = { ...some, digest: digest(9) };
  assertEquals(missing(known, 2, 4, isUnread(known)), []);
});

Deno.test("digestsOf() has zeros for what is not known", () => {
  const candidates = chunkDigests(10);
  candidates.set(4, digest(50));
  const { known, offered } = digestsOf({ ...item([3], []), candidates }, 3, 2);
  assertEquals(known.subarray(0, 32), digest(4));
  assertEquals(known.subarray(32), digest(0));
  assertEquals(offered.subarray(0, 32), digest(0));
  assertEquals(offered.subarray(32), digest(50));
  assertEquals(digestsOf(undefined, 0, 1).known, digest(0));
});
