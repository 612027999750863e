import { assert, assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import {
  contentOf,
  digestOf,
  doneOf,
  FILE,
  openOn,
  stampOf,
} from "../tests/testutil/journals.ts";
import { memoryDisk } from "../tests/testutil/memory_journal_fs.ts";
import type { Journal } from "./journal.ts";

/** Adds a few records, and returns what the journal says then. */
function addSome(journal: Journal): ReturnType<typeof contentOf> {
  const slot = journal.begin(stampOf("a", 9));
  for (let chunk = 0; chunk < 9; chunk += 2) {
    journal.have(slot, chunk, digestOf(chunk));
  }
  journal.done(doneOf("b", 2));
  return contentOf(journal, ["a", "b"]);
}

Deno.test("a disk that is full loses nothing, and is written to again when it has room", async () => {
  for (const room of [0, 1, 57, 300]) {
    const disk = memoryDisk();
    const { journal } = await openOn(disk);
    journal.done(doneOf("old"));
    await journal.flush();
    const good = disk.files.get(FILE);
    const content = await addSome(journal);
    disk.room = room;
    for (let n = 0; n < 2; n++) {
      const error = await assertRejects(() => journal.flush(), SftpxError);
      assertEquals(error.code, "local-io");
      assertEquals(
        error.message,
        `Cannot write journal "${FILE}": the disk is full`,
      );
      assertEquals(disk.files.get(FILE), good);
    }
    assertEquals(await contentOf(journal, ["a", "b"]), content);
    assertEquals(await journal.doneFor("old"), doneOf("old"));
    disk.room = Infinity;
    await journal.close();
    const again = await openOn(disk);
    assertEquals(again.state, "resumed");
    assertEquals(await contentOf(again.journal, ["a", "b"]), content);
    await again.journal.close();
  }
});

Deno.test("what a failed sync may have lost is written again", async () => {
  const disk = memoryDisk();
  const { journal } = await openOn(disk);
  const good = disk.files.get(FILE);
  const content = await addSome(journal);
  disk.failing.set("sync", 1);
  disk.failing.set("truncate", 1);
  await assertRejects(() => journal.flush(), SftpxError, "reported an error");
  // It could not even be cut back: that is made up for before the next write.
  disk.calls.length = 0;
  await journal.flush();
  assertEquals(disk.calls, ["truncate", "write", "sync"]);
  assert(good !== disk.files.get(FILE));
  await journal.close();
  const again = await openOn(disk);
  assertEquals(again.state, "resumed");
  assertEquals(await contentOf(again.journal, ["a", "b"]), content);
  await again.journal.close();
});

Deno.test("flushes that wait are one flush", async () => {
  const disk = memoryDisk();
  const { journal } = await openOn(disk);
  disk.calls.length = 0;
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  disk.before = () => {
    begun.resolve();
    return gate.promise;
  };
  journal.done(doneOf("a"));
  const first = journal.flush();
  await begun.promise;
  journal.done(doneOf("b"));
  const rest = [journal.flush(), journal.flush()];
  journal.done(doneOf("c"));
  rest.push(journal.flush());
  assertEquals(await journal.doneFor("a"), doneOf("a"));
  gate.resolve();
  await first;
  await Promise.all(rest);
  assertEquals(disk.calls, ["write", "sync", "write", "sync"]);
  await journal.flush();
  assertEquals(disk.calls.length, 4);
  await journal.close();
  const again = await openOn(disk);
  assertEquals(again.journal.doneCount, 3);
  await again.journal.close();
});

Deno.test("a compaction that fails leaves the journal as it was", async () => {
  for (const operation of ["write", "sync", "rename", "full"] as const) {
    const disk = memoryDisk();
    const { journal } = await openOn(disk);
    const content = await addSome(journal);
    await journal.flush();
    const good = disk.files.get(FILE);
    if (operation === "full") disk.room = 100;
    else disk.failing.set(operation, 1);
    await assertRejects(
      () => journal.compact(),
      SftpxError,
      "Cannot compact journal",
    );
    disk.room = Infinity;
    assertEquals([...disk.files.entries()], [[FILE, good]]);
    assertEquals(disk.open.files, 1);
    assertEquals(await contentOf(journal, ["a", "b"]), content);
    journal.done(doneOf("c"));
    await journal.compact();
    await journal.close();
    const again = await openOn(disk);
    const now = await contentOf(again.journal, ["a", "b", "c"]);
    assertEquals(now.done, [...content.done, doneOf("c")]);
    assertEquals(now.parts, content.parts);
    await again.journal.close();
  }
});

Deno.test("a renamed journal's directory is synced before anything counts as written", async () => {
  const disk = memoryDisk();
  const { journal } = await openOn(disk);
  disk.failing.set("syncDir", 2);
  await assertRejects(() => journal.compact(), SftpxError);
  journal.done(doneOf("a"));
  await assertRejects(() => journal.flush(), SftpxError);
  disk.calls.length = 0;
  await journal.flush();
  assertEquals(disk.calls, ["syncDir", "write", "sync"]);
  await journal.close();
});

Deno.test("what is added while the journal is written anew is found, then and after", async () => {
  const disk = memoryDisk();
  const { journal } = await openOn(disk);
  for (let n = 0; n < 50; n++) journal.done(doneOf(`f${n}`, n));
  await journal.flush();
  const operations: string[] = [];
  let added = 100;
  disk.before = async (operation) => {
    operations.push(operation);
    journal.done(doneOf(`f${added % 60}`, added)); // some are new, some are not
    assertEquals((await journal.doneFor(`f${added % 60}`))?.size, added);
    assertEquals((await journal.doneFor("f7"))?.size, 7);
    added++;
  };
  await journal.compact();
  disk.before = () => {};
  assertEquals(operations, ["write", "write", "sync", "rename", "syncDir"]);
  const paths = Array.from({ length: 60 }, (_, n) => `f${n}`);
  const content = await contentOf(journal, paths);
  assertEquals(content.done.length, 50);
  assertEquals((await journal.doneFor("f40"))?.size, 100);
  await journal.close();
  const again = await openOn(disk);
  assertEquals(await contentOf(again.journal, paths), content);
  await again.journal.close();
});

Deno.test("a journal that cannot be read while it is opened is let go", async () => {
  const disk = memoryDisk();
  const { journal } = await openOn(disk);
  journal.done(doneOf("a"));
  await journal.close();
  const bytes = disk.files.get(FILE) ?? new Uint8Array(0);
  disk.files.set(FILE, bytes.slice(0, -1));
  disk.failing.set("truncate", 1);
  const error = await assertRejects(
    () => openOn(disk),
    SftpxError,
    `Cannot open journal "${FILE}": the disk reported an error`,
  );
  assertEquals(error.code, "local-io");
  assertEquals(disk.open, { files: 0, locks: new Set() });
  disk.files.delete(FILE);
});

Deno.test("a journal whose last flush fails is closed all the same", async () => {
  const disk = memoryDisk();
  const { journal } = await openOn(disk);
  journal.done(doneOf("a"));
  disk.room = 3;
  await assertRejects(() => journal.close(), SftpxError, "the disk is full");
  assertEquals(disk.open, { files: 0, locks: new Set() });
});

Deno.test("a record that the disk has spoiled since is not given out", async () => {
  const disk = memoryDisk();
  const { journal } = await openOn(disk);
  journal.done(doneOf("a", 1));
  await journal.flush();
  const bytes = disk.files.get(FILE)?.slice() ?? new Uint8Array(0);
  bytes.set([255], bytes.length - 20);
  disk.files.set(FILE, bytes);
  assertEquals(await journal.doneFor("a"), undefined);
  await assertRejects(() => journal.compact(), SftpxError, "it is damaged at");
  await journal.close();
});

Deno.test("a file is found while its journal is replaced, or closed, under the reader", async () => {
  const disk = memoryDisk();
  const { journal } = await openOn(disk);
  journal.done(doneOf("a", 1));
  await journal.flush();
  for (const change of [() => journal.compact(), () => journal.close()]) {
    const gate = Promise.withResolvers<void>();
    disk.reading = () => gate.promise;
    const found = journal.doneFor("a");
    disk.reading = () => Promise.resolve();
    const changed = change();
    // It cannot end before the read does, and the read waits for the gate.
    let ended = false;
    const end = changed.then(() => ended = true);
    for (let turn = 0; turn < 200; turn++) await Promise.resolve();
    assertEquals(ended, false);
    gate.resolve();
    assertEquals(await found, doneOf("a", 1));
    await end;
  }
  assertEquals(disk.open.files, 0);
});
