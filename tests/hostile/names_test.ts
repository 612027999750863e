/**
 * Names and links that want out of the upload folder.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertGreater,
  assertRejects,
} from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import {
  linkStaysInside,
  printable,
  type SafePath,
  safePath,
} from "../../store/paths.ts";
import { openRoot, type Root } from "../../store/root.ts";
import { failsWith, NEW, OVER, receive } from "../testutil/root.ts";
import { NAMES } from "./names.ts";

/** What stands in the way: nothing, or something of the name itself or its top. */
const IN_THE_WAY = [
  "nothing",
  "file",
  "folder",
  "link to a file",
  "link to a folder",
  "link to nothing",
  "link at the top",
  "file at the top",
] as const;

/** Every way in which an entry of a transfer reaches the disk. */
const KINDS: Readonly<
  Record<string, (root: Root, name: string) => Promise<unknown>>
> = {
  "file": (root, name) => receive(root, name, "hostile"),
  "file over another": (root, name) => receive(root, name, "hostile", OVER),
  "folder": (root, name) => root.makeDir(safePath(name), 0o777),
  "link": (root, name) => root.makeLink(safePath(name), "../outside", NEW),
  "link over another": (root, name) =>
    root.makeLink(safePath(name), "../outside", OVER),
  "mode and time": (root, name) =>
    root.setMeta(safePath(name), { mode: 0o7777, mtimeNs: 0n }),
  "file through a link": async (root, name) => {
    await root.makeLink(safePath(name), "../outside", OVER);
    await receive(root, `${name}/planted`, "hostile", OVER);
  },
};

for (const native of [true, false]) {
  const how = native ? "" : " (plain paths)";

  for (const [kind, arrive] of Object.entries(KINDS)) {
    Deno.test(`no name gets out: ${kind}${how}`, async () => {
      const sandbox = await makeSandbox();
      let arrived = 0;
      for (const way of IN_THE_WAY) {
        // What it holds is deleted after each name, folders that are open too.
        const root = await openRoot(`${sandbox}/root`, { native });
        for (const name of NAMES) {
          putInTheWay(way, root.dir, name);
          const before = listing(sandbox);
          try {
            await arrive(root, name);
            arrived++;
          } catch (error) {
            assert(error instanceof SftpxError, Deno.inspect(error));
            assert(["protocol", "local-io"].includes(error.code));
            assertEquals(printable(error.message), error.message);
          }
          const shown = `${way}: ${Deno.inspect(name)}`;
          assertEquals(listing(sandbox), before, shown);
          await empty(root.dir);
        }
        root.close();
      }
      // Something did, else nothing was tried; and nothing through a link.
      assertEquals(arrived > 0, kind !== "file through a link");
      await Deno.remove(sandbox, { recursive: true });
    });
  }

  Deno.test(`a link and a file of one name: the link is never gone through${how}`, async () => {
    const sandbox = await makeSandbox();
    const before = listing(sandbox);
    const root = await openRoot(`${sandbox}/root`, { native });
    const path = safePath("name");
    await root.makeLink(path, "../outside/secret", NEW);
    assertEquals(await receive(root, "name", "x", NEW), false);
    assert(await receive(root, "name", "x", OVER));
    assertEquals((await root.lstat(path))?.kind, "file");
    assert(await root.makeLink(path, "../outside", OVER));
    await failsWith("Cannot make the folder", () => root.makeDir(path));
    await failsWith(
      "Cannot enter",
      () => receive(root, "name/secret", "x", OVER),
    );
    await root.setMeta(path, { mode: 0o777, mtimeNs: 0n });
    await failsWith("symbolic link", () => root.openRead(path));
    assertEquals(listing(sandbox), before);
    root.close();
    await Deno.remove(sandbox, { recursive: true });
  });
}

