import { assert, assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { PLAIN_DISK } from "./source_disk.ts";
import {
  areLittle,
  namedRoots,
  openSource,
  openSourceDisk,
  readSmallNow,
  refreshed,
  type SourceDisk,
  type SourceEntry,
  type SourceFileEntry,
  type WalkOptions,
} from "./source.ts";
import { walk } from "./walk.ts";

/** A folder to fill; it is gone when the test ends. */
async function folder(): Promise<{ at: string } & AsyncDisposable> {
  const at = await Deno.realPath(await Deno.makeTempDir({ prefix: "sftpx" }));
  return {
    at,
    [Symbol.asyncDispose]: () => Deno.remove(at, { recursive: true }),
  };
}

/** Makes files with their paths as content, folders ("x/") and links ("x -> y"). */
async function fill(at: string, ...names: string[]): Promise<void> {
  for (const name of names) {
    const [path = "", target] = name.split(" -> ");
    const parent = `${at}/${path}`.replace(/\/[^/]*$/, "");
    await Deno.mkdir(parent, { recursive: true });
    if (target !== undefined) {
      await Deno.symlink(target, `${at}/${path}`);
    } else if (!path.endsWith("/")) {
      await Deno.writeTextFile(`${at}/${path}`, path);
    }
  }
}

async function found(
  paths: string[],
  options?: WalkOptions,
): Promise<SourceEntry[]> {
  return await Array.fromAsync(
    walk(await namedRoots(paths), { disk, ...options }),
  );
}

/** Entries as a person would list them. */
async function listed(
  paths: string[],
  options?: WalkOptions,
): Promise<string[]> {
  return (await found(paths, options)).map((entry) => {
    switch (entry.kind) {
      case "file":
        return entry.path;
      case "dir":
        return `${entry.path}/`;
      case "dir-end":
        return `${entry.path}/.`;
      case "link":
        return `${entry.path} -> ${entry.target}`;
      case "error":
        return `${entry.path}: ${entry.reason}`;
    }
  });
}

async function only(path: string): Promise<SourceFileEntry> {
  const [entry] = await found([path]);
  assert(entry?.kind === "file", "a file was expected");
  return entry;
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(command, { args }).output();
  assert(success, `${command} failed`);
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** The disk that the tests look at, in one way and then in the other. */
let disk: SourceDisk = PLAIN_DISK;

function test(name: string, work: () => Promise<void>): void {
  Deno.test(name, work);
  Deno.test(`${name} (quick disk)`, async () => {
    const quick = openSourceDisk();
    disk = quick;
    try {
      await work();
    } finally {
      disk = PLAIN_DISK;
      quick.close();
    }
  });
}

test("walk() tells folders before and after their content", async () => {
  await using dir = await folder();
  await fill(dir.at, "top/b", "top/a/x", "top/a!", "top/empty/", "top/l -> b");
  assertEquals(await listed([`${dir.at}/top`]), [
    "top/",
    "top/a/",
    "top/a/x",
    "top/a/.",
    "top/a!",
    "top/b",
    "top/empty/",
    "top/empty/.",
    "top/l -> b",
    "top/.",
  ]);
});

test("walk() tells what a file is", async () => {
  await using dir = await folder();
  await fill(dir.at, "f");
  await Deno.chmod(`${dir.at}/f`, 0o640);
  await Deno.utime(`${dir.at}/f`, new Date(), new Date(1_600_000_000_123));
  const entry = await only(`${dir.at}/f`);
  assertEquals(entry.size, 1);
  assertEquals(entry.mode, 0o640);
  assertEquals(entry.mtimeNs, 1_600_000_000_123_000_000n);
  assertEquals(entry.local, `${dir.at}/f`);
});

test("walk() tells an empty file from one that the system makes while it is read", async () => {
  await using dir = await folder();
  await Deno.writeTextFile(`${dir.at}/empty`, "");
  assertEquals((await only(`${dir.at}/empty`)).size, 0);
  if (Deno.build.os !== "linux") return;
  assertEquals(await listed(["/proc/version"]), [
    "version: it has content, but the system tells no size of it",
  ]);
  const below = await listed(["/proc/sys/kernel/random"]);
  const reason = "it has content, but the system tells no size of it";
  assert(below.includes(`random/boot_id: ${reason}`), below.join("\n"));
});

test("walk() keeps to the order of UTF-8 bytes, as its docs have it", async () => {
  await using dir = await folder();
  // A BMP character above the surrogates, and one that UTF-16 writes with them.
  const names = ["a", "a!", "a0", "aa", "A", "é", "z", "\uffee", "😀", "b c"];
  for (const one of names) {
    for (const two of names) {
      await fill(dir.at, `r/${one}/${two}`);
    }
    await fill(dir.at, `r/${one}.txt`);
  }
  const keys = (await found([`${dir.at}/r`])).map((entry) => {
    const path = entry.path.replaceAll("/", "\0");
    const bytes = new TextEncoder().encode(path);
    const end = entry.kind === "dir-end" ? [0, 255] : [];
    return [...bytes, ...end].map((byte) => byte.toString(16).padStart(2, "0"))
      .join("");
  });
  assertEquals(keys.length, 2 + names.length * (names.length + 3));
  assertEquals(keys, keys.toSorted());
  assertEquals(new Set(keys).size, keys.length);
});

test("walk() takes roots in the order of their names", async () => {
  await using dir = await folder();
  await fill(dir.at, "x/b", "y/a");
  assertEquals(await listed([`${dir.at}/x/b`, `${dir.at}/y/a`]), ["a", "b"]);
});

test("walk() goes through many files and looks up few ahead", async () => {
  await using dir = await folder();
  const names = Array.from({ length: 500 }, (_, n) => `many/${n + 1000}`);
  await fill(dir.at, ...names);
  const steps = walk(await namedRoots([`${dir.at}/many`]), { disk });
  await steps.next();
  await steps.next();
  await Deno.remove(`${dir.at}/many/1499`);
  const rest = await Array.fromAsync(steps);
  assertEquals(rest.length, 500);
  assertEquals(rest.at(-2), {
    kind: "error",
    path: "many/1499",
    reason: "it is not there",
  });
});

test("walk() says what it cannot send, and goes on", async () => {
  await using dir = await folder();
  await fill(dir.at, "d/a", "d/z");
  await run("mkfifo", `${dir.at}/d/pipe`);
  await run("bash", "-c", `touch "$0"/d/b$'\\xff'c`, dir.at);
  const listener = Deno.listen({ transport: "unix", path: `${dir.at}/d/sock` });
  try {
    assertEquals(await listed([`${dir.at}/d`]), [
      "d/",
      "d/a",
      "d/b\ufffdc: its name is not valid UTF-8",
      "d/pipe: it is a pipe",
      "d/sock: it is a socket",
      "d/z",
      "d/.",
    ]);
  } finally {
    listener.close();
  }
});

test("walk() tells a name that is not UTF-8 from its look-alike", async () => {
  await using dir = await folder();
  await fill(dir.at, "d/b\ufffd");
  await run("bash", "-c", `touch "$0"/d/b$'\\xff'`, dir.at);
  assertEquals(await listed([`${dir.at}/d`]), [
    "d/",
    "d/b\ufffd",
    "d/b\ufffd: its name is not valid UTF-8",
    "d/.",
  ]);
});

test("walk() says that a device is one", async () => {
  assertEquals(await listed(["/dev/null"]), ["null: it is a device"]);
});

test("walk() says that a folder cannot be listed", async () => {
  await using dir = await folder();
  await fill(dir.at, "d/gone/x", "d/z");
  const steps = walk(await namedRoots([`${dir.at}/d`]), { disk });
  await steps.next();
  await Deno.remove(`${dir.at}/d/gone`, { recursive: true });
  assertEquals((await steps.next()).value, {
    kind: "error",
    path: "d/gone",
    reason: "it is not there",
  });
  assertEquals((await steps.next()).value?.path, "d/z");
  await steps.return();
});

test("walk() does not read a folder that was swapped for a link", async () => {
  await using dir = await folder();
  await fill(dir.at, "d/a/x", "d/b/x", "secret/key");
  const steps = walk(await namedRoots([`${dir.at}/d`]), { disk });
  await steps.next(); // d
  await steps.next(); // a; b is looked up as well
  await Deno.remove(`${dir.at}/d/b`, { recursive: true });
  await Deno.symlink("../secret", `${dir.at}/d/b`);
  const rest = await Array.fromAsync(steps);
  assertEquals(rest.map(({ kind, path }) => `${kind} ${path}`), [
    "file d/a/x",
    "dir-end d/a",
    "error d/b",
    "dir-end d",
  ]);
});

test("walk() with `follow` sends what links point to, but not in circles", async () => {
  await using dir = await folder();
  await fill(
    dir.at,
    "d/sub/up -> ..",
    "d/file -> ../other/f",
    "d/dir -> ../other",
    "d/nothing -> nowhere",
    "other/f",
  );
  assertEquals(await listed([`${dir.at}/d`], { follow: true }), [
    "d/",
    "d/dir/",
    "d/dir/f",
    "d/dir/.",
    "d/file",
    "d/nothing: it is not there",
    "d/sub/",
    "d/sub/up: its links go in a circle",
    "d/sub/.",
    "d/.",
  ]);
  const file = (await found([`${dir.at}/d`], { follow: true }))
    .find(({ path }) => path === "d/file");
  assert(file?.kind === "file" && file.followed);
  await (await openSource(file)).close();
});

test("walk() says nothing of what is left out and is gone when it is looked at", async () => {
  await using dir = await folder();
  await fill(dir.at, "d/a", "d/a.tmp");
  const goes: SourceDisk = {
    ...PLAIN_DISK,
    async look(local, follow) {
      if (local.endsWith(".tmp")) await Deno.remove(local);
      return await PLAIN_DISK.look(local, follow);
    },
  };
  const options = { disk: goes, exclude: ["*.tmp"] };
  assertEquals(await listed([`${dir.at}/d`], options), ["d/", "d/a", "d/."]);
});

test("walk() leaves out what .gitignore rules say", async () => {
  await using dir = await folder();
  await fill(
    dir.at,
    "p/a.log",
    "p/keep.log",
    "p/build/x",
    "p/sub/build/x",
    "p/node_modules/m/x",
    "p/sub/a.log",
    "p/LOG.LOG",
  );
  const exclude = ["*.log", "!keep.log", "/build/", "node_modules"];
  assertEquals(await listed([`${dir.at}/p`], { exclude }), [
    "p/",
    "p/LOG.LOG",
    "p/keep.log",
    "p/sub/",
    "p/sub/build/",
    "p/sub/build/x",
    "p/sub/build/.",
    "p/sub/.",
    "p/.",
  ]);
});

test("walk() leaves out a root by a pattern without a slash only", async () => {
  await using dir = await folder();
  await fill(dir.at, "a.txt", "b.txt", "build/x");
  const roots = ["a.txt", "b.txt", "build"].map((name) => `${dir.at}/${name}`);
  const exclude = ["b.txt", "/build"];
  assertEquals(await listed(roots, { exclude }), [
    "a.txt",
    "build/",
    "build/x",
    "build/.",
  ]);
});

test("walk() reads ignore files, and the deepest one decides", async () => {
  await using dir = await folder();
  await fill(dir.at, "p/a.o", "p/sub/a.o", "p/sub/b.o", "p/sub/c.tmp", "p/out");
  await Deno.writeTextFile(`${dir.at}/p/.ignore`, "*.o\n/out\n");
  await Deno.writeTextFile(`${dir.at}/p/sub/.ignore`, "!b.o\n");
  const options = { ignoreFile: ".ignore", exclude: ["*.tmp"] };
  assertEquals(await listed([`${dir.at}/p`], options), [
    "p/",
    "p/.ignore",
    "p/sub/",
    "p/sub/.ignore",
    "p/sub/b.o",
    "p/sub/.",
    "p/.",
  ]);
});

test("walk() sends nothing of a folder whose ignore file cannot be read", async () => {
  await using dir = await folder();
  await fill(dir.at, "p/secret", "p/.ignore/");
  assertEquals(await listed([`${dir.at}/p`], { ignoreFile: ".ignore" }), [
    "p: its ignore file cannot be read: it is no list of patterns",
  ]);
});

test("walk() does not tell of unfinished files and of what is left out", async () => {
  await using dir = await folder();
  await fill(dir.at, "d/.sftpx-partial/x", "d/sftpx_resume/x", "d/f");
  const leaveOut = [`${dir.at}/d/sftpx_resume`, `${dir.at}/not-there`];
  assertEquals(await listed([`${dir.at}/d`], { leaveOut }), [
    "d/",
    "d/f",
    "d/.",
  ]);
  await assertRejects(
    () => namedRoots([`${dir.at}/d/.sftpx-partial`]),
    SftpxError,
    "unfinished files",
  );
});

test("walk() stops when it is aborted", async () => {
  await using dir = await folder();
  await fill(dir.at, "d/a", "d/b");
  const stop = new AbortController();
  const steps = walk(await namedRoots([dir.at]), { disk, signal: stop.signal });
  await steps.next();
  stop.abort(new SftpxError("cancelled", "Cannot go on: interrupted"));
  await assertRejects(() => steps.next(), SftpxError, "interrupted");
});

test("namedRoots() gives things the name that they really have", async () => {
  await using dir = await folder();
  await fill(dir.at, "a/src/", "a/link -> src");
  const names = async (path: string) =>
    (await namedRoots([`${dir.at}/${path}`]))[0]?.name;
  assertEquals(await names("a/src"), "src");
  assertEquals(await names("a/src/"), "src");
  assertEquals(await names("a/src/."), "src");
  assertEquals(await names("a/src/.."), "a");
  assertEquals(await names("a/link"), "link");
  assertEquals(await names("a/link/"), "src");
  const [own] = await namedRoots(["."]);
  assertEquals(own?.local, await Deno.realPath("."));
});

test("areLittle() is true for few files of few bytes only", async () => {
  await using dir = await folder();
  await fill(dir.at, "one", "d/two");
  await Deno.writeFile(`${dir.at}/full`, new Uint8Array(64 * 1024));
  const are = async (...names: string[]) =>
    areLittle(await namedRoots(names.map((name) => `${dir.at}/${name}`)));
  assertEquals(await are("one"), true);
  assertEquals(await are("full"), true);
  assertEquals(await are("full", "one"), false);
  assertEquals(await are("one", "d"), false);
  const many = Array(9).fill({ name: "one", local: `${dir.at}/one` });
  assertEquals(areLittle(many.slice(1)), true);
  assertEquals(areLittle(many), false);
  assertEquals(areLittle([{ name: "no", local: `${dir.at}/no` }]), false);
});

test("namedRoots() refuses what has no name, is not there, or has a namesake", async () => {
  await using dir = await folder();
  await fill(dir.at, "a/f", "b/f");
  const error = (paths: string[], message: string) =>
    assertRejects(() => namedRoots(paths), SftpxError, message);
  assertEquals((await error(["/"], 'Cannot send "/"')).code, "usage");
  assertEquals((await error([""], 'Cannot send ""')).code, "usage");
  const missing = await error([`${dir.at}/no`], "it is not there");
  assertEquals(missing.code, "local-io");
  const twins = [`${dir.at}/a/f`, `${dir.at}/b/f`];
  assertEquals((await error(twins, 'both would arrive as "f"')).code, "usage");
});

test("openSource() reads at a position and says how much there was", async () => {
  await using dir = await folder();
  await Deno.writeTextFile(`${dir.at}/f`, "hello world");
  const file = await openSource(await only(`${dir.at}/f`));
  const into = new Uint8Array(5);
  assertEquals(await file.read(into, 6), 5);
  assertEquals(text(into), "world");
  assertEquals(await file.read(into, 0), 5);
  assertEquals(text(into), "hello");
  assertEquals(await file.read(into, 8), 3);
  assertEquals(await file.read(into, 11), 0);
  assertEquals(await file.changed(), undefined);
  await file.close();
  await file.close();
  await assertRejects(() => file.read(into, 0), SftpxError, 'read "f"');
});

test("openSource() reads nothing of the file that has its descriptor after it", async () => {
  await using dir = await folder();
  await fill(dir.at, "f", "other");
  const file = await openSource(await only(`${dir.at}/f`));
  await file.close();
  // One of these has the number that the first one had.
  const others = await Promise.all(
    Array.from({ length: 8 }, async () => {
      return await openSource(await only(`${dir.at}/other`));
    }),
  );
  const into = new Uint8Array(5);
  await assertRejects(() => file.read(into, 0), SftpxError, 'read "f"');
  await assertRejects(() => file.changed(), SftpxError, 'read "f"');
  assertEquals(into, new Uint8Array(5));
  for (const other of others) await other.close();
});

Deno.test({
  name: "openSource() keeps the descriptor for as long as it is read from",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using dir = await folder();
    await fill(dir.at, "f");
    const path = await Deno.realPath(`${dir.at}/f`);
    const quick = openSourceDisk();
    using _end = { [Symbol.dispose]: () => quick.close() };
    const file = await quick.open(path, false);
    const count = (): number =>
      [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
        try {
          return Deno.readLinkSync(`/proc/self/fd/${name}`) === path;
        } catch { // it was that of the list
          return false;
        }
      }).length;
    // Nothing is there, so another thread looks.
    const reading = file.read(new Uint8Array(5), 4096);
    await file.close();
    assertEquals(count(), 1);
    assertEquals(await reading, 0);
    assertEquals(count(), 0);
  },
});

