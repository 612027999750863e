import { assert, assertEquals, assertRejects } from "@std/assert";
import { forAll } from "../tests/testutil/random.ts";
import { loadDigest } from "./digest.ts";
import { lateDigest, LITTLE_BYTES, SOME_BYTES } from "./digest_late.ts";
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

/** A late digest of three, whose better ones come when the test says so. */
function inThree(): {
  readonly late: ReturnType<typeof lateDigest>;
  readonly loads: string[];
  readonly arrive: (which: "soon" | "best") => Promise<void>;
} {
  const loads: string[] = [];
  const gates = {
    soon: Promise.withResolvers<typeof BEST>(),
    best: Promise.withResolvers<typeof BEST>(),
  };
  const load = (which: "soon" | "best") => () => {
    loads.push(which);
    return gates[which].promise;
  };
  return {
    late: lateDigest(() => littleDigest, load("best"), load("soon")),
    loads,
    async arrive(which) {
      gates[which].resolve({
        ...BEST,
        name: which === "soon" ? "jit" : "native",
      });
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    },
  };
}

Deno.test("lateDigest() loads what is there soon for some, and the best for much", async () => {
  const { late, loads, arrive } = inThree();
  const bytes = new Uint8Array(1024 * 1024).fill(3);
  const right = BEST.digest(bytes);
  const waiting = late.enough(bytes.length);
  assertEquals(loads, ["soon"]);
  assert(!late.isReady(bytes.length));
  await arrive("soon");
  assert(await waiting);
  for (let taken = 0; taken < SOME_BYTES / 2; taken += bytes.length) {
    assert(late.isReady(bytes.length));
    assertEquals(loads, ["soon"]);
    assertEquals(late.digest(bytes), right);
  }
  late.digest(bytes);
  assertEquals(loads, ["soon", "best"]);
  assert(!late.isReady(SOME_BYTES), "it is for some, not for more");
  assertEquals(await late.enough(SOME_BYTES), false);
  await arrive("best");
  assert(late.isReady(Infinity));
  assertEquals((await late.best()).name, "native");
  assertEquals(late.digest(bytes), right);
});

Deno.test("lateDigest() goes to the best at once for much, and where what is there sooner does not work", async () => {
  const much = inThree();
  assertEquals(await much.late.enough(SOME_BYTES + 1), false);
  assertEquals(much.loads, []);
  const late = lateDigest(
    () => littleDigest,
    () => Promise.resolve(BEST),
    () => Promise.reject(new Error("it does not load")),
  );
  assertEquals(await late.enough(LITTLE_BYTES + 1), false);
  assertEquals(await late.best(), BEST);
  assert(late.isReady(LITTLE_BYTES + 1));
});

Deno.test("what comes soon never takes the place of the best", async () => {
  const { late, arrive } = inThree();
  const waiting = late.enough(LITTLE_BYTES + 1);
  const best = late.best();
  await arrive("best");
  await arrive("soon");
  assert(await waiting);
  assertEquals((await best).name, "native");
  assert(late.isReady(Infinity));
});

Deno.test("a hasher of lateDigest() is right wherever each of the better ones comes in between", async () => {
  for (const soon of [0, 1, 2, 9]) {
    for (const best of [0, 1, 2, 3, 9]) {
      const { late, arrive } = inThree();
      const [ours, theirs] = [late.hasher(), BEST.hasher()];
      for (let part = 0; part < 4; part++) {
        if (part === soon) await arrive("soon");
        if (part === best) await arrive("best");
        const bytes = new Uint8Array(700_000).fill(part);
        ours.update(bytes);
        theirs.update(bytes);
        bytes.fill(255);
      }
      assertEquals(ours.digest(), theirs.digest(), `${soon} ${best}`);
    }
  }
});

Deno.test("while the best loads nothing else does, and where nothing comes sooner it is loaded for little more than little", async () => {
  const { late, loads } = inThree();
  const best = late.best();
  best.catch(() => {});
  assertEquals(await late.enough(LITTLE_BYTES + 1), false);
  assertEquals(loads, ["best"]);

  let isLoaded = false;
  const without = lateDigest(
    () => littleDigest,
    () => {
      isLoaded = true;
      return Promise.resolve(BEST);
    },
    () => Promise.reject(new Error("it does not load")),
  );
  const bytes = new Uint8Array(LITTLE_BYTES + 1);
  assertEquals(without.digest(bytes), BEST.digest(bytes));
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  assert(isLoaded);
  assert(without.isReady(Infinity));
});
