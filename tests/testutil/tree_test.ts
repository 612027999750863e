import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { seeded } from "./random.ts";
import { tempDir } from "./temp.ts";
import {
  digestTree,
  makeTree,
  randomTree,
  sameTree,
  type TreeSpec,
} from "./tree.ts";

const SPEC: TreeSpec = {
  "a/b/c.bin": 300_000,
  "a/text": "hello",
  "a/run": { kind: "file", size: 10, mode: 0o755, mtimeMs: 1_600_000_000_123 },
  "a/empty": { kind: "dir", mode: 0o750 },
  "a/link": { kind: "link", target: "text" },
  "a/zero": 0,
};

Deno.test("makeTree() makes the same tree of the same spec and seed", async () => {
  await using dir = await tempDir();
  const [a, b, c] = [dir.join("x"), dir.join("y"), dir.join("z")];
  await makeTree(a, SPEC, 1);
  await makeTree(b, SPEC, 1);
  await makeTree(c, SPEC, 2);
  assertEquals(await sameTree(a, b), []);
  assertEquals(await digestTree(a), await digestTree(b));
  assertNotEquals(await digestTree(a), await digestTree(c));
  const others = await sameTree(a, c, { times: false });
  assertEquals(others, [
    '"a/b/c.bin": content differs',
    '"a/run": content differs',
  ]);
  const all = { ignore: (path: string) => path === "a" };
  assertEquals(await sameTree(a, c, all), []);
  const run = await Deno.stat(`${a}/a/run`);
  assertEquals(run.mtime?.getTime(), 1_600_000_000_123);
  assertEquals((run.mode ?? 0) & 0o777, 0o755);
  assertEquals((await Deno.stat(`${a}/a/b/c.bin`)).size, 300_000);
});

Deno.test("sameTree() sees every kind of difference", async () => {
  const changes: [string, (path: string) => Promise<void>, string][] = [
    ["a/text", (path) => Deno.writeTextFile(path, "hellO"), "content differs"],
    ["a/text", (path) => Deno.writeTextFile(path, "hello!"), "size is 5 and 6"],
    ["a/run", (path) => Deno.chmod(path, 0o700), "mode is"],
    [
      "a/run",
      (path) => Deno.utime(path, 5, 5),
      "mtimeMs is 1600000000123 and 5000",
    ],
    ["a/empty", (path) => Deno.remove(path), "is only in"],
    ["a/new", (path) => Deno.mkdir(path), "is only in"],
    ["a/empty", (path) => Deno.chmod(path, 0o700), "mode is"],
    ["a/link", async (path) => {
      await Deno.remove(path);
      await Deno.symlink("zero", path);
    }, "target is text and zero"],
    ["a/zero", async (path) => {
      await Deno.remove(path);
      await Deno.mkdir(path);
    }, "kind is file and dir"],
  ];
  for (const [path, change, expected] of changes) {
    await using dir = await tempDir();
    const [a, b] = [dir.join("x"), dir.join("y")];
    await makeTree(a, SPEC);
    await makeTree(b, SPEC);
    await change(`${b}/${path}`);
    const differences = await sameTree(a, b);
    assert(
      differences.some((text) =>
        text.startsWith(JSON.stringify(path)) && text.includes(expected)
      ),
      `${expected}: ${differences}`,
    );
    assertNotEquals(await digestTree(a), await digestTree(b));
  }
});

Deno.test("randomTree() invents trees that a disk can hold", async () => {
  await using dir = await tempDir();
  for (let seed = 1; seed <= 3; seed++) {
    await makeTree(dir.join(`${seed}`), randomTree(seeded(seed)), seed);
  }
  const twice = [1, 2].map(() => randomTree(seeded(7)));
  assertEquals(twice[0], twice[1]);
});
