/** Modes and times of what is sent, and of what was sent before. */
import { assertEquals } from "@std/assert";
import { lutimesSync } from "node:fs";
import { CHUNK, type Pair, pair } from "./pair.ts";

/** Sends what there is, once. */
async function send(two: Pair): Promise<void> {
  const receiver = two.receive();
  const { failures } = await two.run(two.send());
  await two.run(receiver.close());
  assertEquals(failures, []);
}

async function stampOf(
  path: string,
): Promise<{ mode: number; mtimeMs: number }> {
  const { mode, mtime } = await Deno.lstat(path);
  return { mode: (mode ?? 0) & 0o777, mtimeMs: mtime?.getTime() ?? NaN };
}

Deno.test("a file that has the same content, another time and another mode gets these", async () => {
  await using two = await pair({
    tree: { "small": 10, "large": 3 * CHUNK, "dir/in it": 20 },
  });
  await send(two);
  for (const [n, name] of ["small", "large", "dir/in it"].entries()) {
    const time = new Date(Date.UTC(2015, n));
    await Deno.chmod(`${two.source}/${name}`, 0o600);
    await Deno.utime(`${two.source}/${name}`, time, time);
  }
  await send(two);
  assertEquals(await two.differences(), []);
  for (const name of ["small", "large", "dir/in it"]) {
    assertEquals(
      await stampOf(`${two.uploads}/tree/${name}`),
      await stampOf(`${two.source}/${name}`),
    );
  }
});

Deno.test("a file of the receiver's own that has the same content keeps its time and mode", async () => {
  await using two = await pair({
    tree: { "a": { kind: "file", text: "same" } },
  });
  await Deno.mkdir(`${two.uploads}/tree`, { recursive: true });
  const own = `${two.uploads}/tree/a`;
  await Deno.writeTextFile(own, "same", { mode: 0o640 });
  const time = new Date(Date.UTC(2011, 1));
  await Deno.utime(own, time, time);
  const before = await stampOf(own);
  await send(two);
  assertEquals(await stampOf(own), before);
});

Deno.test("a symbolic link keeps its time", async () => {
  await using two = await pair({
    tree: { "a": 1, "link": { kind: "link", target: "a" } },
  });
  const time = new Date(Date.UTC(2001, 1, 3));
  lutimesSync(`${two.source}/link`, time, time);
  await send(two);
  assertEquals(
    (await stampOf(`${two.uploads}/tree/link`)).mtimeMs,
    time.getTime(),
  );
});

Deno.test("times beyond what 64 bits hold are taken for the nearest", async () => {
  await using two = await pair({ tree: { "a": 1, "dir/b": 2, "c": 3 } });
  const late = new Date(Date.UTC(2300, 0));
  await Deno.utime(`${two.source}/a`, late, late);
  await Deno.utime(`${two.source}/dir`, late, late);
  await send(two);
  for (const name of ["a", "dir"]) {
    const { mtimeMs } = await stampOf(`${two.uploads}/tree/${name}`);
    assertEquals(new Date(mtimeMs).getUTCFullYear(), 2262);
  }
  await send(two);
});
