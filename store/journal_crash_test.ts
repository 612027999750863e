import { assert, assertEquals } from "@std/assert";
import {
  contentOf,
  digestOf,
  doneOf,
  FILE,
  openOn,
  stampOf,
} from "../tests/testutil/journals.ts";
import {
  type MemoryDisk,
  memoryDisk,
} from "../tests/testutil/memory_journal_fs.ts";
import { seeded } from "../tests/testutil/random.ts";
import { HEADER_BYTES } from "./journal_header.ts";

type Content = Awaited<ReturnType<typeof contentOf>>;

const PATHS = ["a", "b", "c/ü", "dir/d"];

/** A small journal, and what it said at each length that it had. */
async function smallJournal(): Promise<
  { bytes: Uint8Array; states: Map<number, Content> }
> {
  const disk = memoryDisk();
  const { journal } = await openOn(disk);
  const states = new Map<number, Content>();
  const steps = [
    () => journal.begin(stampOf("a", 4)),
    () => journal.have(0, 1, digestOf(1)),
    () => journal.begin(stampOf("b", 300)),
    () => journal.have(1, 2, new Uint8Array(96).fill(9)),
    () => journal.have(0, 0, digestOf(2)),
    () => journal.done(doneOf("a", 3)),
    () => journal.done(doneOf("c/ü", 4)),
    () => journal.done(doneOf("a", 6)),
    () => journal.drop(1),
    () => journal.begin(stampOf("dir/d", 1)),
  ];
  states.set(journal.size, await contentOf(journal, PATHS));
  for (const step of steps) {
    step();
    states.set(journal.size, await contentOf(journal, PATHS));
  }
  await journal.close();
  return { bytes: disk.files.get(FILE) ?? new Uint8Array(0), states };
}

/** The last state that fits in `length` bytes. */
function stateAt(states: Map<number, Content>, length: number): Content {
  let found: Content = { parts: [], done: [] };
  for (const [size, state] of states) if (size <= length) found = state;
  return found;
}

/** Opens a damaged journal; checks that it works, now and after a reopening. */
async function reopen(
  bytes: Uint8Array,
): Promise<{ state: string; content: Content; note: string | undefined }> {
  const disk = memoryDisk();
  disk.files.set(FILE, bytes);
  const { journal, state, note } = await openOn(disk);
  const content = await contentOf(journal, PATHS);
  journal.done(doneOf("new", 1));
  await journal.close();
  const again = await openOn(disk);
  assertEquals(again.state, "resumed");
  assertEquals(await contentOf(again.journal, [...PATHS, "new"]), {
    parts: content.parts,
    done: [...content.done, doneOf("new", 1)],
  });
  await again.journal.close();
  return { state, content, note };
}

Deno.test("a journal cut anywhere says what it said when it was that long", async () => {
  const { bytes, states } = await smallJournal();
  for (let cut = 0; cut <= bytes.length; cut++) {
    const { state, content, note } = await reopen(bytes.slice(0, cut));
    assertEquals(content, stateAt(states, cut));
    const expected = cut < HEADER_BYTES
      ? "replaced"
      : states.has(cut)
      ? "resumed"
      : "repaired";
    assertEquals(state, expected);
    assertEquals(note === undefined, expected === "resumed");
  }
});

Deno.test("a journal with any byte changed says nothing that was not so before that byte", async () => {
  const { bytes, states } = await smallJournal();
  const random = seeded(5);
  for (let at = 0; at < bytes.length; at++) {
    const flip = 1 << Math.floor(random() * 8);
    const { state, content } = await reopen(
      bytes.with(at, (bytes[at] ?? 0) ^ flip),
    );
    assertEquals(content, stateAt(states, at));
    assertEquals(state, at < HEADER_BYTES ? "replaced" : "repaired");
  }
});

Deno.test("a record counts only where it was written", async () => {
  const { bytes, states } = await smallJournal();
  const [first = 0, second = 0, third = 0] = states.keys();
  const swapped = bytes.slice();
  swapped.set(bytes.subarray(second, third), first);
  swapped.set(bytes.subarray(first, second), first + third - second);
  assertEquals((await reopen(swapped)).content, stateAt(states, first));
  // The end of another journal, as a disk may show after a crash.
  const twice = new Uint8Array([...bytes, ...bytes.subarray(HEADER_BYTES)]);
  const { state, content } = await reopen(twice);
  assertEquals([state, content], ["repaired", stateAt(states, Infinity)]);
  // A hole, as others may.
  const holed = new Uint8Array([...bytes, ...new Uint8Array(300_000)]);
  assertEquals((await reopen(holed)).state, "repaired");
});

Deno.test("noise after a header is cut off", async () => {
  const { bytes } = await smallJournal();
  const random = seeded(8);
  for (let run = 0; run < 200; run++) {
    const noise = new Uint8Array(HEADER_BYTES + Math.floor(random() * 400))
      .map(() => Math.floor(random() * 256));
    noise.set(bytes.subarray(0, HEADER_BYTES));
    if (noise.length === HEADER_BYTES) continue;
    const { state, content } = await reopen(noise);
    assertEquals([state, content], ["repaired", { parts: [], done: [] }]);
  }
});

