import { assertEquals, assertThrows } from "@std/assert";
import { chunkDigests, isZeroDigest, sameDigest } from "./digests.ts";

const digestOf = (n: number): Uint8Array => new Uint8Array(32).fill(n + 1);

Deno.test("chunkDigests() gives back what was set, in any order", () => {
  const table = chunkDigests(3000);
  for (const chunk of [2999, 0, 1024, 1023]) table.set(chunk, digestOf(chunk));
  table.set(0, digestOf(7));
  assertEquals(table.known, 4);
  assertEquals(table.get(0), digestOf(7));
  assertEquals(table.get(2999), digestOf(2999));
  assertEquals(table.get(5), undefined);
  table.clear(0);
  table.clear(0);
  assertEquals([table.known, table.get(0)], [3, undefined]);
});

Deno.test("chunkDigests() joins all of them only once all are known", () => {
  const table = chunkDigests(1030);
  for (let n = 0; n < 1029; n++) table.set(n, digestOf(n));
  assertThrows(() => table.concat(), RangeError, "1029 of 1030");
  table.set(1029, digestOf(1029));
  const all = table.concat();
  assertEquals(all.length, 1030 * 32);
  assertEquals(all.subarray(1029 * 32), digestOf(1029));
});

Deno.test("chunkDigests() refuses chunks that the file does not have, and allocates nothing for a huge one", () => {
  const table = chunkDigests(2 ** 40);
  table.set(2 ** 39, digestOf(1));
  assertEquals(table.known, 1);
  assertThrows(() => table.set(2 ** 40, digestOf(1)), RangeError);
  assertThrows(() => table.set(-1, digestOf(1)), RangeError);
  assertThrows(() => table.set(0, new Uint8Array(31)), RangeError);
});

Deno.test("digest comparison sees every byte", () => {
  assertEquals(isZeroDigest(new Uint8Array(32)), true);
  for (let i = 0; i < 32; i++) {
    const other = new Uint8Array(32);
    other[i] = 1;
    assertEquals(isZeroDigest(other), false);
    assertEquals(sameDigest(other, new Uint8Array(32)), false);
  }
});
