import { assert, assertEquals } from "@std/assert";
import type { Receiving } from "./pair.ts";
import { CHUNK, type Pair, pair, SMALL_TREE } from "./pair.ts";
import { openRoot, type Root } from "../../store/root.ts";
import {
  namedRoots,
  openSourceDisk,
  type SourceDisk,
  walkInSteps,
} from "../../store/source.ts";

/** What opens content at either side, and how often it did. */
type Reads = Map<string, number>;

/** `object`, of which the named methods are counted. */
function counted<T extends object>(
  object: T,
  side: string,
  names: readonly string[],
  reads: Reads,
): T {
  return new Proxy(object, {
    get(target, key) {
      const value = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      const name = `${side}.${String(key)}`;
      return (...args: unknown[]) => {
        if (names.includes(String(key))) {
          reads.set(name, (reads.get(name) ?? 0) + 1);
        }
        const result = value.apply(target, args);
        return key === "partial"
          ? result.then((dir: object) =>
            counted(dir, "part", ["open", "create", "createWhole"], reads)
          )
          : result;
      };
    },
  });
}

/** Sends a tree as often as `body` wants, and tells what each time opened. */
async function withTree(
  body: (send: (checksum: boolean) => Promise<Sent>) => Promise<void>,
): Promise<void> {
  const reads: Reads = new Map();
  let checksum = false;
  const quick = openSourceDisk();
  const disk: SourceDisk = counted(quick, "source", [
    "open",
    "readNow",
  ], reads);
  async function* walk(): AsyncGenerator<
    & Awaited<ReturnType<ReturnType<typeof walkInSteps>["next"]>>["value"]
    & object
  > {
    yield* walkInSteps(await namedRoots([two.source]), { disk });
  }
  const offer = {
    type: "offer" as const,
    get checksum() {
      return checksum;
    },
    b3sum: false,
    fresh: false,
    totalBytes: undefined,
    label: "tree",
  };
  await using two: Pair = await pair({
    tree: { ...SMALL_TREE, "huge": CHUNK * 200 },
    send: { walk, offer },
    receive: {
      openRoot: async (): Promise<Root> =>
        counted(await openRoot(two.uploads), "root", ["openRead"], reads),
    },
  });
  try {
    await body(async (withChecksum) => {
      checksum = withChecksum;
      reads.clear();
      const receiver: Receiving = two.receive();
      const { totals } = await two.run(two.send());
      await two.run(receiver.close());
      assertEquals(await two.differences(), []);
      return { skipped: totals.skipped, reads: new Map(reads) };
    });
  } finally {
    quick.close();
  }
}

interface Sent {
  readonly skipped: number;
  readonly reads: ReadonlyMap<string, number>;
}

const FILES = 10;

Deno.test("of files that are there already, and unchanged, neither side opens any", async () => {
  await withTree(async (send) => {
    const first = await send(false);
    assertEquals(first.skipped, 0);
    assert((first.reads.get("source.readNow") ?? 0) > 0);
    const again = await send(false);
    assertEquals(again.skipped, FILES);
    assertEquals([...again.reads], []);
  });
});

Deno.test("with checksum all of it is read, by both sides, and nothing is written", async () => {
  await withTree(async (send) => {
    await send(false);
    const again = await send(true);
    assert((again.reads.get("root.openRead") ?? 0) >= FILES - 1); // one is empty
    const { reads } = again;
    const opened = (reads.get("source.open") ?? 0) +
      (reads.get("source.readNow") ?? 0);
    assert(opened >= FILES - 1);
    assertEquals(reads.get("part.create"), undefined);
    assertEquals(reads.get("part.createWhole"), undefined);
  });
});
