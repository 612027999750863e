import { assert, assertEquals, assertRejects } from "@std/assert";
import { forAll } from "../tests/testutil/random.ts";
import { loadDigest } from "./digest.ts";
import { lateDigest, LITTLE_BYTES } from "./digest_late.ts";
import { littleDigest } from "./digest_little.ts";

const BEST = await loadDigest();

/** A late digest whose better half comes when the test says so. */
function gated(): {
  readonly late: ReturnType<typeof lateDigest>;
  readonly loads: () => number;
  readonly arrive: () => Promise<void>;
} {
  const gate = Promise.withResolvers<typeof BEST>();
  let loads = 0;
  const late = lateDigest(() => littleDigest, () => {
    loads++;
    return gate.promise;
  });
  return {
    late,
    loads: () => loads,
    async arrive() {
      gate.resolve(BEST);
      await gate.promise;
      await Promise.resolve();
    },
  };
}

Deno.test("lateDigest() loads nothing for little, and gives what all give", () => {
  const { late, loads } = gated();
  assertEquals(late.digest(new Uint8Array()), BEST.digest(new Uint8Array()));
  const bytes = crypto.getRandomValues(new Uint8Array(5000));
  assertEquals(late.digest(bytes), BEST.digest(bytes));
  assert(late.isReady(LITTLE_BYTES - 5000));
  assert(!late.isReady(LITTLE_BYTES));
  assertEquals(loads(), 0);
});

Deno.test("lateDigest() begins to load once, when all in all it is much", async () => {
  const { late, loads, arrive } = gated();
  const bytes = new Uint8Array(LITTLE_BYTES / 2 + 1);
  for (let n = 0; n < 3; n++) {
    assertEquals(late.digest(bytes), BEST.digest(bytes));
  }
  assertEquals(loads(), 1);
  assert(!late.isReady(1));
  await arrive();
  assert(late.isReady(1e9));
  assertEquals(late.digest(bytes), BEST.digest(bytes));
  assertEquals(await late.best(), BEST);
});

Deno.test("a hasher of lateDigest() is right wherever the better one comes in between", async () => {
  for (const length of [0, 1, 4096, 40_000, 3_000_000]) {
    for (const after of [0, 1, 2, 3, 99]) {
      const { late, arrive } = gated();
      const [ours, theirs] = [late.hasher(), BEST.hasher()];
      for (let part = 0; part < 4; part++) {
        if (part === after) await arrive();
        const bytes = new Uint8Array(length).fill(part);
        ours.update(bytes);
        theirs.update(bytes);
        bytes.fill(255); // it may change once it was taken
      }
      assertEquals(ours.digest(), theirs.digest(), `${length} ${after}`);
    }
  }
});

Deno.test("lateDigest() without a better one says so to who waits, and goes on", async () => {
  const late = lateDigest(
    () => littleDigest,
    () => Promise.reject(new Error("none loads")),
  );
  const bytes = new Uint8Array(3 * LITTLE_BYTES);
  assertEquals(late.digest(bytes), BEST.digest(bytes));
  await assertRejects(() => late.best(), Error, "none loads");
  assertEquals(late.digest(bytes), BEST.digest(bytes));
});

Deno.test("lateDigest() and the best agree on bytes of any length", () => {
  forAll((random) => {
    const bytes = new Uint8Array(Math.floor(random() * 6000));
    return bytes.map(() => random() * 256);
  }, (bytes) => {
    assertEquals(
      lateDigest(() => littleDigest, loadDigest).digest(bytes),
      BEST.digest(bytes),
    );
  });
});
