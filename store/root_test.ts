import { assert, assertEquals, assertRejects } from "@std/assert";
import { closeSync, openSync } from "node:fs";
import { SftpxError } from "../core/errors.ts";
import {
  failsWith,
  namesIn,
  NEW,
  OVER,
  receive,
  SESSION,
  testRoot,
} from "../tests/testutil/root.ts";
import { safePath } from "./paths.ts";
import { openRoot, sameMtime } from "./root.ts";
import { openNative } from "./root_native.ts";

testRoot(
  "an upload folder is made with those above it, and left empty",
  async (root, dir) => {
    const deep = await openRoot(`${dir}/x/y/z`);
    assertEquals(deep.dir, `${dir}/x/y/z`);
    assertEquals(namesIn(deep.dir), []);
    assertEquals(deep.portable, false);
    assert(await deep.free() > 0);
    deep.close();
    deep.close();
    assertEquals(await root.lstat(safePath("x/y/z/none")), undefined);
  },
);

Deno.test("an upload folder may be reached by a link, as the user chose it", async () => {
  const dir = await Deno.makeTempDir();
  await Deno.mkdir(`${dir}/real`);
  await Deno.symlink("real", `${dir}/link`);
  const root = await openRoot(`${dir}/link`);
  assertEquals(root.dir, await Deno.realPath(`${dir}/real`));
  root.close();
  await Deno.writeTextFile(`${dir}/file`, "");
  await failsWith(
    "Cannot open the upload folder",
    () => openRoot(`${dir}/file`),
  );
  await Deno.remove(dir, { recursive: true });
});

testRoot(
  "a file is put in place whole, with its folders",
  async (root, dir) => {
    assert(await receive(root, "a/b/file", "hello"));
    assertEquals(await Deno.readTextFile(`${dir}/a/b/file`), "hello");
    const stamp = await root.lstat(safePath("a/b/file"));
    assertEquals(stamp?.kind, "file");
    assertEquals(stamp?.size, 5);
    assertEquals(stamp?.mode, 0o644);
    assertEquals(stamp?.mtimeNs, 1_700_000_000_000_000_000n);
    await root.syncDirs();
    await root.syncDirs();
    await root.removeEmptyPartials();
    assertEquals(namesIn(dir), ["a"]);
  },
);

testRoot(
  "what is there stays unless it is to be replaced",
  async (root, dir) => {
    await Deno.writeTextFile(`${dir}/victim`, "untouched");
    await Deno.writeTextFile(`${dir}/file`, "old");
    await Deno.symlink("victim", `${dir}/link`);
    await Deno.symlink("nowhere", `${dir}/dangling`);
    await Deno.mkdir(`${dir}/folder`);
    for (const name of ["file", "link", "dangling", "folder"]) {
      assertEquals(await receive(root, name, "new"), false);
    }
    assertEquals(await Deno.readTextFile(`${dir}/file`), "old");
    for (const name of ["file", "link", "dangling"]) {
      assert(await receive(root, name, "new", OVER));
      assertEquals((await root.lstat(safePath(name)))?.kind, "file");
      assertEquals(await Deno.readTextFile(`${dir}/${name}`), "new");
    }
    assertEquals(await Deno.readTextFile(`${dir}/victim`), "untouched");
    await failsWith(
      'Cannot put "folder" in place: a folder is in the way',
      () => receive(root, "folder", "new", OVER),
    );
    assert((await Deno.lstat(`${dir}/folder`)).isDirectory);
  },
);

testRoot("of many that want one new name, one gets it", async (root, dir) => {
  const parts = await root.partial(SESSION);
  const won = await Promise.all(
    Array.from({ length: 20 }, async (_, slot) => {
      const part = await parts.create(slot);
      await part.write(new TextEncoder().encode(`${slot}`), 0);
      part.close();
      return await root.commit(parts, slot, safePath("one"), NEW);
    }),
  );
  assertEquals(won.filter((yes) => yes).length, 1);
  assertEquals(
    Number(await Deno.readTextFile(`${dir}/one`)),
    won.indexOf(true),
  );
  assertEquals((await parts.list()).length, 19);
  parts.close();
});

