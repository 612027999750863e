import { assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { loadDigest } from "../crypto/digest.ts";
import { lateDigest, LITTLE_BYTES, SOME_BYTES } from "../crypto/digest_late.ts";
import { littleDigest } from "../crypto/digest_little.ts";
import { createHashPool, type HashPool } from "./hash_pool.ts";
import { createLatePool } from "./late_pool.ts";

const BEST = await loadDigest();

function pools(): { readonly pool: HashPool; readonly made: HashPool[] } {
  const made: HashPool[] = [];
  const pool = createLatePool(
    lateDigest(() => littleDigest, () => Promise.resolve(BEST)),
    (digest) => {
      const real = createHashPool({ digest, size: 0 });
      made.push(real);
      return real;
    },
  );
  return { pool, made };
}

Deno.test("a late pool hashes little in place, and makes a pool for much", async () => {
  const { pool, made } = pools();
  const small = new Uint8Array(100).fill(7);
  assertEquals(pool.digestNow?.(small), BEST.digest(small));
  assertEquals((await pool.digest(small)).digest, BEST.digest(small));
  assertEquals(made.length, 0);

  const large = new Uint8Array(LITTLE_BYTES + 1).fill(9);
  assertEquals(pool.digestNow?.(large), undefined); // it has to be waited for
  assertEquals((await pool.digest(large)).digest, BEST.digest(large));
  assertEquals(pool.digestNow?.(large), BEST.digest(large));
  assertEquals(made.length, 1);
  pool.close();
});

Deno.test("a late pool hashes parts the same before and after", async () => {
  const { pool } = pools();
  const bytes = crypto.getRandomValues(new Uint8Array(9000));
  const parts = [[0, 1], [1, 1], [10, 9000]] as const;
  const before = await pool.digestParts(bytes, parts);
  await pool.digest(new Uint8Array(2 * LITTLE_BYTES));
  const after = await pool.digestParts(before.bytes, parts);
  assertEquals(before.digests, after.digests);
  assertEquals(before.digests.slice(64), BEST.digest(bytes.subarray(10)));
  pool.close();
});

Deno.test("a late pool makes a pool ahead of much that is expected, and of nothing else", async () => {
  const { pool, made } = pools();
  pool.expect?.(LITTLE_BYTES);
  await Promise.resolve();
  assertEquals(made.length, 0);
  pool.expect?.(LITTLE_BYTES + 1);
  const large = new Uint8Array(LITTLE_BYTES + 1);
  while (made.length === 0) await Promise.resolve();
  assertEquals((await pool.digest(large)).digest, BEST.digest(large));
  assertEquals(made.length, 1);
  pool.close();
});

Deno.test("a late pool that is closed takes nothing, whether there is one or not", async () => {
  for (const warm of [false, true]) {
    const { pool } = pools();
    if (warm) await pool.digest(new Uint8Array(2 * LITTLE_BYTES));
    pool.close();
    const error = await assertRejects(
      () => pool.digest(new Uint8Array(1)),
      SftpxError,
    );
    assertEquals(error.code, "cancelled");
    assertEquals(pool.digestNow?.(new Uint8Array(1)), undefined);
  }
});

Deno.test("a late pool hashes some in place, by what is there soon, and makes a pool for more", async () => {
  const made: HashPool[] = [];
  const soon = await loadDigest("jit");
  const pool = createLatePool(
    lateDigest(
      () => littleDigest,
      () => Promise.resolve(BEST),
      () => Promise.resolve(soon),
    ),
    (digest) => {
      const real = createHashPool({ digest, size: 0 });
      made.push(real);
      return real;
    },
  );
  const bytes = new Uint8Array(1024 * 1024).fill(5);
  assertEquals(pool.digestNow?.(bytes), undefined);
  assertEquals((await pool.digest(bytes)).digest, BEST.digest(bytes));
  assertEquals(pool.digestNow?.(bytes), BEST.digest(bytes));
  assertEquals(made.length, 0);
  pool.expect?.(SOME_BYTES);
  while (made.length === 0) await Promise.resolve();
  assertEquals((await pool.digest(bytes)).digest, BEST.digest(bytes));
  pool.close();
});

Deno.test("a late pool makes a pool once the best is there, whoever wanted that", async () => {
  const made: HashPool[] = [];
  const late = lateDigest(() => littleDigest, () => Promise.resolve(BEST));
  const pool = createLatePool(late, (digest) => {
    const real = createHashPool({ digest, size: 0 });
    made.push(real);
    return real;
  });
  await late.best(); // the digest of all entries wanted it
  const bytes = new Uint8Array(1024 * 1024).fill(6);
  assertEquals((await pool.digest(bytes)).digest, BEST.digest(bytes));
  assertEquals(made.length, 1, "it may be slow, and hash elsewhere");
  pool.close();
});
