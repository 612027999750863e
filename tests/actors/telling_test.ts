/**
 * When files of many are sent: near by, a receiver is told of all that it may
 * be told of before.
 */
import { assertEquals, assertGreater } from "@std/assert";
import { nextTurn } from "../../core/turn.ts";
import { namedRoots, openSourceDisk, walkInSteps } from "../../store/source.ts";
import {
  type Pair,
  pair,
  type PairOptions,
  slowControl,
  typeOf,
} from "./pair.ts";

const FILES = 1200;
const TREE = Object.fromEntries(
  Array.from({ length: FILES }, (_, n) => [`f${n}`, 100]),
);
/** Entries that were told when the walk has come half-way. */
const HALF = 511;

/** How a tree is walked. */
interface Walk {
  /** Time of a step of some entries, ms. */
  readonly stepMs: number;
  readonly path?: PairOptions["path"];
}

/**
 * Sends a tree; half-way its walk rests until the receiver has said what it
 * wants of what it was told of.
 *
 * @returns How many leases were over by then, and how many before the walk was.
 */
async function leasesDuring(
  { stepMs, path }: Walk,
): Promise<{ readonly half: number; readonly walk: number }> {
  let [entries, isWalking, leases, half] = [0, true, 0, 0];
  let isMoving = stepMs === 0;
  const begun = Promise.withResolvers<void>();
  if (path === undefined) begun.resolve();
  const judged = Promise.withResolvers<void>();
  const disk = openSourceDisk();
  await using two: Pair = await pair({
    tree: TREE,
    ...(path && { path }),
    intercept(side, _, message) {
      if (side !== "sender") return;
      switch (typeOf(message)) {
        case "accepted":
          return begun.resolve();
        case "status":
          if (entries >= HALF) judged.resolve();
          return;
        case "lane-done":
          if (isWalking && entries >= HALF) leases++;
          return;
        case "found":
          entries += (message as { entries: unknown[] }).entries.length;
      }
    },
    send: {
      async *walk() {
        const roots = await namedRoots([two.source]);
        let [walked, isHalf] = [0, false];
        for await (const step of walkInSteps(roots, { disk })) {
          if (walked > HALF + 64 && !isHalf) {
            await judged.promise;
            isHalf = true;
            // Leases of what is wanted, if there are any, are over by then.
            for (let turn = 0; turn < 500; turn++) await nextTurn();
            half = leases;
            isMoving = false;
          }
          if (stepMs > 0) await two.time.clock.delay(stepMs);
          walked += Array.isArray(step) ? step.length : 1;
          yield step;
        }
        isWalking = false;
      },
    },
  });
  /** While it runs no time passes. */
  const still = async (): Promise<void> => {
    await begun.promise;
    while (isMoving) {
      two.time.stir();
      await nextTurn();
    }
  };
  const receiving = two.receive();
  const stillness = still();
  await two.run(two.send());
  await stillness;
  assertEquals(await two.differences(), []);
  await two.run(receiving.close());
  disk.close();
  return { half, walk: leases };
}

Deno.test("near by, a receiver hears of many files before more of them come", async () => {
  assertEquals((await leasesDuring({ stepMs: 0 })).half, 0);
});

Deno.test("a walk that takes its time is not waited for", async () => {
  assertGreater((await leasesDuring({ stepMs: 25 })).walk, 0);
});

Deno.test("far away, files are sent while others are found", async () => {
  const path = slowControl(10);
  assertGreater((await leasesDuring({ stepMs: 0, path })).half, 0);
});