test("openSource() does not follow a link that took the file's place", async () => {
  await using dir = await folder();
  await fill(dir.at, "f", "secret");
  const entry = await only(`${dir.at}/f`);
  await Deno.remove(`${dir.at}/f`);
  await Deno.symlink("secret", `${dir.at}/f`);
  const error = await assertRejects(() => openSource(entry), SftpxError);
  assertEquals(error.code, "local-io");
});

test("openSource() does not read another file that took its place", async () => {
  await using dir = await folder();
  await fill(dir.at, "f", "secret");
  const entry = await only(`${dir.at}/f`);
  await Deno.rename(`${dir.at}/secret`, `${dir.at}/f`);
  await assertRejects(() => openSource(entry), SftpxError, "it was replaced");
});

test("openSource() does not read the right file by way of a link above it", async () => {
  await using dir = await folder();
  await fill(dir.at, "d/sub/f");
  const [, , entry] = await found([`${dir.at}/d`]);
  assert(entry?.kind === "file");
  await Deno.rename(`${dir.at}/d/sub`, `${dir.at}/moved`);
  await Deno.symlink("../moved", `${dir.at}/d/sub`);
  await assertRejects(() => openSource(entry), SftpxError, "it was replaced");
});

test("openSource() does not wait for a pipe that took the file's place", async () => {
  await using dir = await folder();
  await fill(dir.at, "f");
  const entry = await only(`${dir.at}/f`);
  await Deno.remove(`${dir.at}/f`);
  await run("mkfifo", `${dir.at}/f`);
  await assertRejects(() => openSource(entry), SftpxError, "it was replaced");
});

