import { assertEquals, assertThrows } from "@std/assert";
import { failsWith, OVER, receive, testRoot } from "../tests/testutil/root.ts";
import { safePath } from "./paths.ts";
import { openRoot } from "./root.ts";
import { openDirs } from "./root_dirs.ts";

testRoot(
  "a folder that is deleted while open is made again",
  async (root, dir) => {
    await receive(root, "a/b/one", "1");
    await root.syncDirs();
    await Deno.remove(`${dir}/a`, { recursive: true });
    assertEquals(await root.lstat(safePath("a/b/one")), undefined);
    await receive(root, "a/b/two", "2");
    await root.syncDirs();
    assertEquals(await Deno.readTextFile(`${dir}/a/b/two`), "2");
  },
);

Deno.test("a folder that was moved while files came into it fails the sync, once", async () => {
  const dir = await Deno.makeTempDir();
  const root = await openRoot(dir);
  await receive(root, "a/b/one", "1");
  await Deno.rename(`${dir}/a/b`, `${dir}/a/c`);
  await Deno.mkdir(`${dir}/a/b`);
  await failsWith("it was moved while in use", () => root.syncDirs());
  await receive(root, "a/b/two", "2");
  await root.syncDirs();
  assertEquals(await Deno.readTextFile(`${dir}/a/b/two`), "2");
  await Deno.remove(`${dir}/a`, { recursive: true });
  await receive(root, "x/one", "1");
  await Deno.remove(`${dir}/x`, { recursive: true });
  await failsWith('Cannot sync the folder "x"', () => root.syncDirs());
  await root.syncDirs();
  root.close();
  await Deno.remove(dir, { recursive: true });
});

testRoot(
  "more folders than may be open are all the same received",
  async (root, dir) => {
    const deep = Array.from({ length: 100 }, (_, at) => `d${at}`).join("/");
    await receive(root, `${deep}/file`, "deep");
    for (let round = 0; round < 3; round++) {
      for (let at = 0; at < 10; at++) {
        await receive(root, `wide${at}/${round}`, `${at}`);
      }
    }
    await root.syncDirs();
    assertEquals(await Deno.readTextFile(`${dir}/${deep}/file`), "deep");
    assertEquals(await Deno.readTextFile(`${dir}/wide9/2`), "9");
  },
  { maxOpenDirs: 2 },
);

Deno.test("folders that were open are closed, by age and in the end", async () => {
  if (Deno.build.os !== "linux") {
    return;
  }
  const dir = await Deno.makeTempDir();
  const open = () =>
    [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
      try {
        return Deno.readLinkSync(`/proc/self/fd/${name}`).startsWith(dir);
      } catch {
        return false; // the one that lists them
      }
    }).length;
  const root = await openRoot(dir, { maxOpenDirs: 3 });
  for (let at = 0; at < 20; at++) {
    await root.makeDir(safePath(`a${at}/b`));
    await root.lstat(safePath(`a${at}/b/c`));
  }
  assertEquals(open(), 4); // and the upload folder
  await receive(root, "x", "");
  await root.syncDirs();
  await failsWith(
    "a folder is in the way",
    () => receive(root, "a0", "", OVER),
  );
  assertEquals(open(), 4);
  root.close();
  assertEquals(open(), 0);
  assertThrows(
    () => openDirs(dir, { capacity: 1, byDescriptor: true }),
    RangeError,
  );
  await Deno.remove(dir, { recursive: true });
});

Deno.test("many folders are synced with the whole file system, few by themselves", async () => {
  const dir = await Deno.makeTempDir();
  const dirs = openDirs(await Deno.realPath(dir), {
    capacity: 3,
    byDescriptor: true,
  });
  let calls = 0;
  let can = true;
  const whole = () => {
    calls++;
    return Promise.resolve(can);
  };
  const touch = (count: number) => {
    for (let at = 0; at < count; at++) {
      const path = safePath(`d${at}`);
      dirs.inside(path, 0o777, () => true);
      dirs.touch(path);
    }
  };
  touch(3);
  await dirs.sync(whole);
  assertEquals(calls, 0);
  touch(20);
  await dirs.sync(whole);
  assertEquals(calls, 1);
  await dirs.sync(whole);
  assertEquals(calls, 1); // nothing was left
  touch(20);
  can = false; // one by one then
  await dirs.sync(whole);
  assertEquals(calls, 2);
  touch(20);
  can = true;
  await Deno.rename(`${dir}/d7`, `${dir}/gone`);
  await Deno.mkdir(`${dir}/d7`);
  await failsWith("it was moved while in use", () => dirs.sync(whole));
  assertEquals(calls, 2);
  dirs.close();
  await Deno.remove(dir, { recursive: true });
});

Deno.test({
  name: "folders that are held stay open until nobody holds them",
  ignore: Deno.build.os !== "linux",
  fn() {
    const dir = Deno.makeTempDirSync();
    const dirs = openDirs(dir, { capacity: 2, byDescriptor: true });
    const isOpen = (fd: number): boolean => {
      try {
        Deno.lstatSync(`/proc/self/fd/${fd}`);
        return true;
      } catch {
        return false;
      }
    };
    const enter = (name: string): number =>
      dirs.inside(safePath(name), 0o777, ({ fd }) => fd) ?? -1;
    const [one, two] = [dirs.hold(), dirs.hold()];
    const fds = ["a", "b", "c", "d", "e"].map(enter);
    assertEquals(new Set(fds).size, 5);
    one();
    assertEquals(fds.map(isOpen), fds.map(() => true));
    two();
    assertEquals(fds.filter(isOpen).length, 2);
    dirs.close();
    assertEquals(fds.filter(isOpen), []);
    Deno.removeSync(dir, { recursive: true });
  },
});
