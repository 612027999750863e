import { createHash } from "node:crypto";
import { assert, assertEquals } from "@std/assert";
import type { FileEntry } from "../protocol/entry.ts";
import { tempDir } from "../tests/testutil/temp.ts";
import type { Incoming } from "./incoming.ts";
import { openJournal } from "./journal.ts";
import type { Nest } from "./nests.ts";
import { safePath } from "./paths.ts";
import { openRoot, type PartialDir, type Root } from "./root.ts";
import { createVault, type Vault } from "./vault.ts";

const FOLDER = safePath("d");
const TEXT = new TextEncoder().encode("some text");
const SESSION = "ab".repeat(32);

function file(name: string): FileEntry {
  return {
    kind: "file",
    path: `d/${name}`,
    mode: 0o666,
    mtimeNs: 1_700_000_000_000_000_007n,
    size: TEXT.length,
    chunkSize: 1 << 16,
  };
}

function digest(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

const SUM = digest(TEXT);

function nestOf(coming: Incoming | undefined): Nest {
  const nest = coming?.nest;
  assert(nest !== undefined);
  return nest;
}

interface Bench {
  readonly root: Root;
  readonly partial: PartialDir;
  readonly vault: Vault;
  readonly up: string;
  /** Takes files of the new folder "d". */
  admit(...names: string[]): readonly [Incoming, ...Incoming[]];
  names(): string[];
  /** Nests that are there. */
  nests(): string[];
}

async function withFolder(
  body: (bench: Bench) => Promise<void>,
): Promise<void> {
  await using dir = await tempDir();
  const up = dir.join("up");
  const root = await openRoot(up);
  const { journal } = await openJournal({
    file: dir.join("session.bitmap"),
    session: new Uint8Array(32),
    root: root.dir,
    digest,
  });
  const partial = await root.partial(SESSION);
  const vault = createVault({
    root,
    partial,
    journal,
    digest: (bytes) => Promise.resolve({ digest: digest(bytes), bytes }),
    onConflict: "rename",
    checksum: false,
    reserve: () => Promise.resolve(),
    reserveNow: () => true,
    release: () => {},
  });
  await root.makeDir(FOLDER, 0o750);
  const list = (place: string) =>
    [...Deno.readDirSync(place)].map(({ name }) => name).sort();
  try {
    await body({
      root,
      partial,
      vault,
      up,
      admit(...names) {
        const [first, ...others] = names.map((name) => {
          const coming = vault.admitNow(file(name), safePath(`d/${name}`));
          assert(coming !== undefined);
          return coming;
        });
        assert(first !== undefined);
        return [first, ...others];
      },
      names: () => list(`${up}/d`),
      nests: () => list(`${up}/.sftpx-partial/${SESSION}`),
    });
  } finally {
    vault.close();
    partial.close();
    await journal.close();
    root.close();
  }
}

const test = (name: string, body: (bench: Bench) => Promise<void>): void =>
  Deno.test({
    name,
    ignore: Deno.build.os !== "linux",
    fn: () => withFolder(body),
  });

test("files of a new folder are made out of sight, and put in place by one rename", async ({ root, vault, up, admit, names, nests }) => {
  const files = admit("a", "b", "c", "é");
  for (const coming of files) assert(coming.writeNow?.(0, TEXT));
  vault.endDir(FOLDER);
  assertEquals([names(), nests()], [[], ["1.nest"]]);
  const nest = nestOf(files[0]);
  assert(nest.isReady(4, false), "all that is to come is there");
  assert(nest.adopt());
  for (const coming of files) {
    assertEquals(coming.wasAdopted?.(SUM), {
      finalPath: coming.path,
      skipped: false,
    });
    assertEquals(coming.nest, undefined);
  }
  assertEquals([names(), nests()], [["a", "b", "c", "é"], []]);
  assertEquals((await Deno.stat(`${up}/d`)).mode, 0o40750); // as the folder was
  assertEquals((await Deno.stat(`${up}/d/a`)).mode, 0o100666); // whatever the umask
  const have = vault.haveNow(file("é"), safePath("d/é"));
  assertEquals(have?.digest, SUM, "the journal knows what it looks like");
  await root.syncDirs(); // the folder is another, and that is known
});

test("another thread makes them in the nest", async ({ vault, admit, nests }) => {
  const files = admit("a", "b", "c", "d");
  const folders = files.map((coming) => coming.beginWrite?.());
  assertEquals(new Set(folders).size, 1);
  assertEquals(files.map(({ name }) => name), ["a", "b", "c", "d"]);
  vault.endDir(FOLDER);
  const [first, ...others] = files;
  assertEquals(first?.endWrite?.(undefined), undefined); // it failed
  assertEquals([first?.nest, first?.name?.endsWith(".part")], [
    undefined,
    true,
  ]);
  const made = { size: TEXT.length, mtimeNs: 1n, ctimeNs: 2n, ino: 3n };
  for (const coming of others) assertEquals(coming.endWrite?.(made), true);
  assertEquals(nestOf(others[0]).isReady(3, false), false, "one is missing");
  assertEquals(nests(), ["1.nest"]);
  await Promise.resolve();
});

test("a nest waits once for the rest of its folder, and for what is made always", async ({ vault, admit }) => {
  const [one, two, three] = admit("a", "b", "c");
  assert(one.writeNow?.(0, TEXT));
  const nest = nestOf(one);
  assertEquals(nest.isReady(1, false), false); // the others may come
  assert((two?.beginWrite?.() ?? -1) >= 0);
  assertEquals(nest.isReady(1, false), false); // one is being made there
  assertEquals(three?.nest, undefined);
  assert(three?.writeNow?.(0, TEXT));
  assertEquals(three?.nest, undefined, "it takes no more");
  two?.close();
  assertEquals(two?.endWrite?.(undefined), false);
  assertEquals(nest.isReady(1, false), true);
  vault.endDir(FOLDER);
  await Promise.resolve();
});

test("when nothing is to come a nest does not wait", async ({ admit }) => {
  const [one] = admit("a", "b");
  assert(one.writeNow?.(0, TEXT));
  assert(nestOf(one).isReady(1, true));
  await Promise.resolve();
});

test("a folder that something was put into keeps it, and the files become parts", async ({ root, up, admit, names, nests, partial }) => {
  const files = admit("a", "b", "c", "d");
  for (const coming of files) assert(coming.writeNow?.(0, TEXT));
  await Deno.writeTextFile(`${up}/d/b`, "not ours");
  const nest = nestOf(files[0]);
  assert(nest.isReady(4, true));
  assertEquals(nest.adopt(), false);
  for (const coming of files) coming.leaveNest?.();
  assertEquals((await partial.list()).length, 4);
  assertEquals(nests().includes("1.nest"), false);
  const [, second] = files;
  for (const coming of files) {
    if (coming === second) continue;
    assert(coming.placeNow?.(SUM));
  }
  await second?.assemble();
  assertEquals(await second?.place(SUM), {
    finalPath: safePath("d/b (1)"),
    skipped: false,
  });
  assertEquals(names(), ["a", "b", "b (1)", "c", "d"]);
  assertEquals(await Deno.readTextFile(`${up}/d/b`), "not ours");
  await root.syncDirs();
});

test("a link or another folder in the place of the folder is never replaced", async ({ up, admit, names }) => {
  const files = admit("a", "b", "c", "d");
  for (const coming of files) assert(coming.writeNow?.(0, TEXT));
  const nest = nestOf(files[0]);
  assert(nest.isReady(4, true));
  await Deno.mkdir(`${up}/other`);
  await Deno.remove(`${up}/d`);
  await Deno.symlink("other", `${up}/d`);
  assertEquals(nest.adopt(), false);
  await Deno.remove(`${up}/d`);
  await Deno.mkdir(`${up}/d2`);
  await Deno.rename(`${up}/other`, `${up}/d`);
  assertEquals(nest.adopt(), false);
  assertEquals(names(), []);
  for (const coming of files) coming.close();
});

test("what will not come leaves nothing in a nest", async ({ admit, names, nests, vault }) => {
  const files = admit("a", "b", "c", "d");
  for (const coming of files) assert(coming.writeNow?.(0, TEXT));
  vault.endDir(FOLDER);
  const [one, two, ...others] = files;
  one.close();
  two?.rewind();
  assertEquals(two?.isAssembled, false);
  const nest = nestOf(others[0]);
  assert(nest.isReady(2, true));
  assert(nest.adopt());
  for (const coming of others) assert(coming.wasAdopted?.(SUM));
  assertEquals([names(), nests()], [["c", "d"], []]);
  await Promise.resolve();
});

test("folders that already hold something, or have few files, have no nest", async ({ root, admit, vault, nests }) => {
  await root.makeDir(safePath("d/sub"));
  const [one] = admit("a", "b", "c", "d");
  assert(one.writeNow?.(0, TEXT));
  assertEquals(one.nest, undefined);
  vault.endDir(FOLDER);
  await root.makeDir(safePath("e"));
  const few = vault.admitNow(file("x"), safePath("e/x"));
  vault.endDir(safePath("e"));
  assert(few?.writeNow?.(0, TEXT));
  assertEquals(few?.nest, undefined);
  assertEquals(nests().filter((name) => name.endsWith(".nest")), []);
});

test("nests of a process that was killed are removed, and nothing else", async ({ partial, admit, nests }) => {
  const [one] = admit("a", "b", "c", "d");
  assert(one.writeNow?.(0, TEXT));
  assertEquals(nests(), ["1.nest"]);
  (await partial.create(7)).close();
  await partial.removeNests();
  assertEquals(nests(), ["7.part"]);
});

test("what is assembled or synced by itself leaves its nest", async ({ admit, names }) => {
  const [one] = admit("a", "b", "c", "d");
  assert(one.writeNow?.(0, TEXT));
  await one.assemble();
  await one.sync();
  assertEquals(one.nest, undefined);
  await one.place(SUM);
  assertEquals(names(), ["a"]);
});