test("changed() notices what was written, replaced and removed", async () => {
  await using dir = await folder();
  const path = `${dir.at}/f`;
  await fill(dir.at, "f", "g");
  const file = await openSource(await only(path));
  await Deno.writeTextFile(path, "longer");
  assertEquals((await file.changed())?.size, 6);
  await Deno.rename(`${dir.at}/g`, path);
  assertEquals((await file.changed())?.size, 1);
  await Deno.remove(path);
  await assertRejects(() => file.changed(), SftpxError, "it is not there");
  await file.close();
});

test("changed() compares with what the walk found, not with the opening", async () => {
  await using dir = await folder();
  await fill(dir.at, "f");
  const entry = await only(`${dir.at}/f`);
  await Deno.writeTextFile(`${dir.at}/f`, "xy");
  const file = await openSource(entry);
  assertEquals((await file.changed())?.size, 2);
  await file.close();
  const again = await openSource(await refreshed(entry));
  assertEquals(await again.changed(), undefined);
  await again.close();
});

test("refreshed() says that there is no file any more", async () => {
  await using dir = await folder();
  await fill(dir.at, "f");
  const entry = await only(`${dir.at}/f`);
  await Deno.remove(`${dir.at}/f`);
  await Deno.mkdir(`${dir.at}/f`);
  await assertRejects(() => refreshed(entry), SftpxError, "no file any more");
});