testRoot("no folder on the way may be a link or a file", async (root, dir) => {
  await Deno.mkdir(`${dir}/../outside`);
  await Deno.symlink("../outside", `${dir}/link`);
  await Deno.writeTextFile(`${dir}/file`, "");
  for (const top of ["link", "file"]) {
    const path = safePath(`${top}/x`);
    const text = `Cannot enter the folder "${top}"`;
    await failsWith(text, () => receive(root, `${top}/x`, ""));
    await failsWith(text, () => root.makeDir(path));
    await failsWith(text, () => root.makeDir(safePath(`${top}/x/y`)));
    await failsWith(text, () => root.makeLink(path, "x", NEW));
    await failsWith(text, () => root.lstat(path));
    await failsWith(text, () => root.openRead(path));
    await failsWith(text, () => root.setMeta(path, { mode: 0, mtimeNs: 0n }));
    await failsWith("in the way", () => root.makeDir(safePath(top)));
  }
  assertEquals(namesIn(`${dir}/../outside`), []);
});

testRoot(
  "a folder is ours to use until it gets its own mode",
  async (root, dir) => {
    const mode = async () => ((await Deno.stat(`${dir}/d`)).mode ?? 0) & 0o7777;
    const old = Deno.umask(0o022);
    try {
      assert(await root.makeDir(safePath("d"), 0o7055));
      assertEquals(await mode(), 0o755);
      await root.setMeta(safePath("d"), {
        mode: 0o7555,
        mtimeNs: 1_500_000_000n,
      });
      assertEquals(await mode(), 0o555);
      assertEquals(await root.makeDir(safePath("d"), 0o555), false);
      assertEquals(await mode(), 0o755);
      assertEquals(await root.makeDir(safePath("e/f/g")), true);
    } finally {
      Deno.umask(old);
    }
  },
);

testRoot(
  "modes and times are set, on links as themselves, special bits never",
  async (root, dir) => {
    await Deno.writeTextFile(`${dir}/file`, "x");
    await Deno.chmod(`${dir}/file`, 0o600);
    await Deno.symlink("file", `${dir}/link`);
    const before = await Deno.stat(`${dir}/file`);
    for (
      const mtimeNs of [1_234_567_891_234_000_000n, 1_700_000_000_123_000_000n]
    ) {
      await root.setMeta(safePath("link"), { mode: 0o777, mtimeNs });
      assertEquals((await root.lstat(safePath("link")))?.mtimeNs, mtimeNs);
      assertEquals(await Deno.stat(`${dir}/file`), before);
    }
    for (
      const mtimeNs of [
        0n,
        -1_250_000_000n,
        1_700_000_000_123_000_000n,
        1_700_000_000_999_000_000n,
        4_000_000_000_001_000_000n,
      ]
    ) {
      await root.setMeta(safePath("file"), { mode: 0o6754, mtimeNs });
      const stamp = await root.lstat(safePath("file"));
      assertEquals(stamp?.mode, 0o754);
      assertEquals(stamp?.mtimeNs, mtimeNs);
      const fd = openSync(`${dir}/file`, "r+");
      await root.fileMeta(fd, { mode: 0o4000, mtimeNs: mtimeNs + 1_000_000n });
      closeSync(fd);
      const again = await root.lstat(safePath("file"));
      assertEquals(again?.mode, 0);
      assertEquals(again?.mtimeNs, mtimeNs + 1_000_000n);
    }
    for (const mtimeNs of [2n ** 63n - 1n, -(2n ** 63n)]) { // as the disk has it
      await root.setMeta(safePath("file"), { mode: 0o644, mtimeNs });
      await root.setMeta(safePath("link"), { mode: 0o644, mtimeNs });
    }
    await failsWith(
      "is gone",
      () => root.setMeta(safePath("no/x"), { mode: 0, mtimeNs: 0n }),
    );
    await failsWith(
      "it is not there",
      () => root.setMeta(safePath("no"), { mode: 0, mtimeNs: 0n }),
    );
  },
);

