import { assertEquals } from "@std/assert";
import { namesIn, testRoot } from "../tests/testutil/root.ts";
import { safePath } from "./paths.ts";
import type { Root } from "./root.ts";

const modeOf = (path: string): number =>
  (Deno.lstatSync(path).mode ?? 0) & 0o7777;

/** Whether small files have a quick way, and so must folders. */
async function isAble(root: Root): Promise<boolean> {
  await Deno.remove(`${root.dir}/able`).catch(() => {});
  await root.makeDir(safePath("able"));
  return root.isFresh(safePath("able"));
}

testRoot(
  "a folder is made at once where its name is free",
  async (root, dir) => {
    const isQuick = root.makeDirNow(safePath("d"), 0o7050);
    assertEquals(isQuick, await isAble(root), "where the calls are to be had");
    assertEquals(namesIn(dir), isQuick ? ["able", "d"] : ["able"]);
    if (!isQuick) return;
    assertEquals(modeOf(`${dir}/d`), 0o750 & ~Deno.umask());
    assertEquals(root.isFresh(safePath("d")), true);
    assertEquals(root.makeDirNow(safePath("d/e")), true);
    // Not in one that is missing, and nothing that is there is changed.
    assertEquals(root.makeDirNow(safePath("x/y")), false);
    await Deno.chmod(`${dir}/d`, 0o500);
    assertEquals(root.makeDirNow(safePath("d")), false);
    assertEquals(root.isFresh(safePath("d")), false, "it may have been filled");
    assertEquals(modeOf(`${dir}/d`), 0o500);
    await Deno.writeTextFile(`${dir}/file`, "");
    assertEquals(root.makeDirNow(safePath("file")), false);
    // Not through a link, nor over one.
    await Deno.mkdir(`${dir}/../outside`);
    await Deno.symlink("../outside", `${dir}/link`);
    assertEquals(root.makeDirNow(safePath("link/x")), false);
    assertEquals(root.makeDirNow(safePath("link")), false);
    assertEquals(namesIn(`${dir}/../outside`), []);
    root.close();
    assertEquals(root.makeDirNow(safePath("late")), false);
    assertEquals(namesIn(dir), ["able", "d", "file", "link"]);
  },
);

testRoot(
  "a folder gets its mode and time at once, and nothing else does",
  async (root, dir) => {
    await root.makeDir(safePath("d/e"));
    for (const mtimeNs of [1_700_000_000_123_000_000n, 0n, -1_250_000_000n]) {
      const meta = { mode: 0o6751, mtimeNs };
      const isQuick = root.setDirMetaNow(safePath("d/e"), meta);
      assertEquals(isQuick, await isAble(root));
      if (!isQuick) await root.setMeta(safePath("d/e"), meta);
      const stamp = await root.lstat(safePath("d/e"));
      assertEquals(stamp?.mode, 0o751);
      assertEquals(stamp?.mtimeNs, mtimeNs);
    }
    await Deno.mkdir(`${dir}/../outside`, { mode: 0o700 });
    await Deno.writeTextFile(`${dir}/file`, "", { mode: 0o600 });
    await Deno.symlink("../outside", `${dir}/link`);
    const before = await Deno.stat(`${dir}/../outside`);
    for (const name of ["file", "link", "link/x", "missing", "missing/x"]) {
      const meta = { mode: 0o777, mtimeNs: 0n };
      assertEquals(root.setDirMetaNow(safePath(name), meta), false, name);
    }
    assertEquals(modeOf(`${dir}/file`), 0o600);
    assertEquals(await Deno.stat(`${dir}/../outside`), before);
  },
);
