import { assert, assertEquals } from "@std/assert";
import type { FileEntry } from "../protocol/entry.ts";
import { namesIn, SESSION } from "../tests/testutil/root.ts";
import { digest, type TestVault, withVault } from "../tests/testutil/vault.ts";
import type { Incoming } from "./incoming.ts";
import type { Nest } from "./nests.ts";
import { safePath } from "./paths.ts";

const FOLDER = safePath("d");
const TEXT = new TextEncoder().encode("some text");

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

const SUM = digest(TEXT);

function nestOf(coming: Incoming | undefined): Nest {
  const nest = coming?.nest;
  assert(nest !== undefined);
  return nest;
}

interface Bench extends TestVault {
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
  await withVault(async (bench) => {
    const { root, vault } = bench;
    const up = root.dir;
    await root.makeDir(FOLDER, 0o750);
    await body({
      ...bench,
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
      names: () => namesIn(`${up}/d`),
      nests: () => namesIn(`${up}/.sftpx-partial/${SESSION}`),
    });
  });
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

test("a nest takes so many files and no more; the others are parts", async ({ admit }) => {
  const names = Array.from({ length: 514 }, (_, n) => `f${n}`);
  const files = admit(...names);
  for (const coming of files) assert(coming.writeNow?.(0, TEXT));
  assertEquals(files.filter(({ nest }) => nest !== undefined).length, 512);
  assert(nestOf(files[0]).isReady(512, false));
  await Promise.resolve();
});

test("a folder that hands something down has no nest", async ({ root, up, vault, admit }) => {
  await Deno.chmod(`${up}/d`, 0o2750);
  const [one] = admit("a", "b", "c", "d");
  assert(one.writeNow?.(0, TEXT));
  assertEquals(one.nest, undefined);
  await root.makeDir(safePath("e"));
  if (!setDefaultRights(`${up}/e`)) return; // this file system has none
  const other = ["a", "b", "c", "d"].map((name) =>
    vault.admitNow(file(name), safePath(`e/${name}`))
  );
  assert(other[0]?.writeNow?.(0, TEXT));
  assertEquals(other[0]?.nest, undefined);
});

/** Gives a folder an ACL that what is made in it has; says whether that can be. */
function setDefaultRights(path: string): boolean {
  const name = "system.posix_acl_default\0";
  // Version 2; of each entry tag, rights and whose: owner, group, others.
  const acl = new DataView(new ArrayBuffer(28));
  acl.setUint32(0, 2, true);
  for (const [n, tag] of [1, 4, 32].entries()) {
    acl.setUint16(4 + 8 * n, tag, true);
    acl.setUint16(6 + 8 * n, 7, true);
    acl.setUint32(8 + 8 * n, 0xffffffff, true);
  }
  const library = Deno.dlopen("libc.so.6", {
    setxattr: {
      parameters: ["buffer", "buffer", "buffer", "usize", "i32"],
      result: "i32",
    },
  });
  const text = new TextEncoder();
  const failed = library.symbols.setxattr(
    text.encode(`${path}\0`),
    text.encode(name),
    acl,
    BigInt(acl.byteLength),
    0,
  );
  library.close();
  return failed === 0;
}

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