Deno.test("times are kept to the nanosecond where the C library is ours", async () => {
  const dir = await Deno.makeTempDir();
  const root = await openRoot(dir);
  const native = openNative();
  native?.close();
  await receive(root, "file", "x");
  const mtimeNs = 1_700_000_000_123_456_789n;
  await root.setMeta(safePath("file"), { mode: 0o600, mtimeNs });
  const stamp = await root.lstat(safePath("file"));
  assert(sameMtime(stamp?.mtimeNs ?? 0n, mtimeNs));
  assertEquals(stamp?.mtimeNs === mtimeNs, native !== undefined);
  root.close();
  await Deno.remove(dir, { recursive: true });
});

testRoot("links are made, and replaced only if asked", async (root, dir) => {
  const path = safePath("d/link");
  assert(await root.makeLink(path, "one", NEW));
  assertEquals(await root.makeLink(path, "two", NEW), false);
  assertEquals(await Deno.readLink(`${dir}/d/link`), "one");
  assert(await root.makeLink(path, "two", OVER));
  assertEquals(await Deno.readLink(`${dir}/d/link`), "two");
  await Deno.writeTextFile(`${dir}/file`, "");
  assertEquals(await root.makeLink(safePath("file"), "x", NEW), false);
  assert(await root.makeLink(safePath("file"), "x", OVER));
  await Deno.mkdir(`${dir}/folder`);
  await failsWith(
    "a folder is in the way",
    () => root.makeLink(safePath("folder"), "x", OVER),
  );
  await root.syncDirs();
  await root.removeEmptyPartials();
  assertEquals(
    namesIn(dir),
    ["d", "file", "folder"],
  );
  for (const target of ["", "a\0b", "\ud800", "x".repeat(4097)]) {
    const error = await assertRejects(
      () => root.makeLink(safePath("bad"), target, OVER),
      SftpxError,
    );
    assertEquals(error.code, "protocol");
  }
});

testRoot(
  "only files are opened for reading, and no link is followed",
  async (root, dir) => {
    await receive(root, "a/file", "0123456789");
    await Deno.symlink("a/file", `${dir}/link`);
    await new Deno.Command("mkfifo", { args: [`${dir}/pipe`] }).output();
    const file = await root.openRead(safePath("a/file"));
    assert(file !== undefined);
    assertEquals(await file.size(), 10);
    const into = new Uint8Array(6);
    assertEquals(await file.read(into, 3), 6);
    assertEquals(new TextDecoder().decode(into), "345678");
    assertEquals(await file.read(into, 8), 2);
    assertEquals(await file.read(into, 10), 0);
    file.close();
    file.close();
    assertEquals(await root.openRead(safePath("none")), undefined);
    assertEquals(await root.openRead(safePath("none/x")), undefined);
    await failsWith("it is not a file", () => root.openRead(safePath("a")));
    await failsWith("it is not a file", () => root.openRead(safePath("pipe")));
    await failsWith(
      "a symbolic link is in the way",
      () => root.openRead(safePath("link")),
    );
  },
);

testRoot(
  "names with control characters arrive as they are",
  async (root, dir) => {
    const name = "line\nfeed \x1b[31m\u202e";
    await receive(root, name, "x");
    assertEquals(
      namesIn(dir).includes(name),
      true,
    );
    await Deno.mkdir(`${dir}/d\n`);
    const error = await assertRejects(
      () => receive(root, "d\n", "x", OVER),
      SftpxError,
    );
    assertEquals(
      error.message,
      'Cannot put "d\\u{a}" in place: a folder is in the way',
    );
  },
);
