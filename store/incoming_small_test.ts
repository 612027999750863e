import { assert, assertEquals } from "@std/assert";
import type { FileEntry } from "../protocol/entry.ts";
import { digest, type TestVault, withVault } from "../tests/testutil/vault.ts";
import type { Incoming } from "./incoming.ts";
import { safePath } from "./paths.ts";
import type { VaultDeps } from "./vault.ts";

const CHUNK = 1 << 16;
const TEXT = new TextEncoder().encode("some text");
const PATH = safePath("d/f");
const MADE = { size: TEXT.length, mtimeNs: 1n, ctimeNs: 2n, ino: 3n };

function file(size: number = TEXT.length): FileEntry {
  return {
    kind: "file",
    path: "d/f",
    mode: 0o640,
    mtimeNs: 1_700_000_000_000_000_007n,
    size,
    chunkSize: CHUNK,
  };
}

interface Bench extends TestVault {
  /** The only file of the new folder "d". */
  admit(): Incoming;
}

/** Runs `body` with an upload folder that has a new folder, "d". */
async function withFolder(
  body: (bench: Bench) => Promise<void>,
  options?: Partial<VaultDeps>,
): Promise<void> {
  await withVault(async (bench) => {
    const { root, vault } = bench;
    await root.makeDir(safePath("d"));
    const admit = (): Incoming => {
      const coming = vault.admitNow(file(), PATH);
      assert(coming !== undefined);
      vault.endDir(safePath("d")); // it is alone, and so it is a part
      return coming;
    };
    await body({ ...bench, admit });
  }, options);
}

/** Where there is no quick way nothing is admitted at once, and that is all. */
const test = (name: string, body: () => Promise<void>): void =>
  Deno.test({ name, ignore: Deno.build.os !== "linux", fn: body });

test("a small file for a new folder is written, named and known without a wait", async () => {
  await withFolder(async ({ root, vault, reserved, admit }) => {
    const coming = admit();
    assertEquals(reserved(), TEXT.length);
    assertEquals(coming.isAssembled, false);
    assert(coming.writeNow?.(0, TEXT));
    assert(coming.writeNow?.(0, TEXT)); // what comes twice is written once
    assertEquals(reserved(), 0);
    assertEquals(coming.isAssembled, true);
    const placed = coming.placeNow?.(digest(TEXT));
    assertEquals(placed, { finalPath: PATH, skipped: false });
    assertEquals(await Deno.readTextFile(`${root.dir}/d/f`), "some text");
    const stamp = await root.lstat(PATH);
    assertEquals(stamp?.mode, 0o640);
    assertEquals(stamp?.mtimeNs, file().mtimeNs);
    assertEquals(root.lstatNow(PATH), stamp);
    assertEquals(vault.haveNow(file(), PATH), {
      kind: "have",
      digest: digest(TEXT),
      finalPath: PATH,
    });
    assertEquals(vault.haveNow({ ...file(), mtimeNs: 1n }, PATH), undefined);
    await Deno.writeTextFile(`${root.dir}/d/f`, "same size");
    assertEquals(vault.haveNow(file(), PATH), undefined);
  });
});

test("a name that was taken meanwhile is left alone, and another one is used", async () => {
  await withFolder(async ({ root, reserved, admit }) => {
    const coming = admit();
    assert(coming.writeNow?.(0, TEXT));
    await Deno.writeTextFile(`${root.dir}/d/f`, "not ours");
    assertEquals(coming.placeNow?.(digest(TEXT)), undefined);
    const placed = await coming.place(digest(TEXT));
    assertEquals(placed.finalPath, safePath("d/f (1)"));
    assertEquals(await Deno.readTextFile(`${root.dir}/d/f`), "not ours");
    assertEquals(await Deno.readTextFile(`${root.dir}/d/f (1)`), "some text");
    assertEquals(reserved(), 0);
  });
});

test("a part that is nobody's is written anew, the long way", async () => {
  await withFolder(async ({ root, partial, reserved, admit }) => {
    const coming = admit();
    (await partial.create(coming.slot)).close();
    assertEquals(coming.writeNow?.(0, TEXT), undefined);
    await coming.write(0, TEXT);
    assertEquals(coming.isAssembled, false);
    await coming.assemble();
    await coming.sync();
    await coming.place(digest(TEXT));
    assertEquals(await Deno.readTextFile(`${root.dir}/d/f`), "some text");
    assertEquals(reserved(), 0);
  });
});