test("walk() does not offer a name that no receiver takes", async () => {
  await using dir = await folder();
  await fill(dir.at, "d/a\\b", "d/c");
  assertEquals(await listed([`${dir.at}/d`]), [
    "d/",
    "d/a\\b: it has a backslash, which separates folders on other systems",
    "d/c",
    "d/.",
  ]);
});

test("readSmallNow() reads a file that is what the walk found, and no other", async () => {
  await using dir = await folder();
  await fill(dir.at, "d/one", "d/two");
  const entries = await found([`${dir.at}/d`]);
  const file = entries.find(({ path }) => path === "d/one");
  assert(file?.kind === "file");
  const into = new Uint8Array(file.size);
  if (disk.readNow === undefined) {
    assertEquals(readSmallNow(file, into), false);
    return;
  }
  assert(readSmallNow(file, into));
  assertEquals(new TextDecoder().decode(into), "d/one");
  assertEquals(readSmallNow(file, new Uint8Array(file.size - 1)), false);
  assertEquals(readSmallNow({ ...file, followed: true }, into), false);
  await Deno.writeTextFile(`${dir.at}/d/one`, "D/ONE"); // of the same size
  assertEquals(readSmallNow(file, into), false);
  const now = await refreshed(file);
  assert(readSmallNow(now, into));
  await Deno.rename(`${dir.at}/d/two`, `${dir.at}/d/one`);
  assertEquals(readSmallNow(now, into), false);
  await Deno.remove(`${dir.at}/d/one`);
  assertEquals(readSmallNow(now, into), false);
  await Deno.symlink("elsewhere", `${dir.at}/d/one`);
  assertEquals(readSmallNow(now, into), false);
});
