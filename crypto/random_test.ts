import { assert, assertEquals } from "@std/assert";
import { systemRandom, systemRandomBytes } from "./random.ts";

Deno.test("systemRandomBytes() gives as many as asked, all of them filled", () => {
  for (const n of [0, 1, 32, 65_536, 65_537, 200_000]) {
    assertEquals(systemRandomBytes(n).length, n);
  }
  const tail = systemRandomBytes(200_000).subarray(131_072 + 65_536);
  assert(new Set(tail).size > 200);
});

Deno.test("systemRandomBytes() does not repeat itself", () => {
  const seen = new Set(
    Array.from({ length: 1000 }, () => systemRandomBytes(16).toHex()),
  );
  assertEquals(seen.size, 1000);
});

Deno.test("systemRandom() is in 0..1 and spread over it", () => {
  const buckets = new Array<number>(10).fill(0);
  for (let run = 0; run < 10_000; run++) {
    const value = systemRandom();
    assert(value >= 0 && value < 1);
    const bucket = Math.floor(value * 10);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  assert(buckets.every((count) => count > 700 && count < 1300), `${buckets}`);
});