Deno.test("links that are planted, then chained, do not stay inside", async () => {
  const sandbox = await makeSandbox();
  const root = await openRoot(`${sandbox}/root`);
  // Each of these is made if it looks harmless, in this order.
  const wanted: readonly (readonly [name: string, target: string])[] = [
    ["a/b/up", "../.."],
    ["a/b/top", "up"],
    ["a/b/out", "up/../outside"],
    ["a/b/out2", "top/../outside"],
    ["a/here", "."],
    ["a/out3", "here/../../outside"],
    ["a/out4", "../../outside"],
    ["out5", "a/b/up/../outside"],
    ["parts", ".sftpx-partial"],
  ];
  const made: SafePath[] = [];
  for (const [name, target] of wanted) {
    const path = safePath(name);
    if (linkStaysInside(path, target)) {
      await root.makeLink(path, target, NEW);
      made.push(path);
    }
  }
  assertEquals(made as string[], ["a/b/up", "a/b/top", "a/here"]);
  for (const path of made) {
    const real = await Deno.realPath(`${root.dir}/${path}`);
    assert(`${real}/`.startsWith(`${root.dir}/`), path);
  }
  root.close();
  await Deno.remove(sandbox, { recursive: true });
});

Deno.test({
  name: "a folder swapped for a link during 1,000 receives leads nowhere",
  ignore: Deno.build.os !== "linux", // elsewhere the doc promises less
  async fn() {
    const sandbox = await makeSandbox();
    const before = listing(sandbox);
    // Two folders may be open, so that each is looked up anew all the time.
    const root = await openRoot(`${sandbox}/root`, { maxOpenDirs: 2 });
    await root.makeDir(safePath("d/e"));
    const swapper = startSwapper(`${root.dir}/d`, `${sandbox}/outside`);
    const parts = await root.partial("ab");
    const outcomes = { received: 0, refused: 0 };
    // Both sides have done enough, or we stop all the same.
    for (let at = 0; at < 20_000; at++) {
      if (at >= 1000 && swapper.swaps() >= 200 && outcomes.refused > 0) {
        break;
      }
      const path = safePath(["d/file", "d/e/file", "d/secret"][at % 3] ?? "");
      try {
        const part = await parts.create(at);
        await part.write(new Uint8Array(10), 0);
        part.close();
        await root.commit(parts, at, path, OVER);
        await root.setMeta(path, { mode: 0o777, mtimeNs: 0n });
        await root.makeDir(safePath(`d/new${at}`));
        await root.makeLink(safePath("d/link"), "x", OVER);
        await root.lstat(safePath("x/y/z"));
        await root.lstat(safePath("v/w"));
        outcomes.received++;
      } catch (error) {
        assert(error instanceof SftpxError && error.code === "local-io");
        outcomes.refused++;
      }
      await root.makeDir(safePath("x/y")); // pushes d out of those open
      await root.makeDir(safePath("v/w"));
    }
    await swapper.stop();
    assertGreater(outcomes.received, 0);
    assertGreater(outcomes.refused, 0);
    parts.close();
    root.close();
    assertEquals(listing(sandbox), before);
    await Deno.remove(sandbox, { recursive: true });
  },
});

Deno.test("a part can be swapped for nothing that is then followed", async () => {
  const sandbox = await makeSandbox();
  const before = listing(sandbox);
  const root = await openRoot(`${sandbox}/root`);
  const parts = await root.partial("ab");
  const place = `${root.dir}/.sftpx-partial/ab/1.part`;
  await Deno.symlink(`${sandbox}/outside/secret`, place);
  assertEquals(await parts.open(1), undefined); // nobody's part: it is removed
  await assertRejects(() => Deno.lstat(place), Deno.errors.NotFound);
  await Deno.symlink(`${sandbox}/outside/secret`, place);
  await assertRejects(() => parts.create(1), SftpxError);
  assert(await root.commit(parts, 1, safePath("x"), NEW)); // the link as itself
  assertEquals((await root.lstat(safePath("x")))?.kind, "link");
  parts.close();
  root.close();
  assertEquals(listing(sandbox), before);
  await Deno.remove(sandbox, { recursive: true });
});

