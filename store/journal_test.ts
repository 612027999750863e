import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import {
  blake3,
  contentOf,
  digestOf,
  doneOf,
  FILE,
  openOn,
  stampOf,
} from "../tests/testutil/journals.ts";
import { memoryDisk } from "../tests/testutil/memory_journal_fs.ts";
import { openJournal } from "./journal.ts";

Deno.test("a journal opens with what was flushed before", async () => {
  const disk = memoryDisk();
  const { journal, state } = await openOn(disk);
  assertEquals(state, "fresh");
  const a = journal.begin(stampOf("a", 5));
  const b = journal.begin(stampOf("b/ü 🎈", 2));
  const c = journal.begin(stampOf("c", 2000));
  assertEquals([a, b, c], [0, 1, 2]);
  journal.have(a, 3, digestOf(3));
  journal.have(a, 0, digestOf(0));
  journal.have(a, 3, digestOf(33)); // written again: the later digest counts
  const many = new Uint8Array(1200 * 32).map((_, i) => i >> 5);
  journal.have(c, 700, many);
  journal.done(doneOf("b/ü 🎈", 7)); // and its part is no more
  journal.done(doneOf("d", 1));
  journal.done(doneOf("d", 2));
  const before = await contentOf(journal, ["a", "b/ü 🎈", "d", "e"]);
  assertEquals(before.done, [doneOf("b/ü 🎈", 7), doneOf("d", 2)]);
  assertEquals(journal.partFor("a")?.digest(3), digestOf(33));
  assertEquals(journal.partFor("a")?.digest(1), undefined);
  assertEquals(journal.part(b), undefined);
  assertEquals(journal.doneCount, 2);
  await journal.close();

  const again = await openOn(disk);
  assertEquals([again.state, again.note], ["resumed", undefined]);
  assertEquals(
    await contentOf(again.journal, ["a", "b/ü 🎈", "d", "e"]),
    before,
  );
  assertEquals(again.journal.partFor("c")?.digest(1899), many.slice(-32));
  assertEquals(again.journal.begin(stampOf("e")), 3);
  await again.journal.close();
  assertEquals(disk.open, { files: 0, locks: new Set() });
});

Deno.test("a path has one part, and a slot is never given out twice", async () => {
  const disk = memoryDisk();
  const { journal } = await openOn(disk);
  journal.begin(stampOf("a"));
  assertEquals(journal.begin(stampOf("a")), 1);
  assertEquals([...journal.parts()].map(({ slot }) => slot), [1]);
  journal.drop(1);
  journal.drop(1);
  assertEquals(journal.partFor("a"), undefined);
  await journal.compact();
  await journal.close();
  const again = await openOn(disk);
  assertEquals(again.journal.begin(stampOf("a")), 2);
  await again.journal.close();
});

Deno.test("a journal of someone else is set aside, and says whose it was", async () => {
  const damaged =
    (change: (bytes: Uint8Array) => Uint8Array) =>
    async (): Promise<[string | undefined, boolean]> => {
      const disk = memoryDisk();
      const { journal } = await openOn(disk);
      journal.begin(stampOf("a"));
      await journal.close();
      const bytes = change(disk.files.get(FILE)?.slice() ?? new Uint8Array(0));
      disk.files.set(FILE, bytes);
      disk.files.set(`${FILE}.bad`, new Uint8Array(1));
      const { journal: next, state, note } = await openOn(disk);
      assertEquals([state, [...next.parts()]], ["replaced", []]);
      const kept = disk.files.get(`${FILE}.bad`) === bytes;
      next.begin(stampOf("b"));
      await next.close();
      const last = await openOn(disk);
      assertEquals(last.state, "resumed");
      await last.journal.close();
      return [note, kept];
    };
  const cases: [string, (bytes: Uint8Array) => Uint8Array][] = [
    ["it is shorter than a header", (bytes) => bytes.slice(0, 91)],
    ["it is shorter than a header", () => new Uint8Array(0)],
    ["it is not a journal", (bytes) => bytes.with(0, 0)],
    ["its version is 2, not 1", (bytes) => bytes.with(11, 2)],
    ["its header is damaged", (bytes) => bytes.with(12, 0)],
    ["its header is damaged", (bytes) => bytes.with(91, 1)],
  ];
  for (const [reason, change] of cases) {
    assertEquals(await damaged(change)(), [`set aside, as ${reason}`, true]);
  }
});

Deno.test("a journal serves one session and one upload directory", async () => {
  for (
    const [options, reason] of [
      [{ session: new Uint8Array(32).fill(2) }, "another session"],
      [{ root: "/elsewhere" }, "another upload directory"],
    ] as const
  ) {
    const disk = memoryDisk();
    const { journal } = await openOn(disk);
    journal.done(doneOf("a"));
    await journal.close();
    const other = await openOn(disk, options);
    assertEquals(other.state, "replaced");
    assertEquals(other.note, `set aside, as it is of ${reason}`);
    assertEquals(await other.journal.doneFor("a"), undefined);
    await other.journal.close();
  }
});

Deno.test("a journal that is opened fresh forgets all", async () => {
  const disk = memoryDisk();
  const { journal } = await openOn(disk);
  journal.done(doneOf("a"));
  await journal.close();
  const { journal: next, state, note } = await openOn(disk, { fresh: true });
  assertEquals([state, note], ["fresh", undefined]);
  assertEquals(await next.doneFor("a"), undefined);
  await next.close();
  assertEquals([...disk.files.keys()], [FILE]);
});

