import { assertEquals, assertLess, assertNotEquals } from "@std/assert";
import { doneOf, openOn } from "../tests/testutil/journals.ts";
import { memoryDisk } from "../tests/testutil/memory_journal_fs.ts";
import { seeded } from "../tests/testutil/random.ts";
import { doneIndex, type PathKey } from "./journal_index.ts";

Deno.test("doneIndex() finds what a Map finds, in about twenty bytes a file", () => {
  const random = seeded(3);
  const index = doneIndex();
  const naive = new Map<string, number>();
  const keyOf = (n: number): PathKey => ({
    // Many share a beginning, and so a place to begin.
    high: n % 5 === 0 ? 0xffff_ffff : Math.imul(n, 0x9e3779b1) >>> 0,
    low: n % 5 === 0 ? n % 0x10000 : n % 7,
  });
  for (let n = 0; n < 3000; n++) {
    const key = keyOf(Math.floor(random() * 1500));
    const offset = 1 + Math.floor(random() * 2 ** 48);
    index.set(key, offset);
    naive.set(`${key.high} ${key.low}`, offset % 2 ** 48);
  }
  assertEquals(index.size, naive.size);
  for (let n = 0; n < 2000; n++) {
    const key = keyOf(n);
    assertEquals(index.get(key), naive.get(`${key.high} ${key.low}`));
  }
  const copy = index.clone();
  copy.set(keyOf(1), 1);
  index.set(keyOf(1), 2);
  assertEquals([copy.get(keyOf(1)), index.get(keyOf(1))], [1, 2]);
});

Deno.test("doneIndex() makes keys of paths that differ, also by the secret, and take all of their bits", () => {
  const secrets = [0, 1, 247].map((byte) =>
    Uint8Array.from({ length: 8 }, (_, n) => byte + n)
  );
  for (const index of secrets.map((secret) => doneIndex(secret))) {
    const keys = new Set<string>();
    let [high, low] = [0, 0];
    for (let n = 0; n < 100_000; n++) {
      const key = index.keyOf(`tree/${n % 100}/file-${n}.txt`);
      keys.add(`${key.high} ${key.low}`);
      high |= key.high;
      low |= key.low;
      assertEquals([key.high >>> 0, key.low & 0xffff], [key.high, key.low]);
    }
    assertEquals([keys.size, high >>> 0, low], [100_000, 2 ** 32 - 1, 0xffff]);
  }
  const [one, other] = secrets.map((secret) => doneIndex(secret).keyOf("a/b"));
  assertNotEquals(one, other);
});

Deno.test("200,000 done files take a few megabytes of index, and are all found again", async () => {
  const count = 200_000;
  const disk = memoryDisk();
  const { journal } = await openOn(disk);
  const pathOf = (n: number): string => `tree/${n % 1000}/file-${n}.txt`;
  for (let n = 0; n < count; n++) {
    journal.done(doneOf(pathOf(n), n));
    if (n % 50_000 === 0) await journal.flush();
  }
  await journal.close();
  const { journal: next, state } = await openOn(disk);
  assertEquals([state, next.doneCount], ["resumed", count]);
  assertLess(next.indexBytes / count, 22);
  for (let n = 0; n < count; n += 97) {
    assertEquals(await next.doneFor(pathOf(n)), doneOf(pathOf(n), n));
  }
  assertEquals(await next.doneFor("tree/0/file-200000.txt"), undefined);
  await next.close();
});