/** A folder with an upload folder and things beside it that must not change. */
async function makeSandbox(): Promise<string> {
  const sandbox = await Deno.realPath(await Deno.makeTempDir());
  await Deno.mkdir(`${sandbox}/outside/inner`, { recursive: true });
  await Deno.writeTextFile(`${sandbox}/outside/secret`, "secret");
  await Deno.chmod(`${sandbox}/outside/secret`, 0o600);
  await Deno.symlink("secret", `${sandbox}/outside/link`);
  await Deno.mkdir(`${sandbox}/root`);
  return sandbox;
}

/** All that is in a sandbox but the upload folder's content, to be compared. */
function listing(dir: string, prefix = ""): string[] {
  return [...Deno.readDirSync(dir)].flatMap(({ name }) => {
    const path = `${prefix}${name}`;
    const place = `${dir}/${name}`;
    if (path === "root") {
      return [path];
    }
    const { isDirectory, isFile, isSymlink, mode, mtime, size, nlink } = Deno
      .lstatSync(place);
    const facts = `${path} ${mode} ${mtime?.getTime()} ${size} ${nlink}`;
    return [
      facts + (isFile ? Deno.readTextFileSync(place) : "") +
      (isSymlink ? Deno.readLinkSync(place) : ""),
      ...(isDirectory ? listing(place, `${path}/`) : []),
    ];
  }).sort();
}

/** Puts something in the way, where the name is one that can be on a disk here. */
function putInTheWay(
  way: typeof IN_THE_WAY[number],
  root: string,
  name: string,
): void {
  const parts = name.split("/");
  const harmless = parts.every((part) => part !== "" && !/^\.\.?$/.test(part));
  if (!harmless || parts.length > 10) {
    return; // the gate's affair alone
  }
  const top = `${root}/${parts[0]}`;
  const place = `${root}/${name}`;
  try {
    if (!way.endsWith("top")) {
      Deno.mkdirSync(place.slice(0, place.lastIndexOf("/")), {
        recursive: true,
      });
    }
    switch (way) {
      case "nothing":
        return;
      case "file":
        return Deno.writeTextFileSync(place, "old");
      case "folder":
        return Deno.mkdirSync(place);
      case "link to a file":
        return Deno.symlinkSync(`${root}/../outside/secret`, place);
      case "link to a folder":
        return Deno.symlinkSync(`${root}/../outside`, place);
      case "link to nothing":
        return Deno.symlinkSync(`${root}/../outside/new`, place);
      case "link at the top":
        return Deno.symlinkSync("../outside", top);
      case "file at the top":
        return Deno.writeTextFileSync(top, "old");
    }
  } catch {
    // No such name on this disk: it has nothing in its way.
  }
}

async function empty(dir: string): Promise<void> {
  for await (const { name } of Deno.readDir(dir)) {
    await Deno.remove(`${dir}/${name}`, { recursive: true });
  }
}

/** Swaps a folder for a link and back, in a thread of its own, until stopped. */
function startSwapper(dir: string, outside: string) {
  const shared = new Int32Array(new SharedArrayBuffer(8)); // stop, swaps
  const code = `
    self.onmessage = ({ data: { shared, dir, outside } }) => {
      while (Atomics.load(shared, 0) === 0) {
        try {
          Deno.renameSync(dir, dir + ".away");
          Deno.symlinkSync(outside, dir);
          Deno.removeSync(dir);
          Deno.renameSync(dir + ".away", dir);
        } catch {
          // Somebody made the folder meanwhile: both go, and it starts again.
          for (const place of [dir, dir + ".away"]) {
            try {
              Deno.removeSync(place, { recursive: true });
            } catch {
              // There is none.
            }
          }
          Deno.mkdirSync(dir, { recursive: true });
        }
        Atomics.add(shared, 1, 1);
      }
      self.postMessage("stopped");
    };`;
  const worker = new Worker(
    `data:text/javascript,${encodeURIComponent(code)}`,
    { type: "module" },
  );
  const stopped = new Promise((resolve, reject) => {
    worker.onmessage = resolve;
    worker.onerror = reject;
  });
  worker.postMessage({ shared, dir, outside });
  return {
    swaps: () => Atomics.load(shared, 1),
    async stop() {
      Atomics.store(shared, 0, 1);
      await stopped;
      worker.terminate();
    },
  };
}