test("what is synced one by one is synced the long way", async () => {
  await withFolder(async ({ root, admit }) => {
    const coming = admit();
    assert(coming.writeNow?.(0, TEXT));
    await coming.sync();
    assertEquals(coming.written.count, 1);
    await coming.place(digest(TEXT));
    assertEquals(await Deno.readTextFile(`${root.dir}/d/f`), "some text");
  });
});

test("a small file that is given up leaves nothing, and what was reserved is free", async () => {
  await withFolder(async ({ partial, reserved, admit }) => {
    const coming = admit();
    assert(coming.writeNow?.(0, TEXT));
    await coming.discard();
    assertEquals([await partial.list(), reserved()], [[], 0]);
  });
  await withFolder(async ({ root, reserved, admit }) => {
    const other = admit();
    other.close();
    assertEquals(reserved(), 0);
    assertEquals(other.writeNow?.(0, TEXT), false); // nobody waits for it
    assertEquals(other.placeNow?.(digest(TEXT)), undefined);
    assertEquals(await root.lstat(PATH), undefined);
  });
});

test("only a file of one chunk, in a folder that is new, with room for it, is taken at once", async () => {
  await withFolder(async ({ root, vault }) => {
    assertEquals(vault.admitNow(file(CHUNK + 1), PATH), undefined);
    assertEquals(vault.admitNow(file(0), PATH), undefined);
    assertEquals(vault.admitNow(file(), safePath("f")), undefined);
    root.endDir(safePath("d"));
    assertEquals(vault.admitNow(file(), PATH), undefined);
    await root.makeDir(safePath("d")); // it is there already
    assertEquals(vault.admitNow(file(), PATH), undefined);
  });
  await withFolder(({ vault }) => {
    assertEquals(vault.admitNow(file(), PATH), undefined);
    return Promise.resolve();
  }, { reserveNow: () => false });
});

test("another thread may write it, which is waited for", async () => {
  await withFolder(async ({ root, partial, reserved, admit }) => {
    const coming = admit();
    assert((coming.beginWrite?.() ?? -1) >= 0);
    assertEquals(coming.beginWrite?.(), -1); // one is enough
    assertEquals(coming.writeNow?.(0, TEXT), undefined);
    const twice = coming.write(0, TEXT);
    let isSettled = false;
    const settled = coming.settled().then(() => isSettled = true);
    await Promise.resolve();
    assertEquals(isSettled, false);
    assert(partial.createWhole(coming.slot, TEXT, file()));
    assertEquals(coming.isAssembled, false);
    assertEquals(coming.endWrite?.(MADE), true);
    assertEquals([await twice, await settled], [true, true]);
    assertEquals([coming.isAssembled, reserved()], [true, 0]);
    assert(coming.placeNow?.(digest(TEXT)));
    assertEquals(await Deno.readTextFile(`${root.dir}/d/f`), "some text");
  });
});

test("what another thread did not write is written the long way", async () => {
  await withFolder(async ({ root, partial, admit }) => {
    const coming = admit();
    assert((coming.beginWrite?.() ?? -1) >= 0);
    (await partial.create(coming.slot)).close(); // as far as it came
    assertEquals(coming.endWrite?.(undefined), undefined);
    assert(await coming.write(0, TEXT));
    await coming.assemble();
    await coming.sync();
    await coming.place(digest(TEXT));
    assertEquals(await Deno.readTextFile(`${root.dir}/d/f`), "some text");
  });
});

test("what another thread writes counts for nothing once all must come again", async () => {
  await withFolder(async ({ root, partial, admit }) => {
    const coming = admit();
    assert((coming.beginWrite?.() ?? -1) >= 0);
    coming.rewind();
    const other = new TextEncoder().encode("other txt");
    assert(partial.createWhole(coming.slot, other, file()));
    assertEquals(coming.endWrite?.(MADE), undefined);
    assertEquals(coming.isAssembled, false);
    assert(await coming.write(0, TEXT));
    await coming.assemble();
    await coming.sync();
    await coming.place(digest(TEXT));
    assertEquals(await Deno.readTextFile(`${root.dir}/d/f`), "some text");
  });
});

test("a file that is closed while another thread writes it is not written", async () => {
  await withFolder(async ({ partial, reserved, admit }) => {
    const coming = admit();
    assert((coming.beginWrite?.() ?? -1) >= 0);
    const gone = coming.discard();
    assertEquals(reserved(), 0);
    assert(partial.createWhole(coming.slot, TEXT, file()));
    assertEquals(coming.endWrite?.(MADE), false);
    await gone;
    assertEquals(await partial.list(), []);
    assertEquals(coming.beginWrite?.(), -1);
  });
});