Deno.test("a compacted journal says what the long one said, and goes on", async () => {
  const disk = memoryDisk();
  const { journal } = await openOn(disk);
  const paths = Array.from({ length: 150 }, (_, i) => `dir/${i}`);
  for (let round = 0; round < 4; round++) {
    for (const [i, path] of paths.entries()) {
      const slot = journal.begin(stampOf(path, 1 + i));
      for (let chunk = i; chunk > 0; chunk -= 7) {
        journal.have(slot, chunk, digestOf(chunk + round));
      }
      if (i % 3 > 0) journal.done(doneOf(path, i * 10 + round));
      if (i % 7 === 0) journal.drop(slot);
    }
    await journal.flush();
  }
  const before = await contentOf(journal, paths);
  const size = journal.size;
  await journal.compact();
  assert(journal.size < size / 2, `${journal.size} of ${size}`);
  assertEquals(journal.size, disk.files.get(FILE)?.length);
  assertEquals(await contentOf(journal, paths), before);
  journal.done(doneOf("dir/0", 99));
  const after = await contentOf(journal, paths);
  await journal.close();
  const again = await openOn(disk);
  assertEquals(again.state, "resumed");
  assertEquals(await contentOf(again.journal, paths), after);
  await again.journal.close();
  assertEquals([...disk.files.keys()], [FILE]);
});

Deno.test("a log that is mostly of the past is written anew, in use and when opened", async () => {
  const disk = memoryDisk();
  const { journal } = await openOn(disk);
  let largest = 0;
  for (let n = 0; n < 30_000; n++) {
    journal.done(doneOf(`file ${n % 10}`, n));
    if (n % 500 === 0) await journal.flush();
    largest = Math.max(largest, journal.size);
  }
  await journal.close();
  assert(largest < 1.2 * (1 << 20), `it grew to ${largest}`);

  const other = memoryDisk();
  const { journal: short } = await openOn(other);
  for (let n = 0; n < 1000; n++) short.done(doneOf(`file ${n % 10}`, n));
  await short.close();
  assert((other.files.get(FILE)?.length ?? 0) > 1 << 16);
  const again = await openOn(other);
  assert(again.journal.size < 4096);
  assertEquals(await again.journal.doneFor("file 9"), doneOf("file 9", 999));
  await again.journal.close();
});

Deno.test("a journal refuses what it cannot write", async () => {
  const { journal } = await openOn(memoryDisk());
  const slot = journal.begin(stampOf("a", 3));
  assertThrows(
    () => journal.have(slot, 3, digestOf(1)),
    RangeError,
    "it has 3",
  );
  assertThrows(() => journal.have(slot, 2, new Uint8Array(64)), RangeError);
  assertThrows(() => journal.have(slot, -1, digestOf(1)), RangeError);
  assertThrows(() => journal.have(slot, 0.5, digestOf(1)), RangeError);
  assertThrows(() => journal.have(slot, 0, new Uint8Array(31)), RangeError);
  assertThrows(() => journal.have(9, 0, digestOf(1)), RangeError, "slot 9");
  for (const path of ["", "x".repeat(4097), "é".repeat(2049), "\ud800"]) {
    assertThrows(() => journal.begin(stampOf(path)), RangeError, "path");
    assertThrows(() => journal.done(doneOf(path)), RangeError, "path");
  }
  const { local } = doneOf("a");
  const wrong = { ...doneOf("a"), local: { ...local, ino: 2n ** 64n } };
  assertThrows(() => journal.done(wrong), RangeError, "64-bit");
  const digest = new Uint8Array(31);
  assertThrows(() => journal.done({ ...doneOf("a"), digest }), RangeError);
  assertEquals(await contentOf(journal, ["a"]), {
    parts: [{ slot, ...stampOf("a", 3), digests: [] }],
    done: [],
  });
  const longest = "x".repeat(4096);
  journal.done({ ...doneOf(longest), finalPath: "y".repeat(4096) });
  assertEquals((await journal.doneFor(longest))?.finalPath.length, 4096);
  await journal.close();
  assertThrows(() => journal.begin(stampOf("b")), SftpxError, "it is closed");
});

Deno.test("a journal keeps a time that 64 bits do not hold as the nearest", async () => {
  const { journal } = await openOn(memoryDisk());
  for (
    const [ns, kept] of [[2n ** 63n, 2n ** 63n - 1n], [
      -(2n ** 70n),
      -(2n ** 63n),
    ]] as const
  ) {
    journal.done({ ...doneOf("a"), mtimeNs: ns });
    assertEquals((await journal.doneFor("a"))?.mtimeNs, kept);
  }
  await journal.close();
});

Deno.test("a file's declared size takes no memory", async () => {
  const { journal } = await openOn(memoryDisk());
  const size = Number.MAX_SAFE_INTEGER;
  const slot = journal.begin({ ...stampOf("a"), size });
  const last = Math.ceil(size / (1 << 16)) - 1;
  journal.have(slot, last, digestOf(1));
  assertEquals(journal.part(slot)?.chunks.count, 1);
  assertEquals(journal.part(slot)?.digest(last), digestOf(1));
  await journal.close();
});

Deno.test("opening needs a session of 32 bytes", async () => {
  await assertRejects(
    () =>
      openJournal({
        file: FILE,
        session: new Uint8Array(16),
        root: "/",
        digest: blake3,
      }),
    RangeError,
    "32 bytes",
  );
});
