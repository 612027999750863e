import { assert, assertEquals, assertRejects } from "@std/assert";
import { compareTrees } from "../../_tools/demo/compare.ts";
import { gaugeProgress, type Meter } from "../../_tools/demo/gauge.ts";
import { makeTree } from "../../_tools/demo/make_tree.ts";
import { rateToKill } from "../../_tools/demo/pace.ts";
import { parseEvent, start } from "../../_tools/demo/process.ts";
import { settle } from "../testutil/fake_clock.ts";

/** Makes a small tree, copies it, and gives both to `body`. */
async function withTwoTrees(
  body: (source: string, copy: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const options = { bigBytes: 2_500_000, smallFiles: 30 };
    await makeTree(`${folder}/source`, options);
    const { success } = await new Deno.Command("cp", {
      args: ["-a", `${folder}/source`, `${folder}/copy`],
    }).output();
    assert(success);
    await body(`${folder}/source`, `${folder}/copy`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("compareTrees() finds no difference between a tree and its copy", async () => {
  await withTwoTrees(async (source, copy) => {
    const { differences, ...counts } = await compareTrees(source, copy);
    assertEquals(differences, []);
    assertEquals(counts.files, 32);
    assertEquals(counts.links, 1);
    assert(counts.folders >= 8);
    assert(counts.bytes >= 2_500_000);
  });
});

Deno.test("compareTrees() finds every kind of difference", async () => {
  await withTwoTrees(async (source, copy) => {
    const big = `${copy}/film.raw`;
    const { mtime } = await Deno.stat(big);
    assert(mtime);
    using file = await Deno.open(big, { write: true });
    await file.seek(1_900_000, Deno.SeekMode.Start);
    await file.write(new Uint8Array([1, 2, 3]));
    await Deno.utime(big, mtime, mtime);
    await Deno.remove(`${copy}/empty file`);
    await Deno.remove(`${copy}/link to letters`);
    await Deno.symlink("elsewhere", `${copy}/link to letters`);
    await Deno.chmod(`${copy}/日本語`, 0o700);
    await Deno.utime(`${copy}/empty folder`, 1, 1);
    await Deno.writeTextFile(`${copy}/more`, "");
    // Files came and went in the folder itself.
    const top = await Deno.stat(source);
    assert(top.mtime);
    await Deno.utime(copy, top.mtime, top.mtime);

    const { differences } = await compareTrees(source, copy);
    const all = differences.join("\n");
    assertEquals(differences.length, 6, all);
    for (
      const expected of [
        /film\.raw": content differs from byte 190000[0-2] /,
        /empty file": missing/,
        /link to letters": leads to "elsewhere", not to "letters"/,
        /日本語": mode 0700, not 07/,
        /empty folder": time 1970-01-01T00:00:01.000Z, not /,
        /has "more", which was not sent/,
      ]
    ) {
      assert(expected.test(all), `${expected} in\n${all}`);
    }
  });
});

Deno.test("compareTrees() does not take one kind of entry for another", async () => {
  await withTwoTrees(async (source, copy) => {
    await Deno.remove(`${copy}/empty folder`);
    await Deno.writeTextFile(`${copy}/empty folder`, "");
    const { differences } = await compareTrees(source, copy);
    assert(
      differences.some((text) => text.includes("is a file, not a folder")),
    );
  });
});

Deno.test("parseEvent() takes events and nothing else", () => {
  assertEquals(parseEvent('{"type":"exit","code":0}'), {
    type: "exit",
    code: 0,
  });
  for (const line of ["", "hello", "null", "[1]", '{"type":1}', '{"x":']) {
    assertEquals(parseEvent(line), undefined);
  }
});

Deno.test("start() gives the events of a process as they come, and its end", async () => {
  const seen: string[] = [];
  const child = start({
    command: [Deno.execPath(), "eval"],
    args: [
      `console.log('{"type":"a"}');console.log("noise");` +
      `console.log('{"type":"b","n":1}');console.error("why");` +
      `console.log('{"type":"error","message":"that is why"}');Deno.exit(7)`,
    ],
    cwd: Deno.cwd(),
    onEvent: ({ type }) => seen.push(type),
  });
  const never = assertRejects(() => child.next("c"), Error, "why");
  assertEquals(await child.next("b"), { type: "b", n: 1 });
  assertEquals(await child.ended, 7);
  assertEquals(seen, ["a", "b", "error"]);
  assertEquals(child.lastWords().split("\n").sort(), [
    "",
    "that is why",
    "why",
  ]);
  await never;
});

Deno.test("start() ends a process at once when it is told to kill it", async () => {
  const child = start({
    command: [Deno.execPath(), "eval"],
    args: [`console.log('{"type":"up"}'); setInterval(() => {}, 1000)`],
    cwd: Deno.cwd(),
  });
  await child.next("up");
  await child.kill();
  assertEquals(await child.ended, 137);
  await child.kill();
});

Deno.test("start() ends a process in order when it is told to stop it", async () => {
  const child = start({
    command: [Deno.execPath(), "eval"],
    args: [
      `Deno.addSignalListener("SIGTERM", () => Deno.exit(0));` +
      `console.log('{"type":"up"}'); setInterval(() => {}, 1000)`,
    ],
    cwd: Deno.cwd(),
  });
  await child.next("up");
  child.stop();
  assertEquals(await child.ended, 0);
  child.stop();
});

Deno.test("rateToKill() leaves time for two kills, however fast the machine is", () => {
  for (const bytes of [1, 1e6, 559 * 2 ** 20, 2 ** 32]) {
    const rate = rateToKill(bytes);
    assert(rate !== undefined && rate >= 1024);
    assert(rate === 1024 || bytes / rate > 7);
  }
  assertEquals(rateToKill(2 ** 34), undefined);
});

Deno.test("gaugeProgress() waits for a share, or for the end, and counts what was sent", async () => {
  const told: string[] = [];
  const gauge = gaugeProgress(900, (text) => told.push(text));
  const meter: Meter = { sent: undefined };
  const ended = Promise.withResolvers<void>();

  let third: boolean | undefined;
  const wait = gauge.reaches(1 / 3, ended.promise).then((it) => third = it);
  gauge.see({ type: "progress", bytes: 299, sent: 400 }, meter);
  await settle();
  assertEquals(third, undefined);
  gauge.see({ type: "progress", bytes: 300, sent: 500 }, meter);
  await wait;
  assertEquals(third, true);
  assertEquals(gauge.percent(), "33 %");

  gauge.see({ type: "connected" }, meter);
  assertEquals(told, []);
  gauge.see({ type: "reconnecting" }, meter);
  gauge.see({ type: "reconnecting" }, meter);
  gauge.see({ type: "connected" }, meter);
  assertEquals(told.length, 2);

  const whole = gauge.reaches(Infinity, ended.promise);
  gauge.see({ type: "done", totals: { sent: 950 } }, meter);
  ended.resolve();
  assertEquals(await whole, false);
  assertEquals(meter.sent, 950);
});