Deno.test("whatever was done and wherever it was cut, a journal is as it once was", async () => {
  const [any] = crypto.getRandomValues(new Uint32Array(1));
  const seed = Number(Deno.env.get("SEED") ?? any);
  for (let run = 0; run < 25; run++) {
    try {
      await randomLife(seeded(seed + run));
    } catch (cause) {
      throw new Error(`SEED=${seed + run} fails`, { cause });
    }
  }
});

/** A naive journal: everything in plain maps, spelled out at once. */
function naiveJournal(): {
  parts: Map<number, { path: string; chunks: Map<number, string> }>;
  done: Map<string, number>;
} {
  return { parts: new Map(), done: new Map() };
}

async function randomLife(random: () => number): Promise<void> {
  const upTo = (n: number): number => Math.floor(random() * n);
  const paths = Array.from({ length: 8 }, (_, i) => `${"p".repeat(i)}/${i}`);
  let disk: MemoryDisk = memoryDisk();
  let { journal } = await openOn(disk);
  let model = naiveJournal();
  const tell = (): string =>
    JSON.stringify([
      [...model.parts].map(([slot, { path, chunks }]) => [
        slot,
        path,
        [...chunks].sort(([a], [b]) => a - b),
      ]).sort(([a], [b]) => Number(a) - Number(b)),
      [...model.done].sort(),
    ]);
  const said = async (): Promise<string> => {
    const { parts, done } = await contentOf(journal, [...paths].sort());
    return JSON.stringify([
      parts.map((part) => {
        const { slot, path, digests } = part as {
          slot: number;
          path: string;
          digests: unknown[];
        };
        return [slot, path, digests];
      }),
      done.map(({ path, size }) => [path, size]).sort(),
    ]);
  };
  // What it said at each length, since it was last written anew.
  let states: { size: number; model: string }[] = [];
  let synced = journal.size;
  const remember = (): void => {
    states.push({ size: journal.size, model: tell() });
  };
  remember();
  let highest = -1;
  for (let step = 0; step < 120; step++) {
    const path = paths[upTo(paths.length)] ?? "";
    const what = random();
    if (what < 0.25) {
      const slot = journal.begin(stampOf(path, 1 + upTo(300)));
      assert(slot > highest, `slot ${slot} was given out before`);
      highest = slot;
      for (const [other, part] of model.parts) {
        if (part.path === path) model.parts.delete(other);
      }
      model.parts.set(slot, { path, chunks: new Map() });
    } else if (what < 0.6) {
      const slots = [...model.parts.keys()];
      const slot = slots[upTo(slots.length)];
      const part = slot === undefined ? undefined : journal.part(slot);
      if (slot === undefined || part === undefined) continue;
      const chunks = part.size / part.chunkSize;
      const first = upTo(chunks);
      const count = 1 + upTo(Math.min(5, chunks - first));
      const digests = new Uint8Array(32 * count).map(() => upTo(256));
      journal.have(slot, first, digests);
      for (let i = 0; i < count; i++) {
        model.parts.get(slot)?.chunks.set(
          first + i,
          digests.subarray(i * 32, i * 32 + 32).toHex(),
        );
      }
    } else if (what < 0.75) {
      journal.done(doneOf(path, step));
      model.done.set(path, step);
      for (const [slot, part] of model.parts) {
        if (part.path === path) model.parts.delete(slot);
      }
    } else if (what < 0.8) {
      const [slot] = model.parts.keys();
      if (slot === undefined) continue;
      journal.drop(slot);
      model.parts.delete(slot);
    } else if (what < 0.9) {
      await journal.flush();
      synced = journal.size;
    } else if (what < 0.94) {
      const compacted = journal.compact();
      if (random() < 0.5) {
        // While it is being written, life goes on.
        journal.done(doneOf(path, step));
        for (const [slot, part] of model.parts) {
          if (part.path === path) model.parts.delete(slot);
        }
        model.done.set(path, step);
        assertEquals(await said(), tell());
      }
      await compacted;
      assertEquals(await said(), tell());
      await journal.flush();
      synced = journal.size;
      states = [];
    } else {
      // The plug is pulled: what was not synced may be there, in part or not.
      const image = disk.files.get(FILE) ?? new Uint8Array(0);
      const base = states[0]?.size ?? 0;
      const cut = Math.max(base, image.length - upTo(40) * upTo(2));
      assert(image.length >= synced, "what was synced is not there");
      disk = memoryDisk();
      disk.files.set(FILE, image.slice(0, cut));
      ({ journal } = await openOn(disk));
      const found = states.findLast(({ size }) => size <= cut);
      assertEquals(await said(), found?.model);
      model = naiveJournal();
      const [parts, done] = JSON.parse(found?.model ?? "[[],[]]");
      for (const [slot, path, chunks] of parts) {
        model.parts.set(slot, { path, chunks: new Map(chunks) });
      }
      for (const [path, size] of done) model.done.set(path, size);
      highest = journal.begin(stampOf("gone")) - 1; // a lost slot comes again
      journal.drop(highest + 1);
      highest++;
      await journal.flush();
      synced = journal.size;
      states = [];
    }
    assertEquals(await said(), tell());
    remember();
  }
  await journal.close();
}
