import { assert, assertEquals, assertMatch } from "@std/assert";
import { makeTree, type TreeSpec } from "../testutil/tree.ts";
import type { Cli } from "../testutil/process.ts";
import { type Ends, kill, MIB, namesIn, openEnds, told } from "./kit.ts";

const BIG = 2 * MIB;

/** What is sent. */
const TREE = {
  "big": BIG,
  "big-same": BIG,
  "dir/x": "x",
  "file": "new",
  "file-same": "same",
  "in-way/x": "below",
  "link": { kind: "link", target: "file" },
  "link-same": { kind: "link", target: "file" },
  "was-dir": "a file",
} satisfies TreeSpec;

/** What is there before it, with what else is in the way. */
async function occupied(ends: Ends): Promise<void> {
  const at = `${ends.uploads}/src`;
  await makeTree(at, {
    "dir/y": "y",
    "file": "old and longer",
    "in-way": "a file",
    "link": { kind: "link", target: "elsewhere" },
    "link-same": { kind: "link", target: "file" },
    "was-dir/z": "z",
  });
  await makeTree(at, { "big": BIG }, 7);
  await Deno.copyFile(`${ends.src}/big-same`, `${at}/big-same`);
  await Deno.writeTextFile(`${at}/file-same`, "same");
}

/** Sends the tree on top of what is there; what was there before is read by `look`. */
async function onto(policy: string): Promise<{
  readonly ends: Ends;
  readonly code: number;
  readonly outcomes: Readonly<Record<string, string>>;
  readonly sender: Cli;
}> {
  const ends = await openEnds(TREE, { recv: ["--on-conflict", policy] });
  await occupied(ends);
  const receiver = await ends.recv();
  const sender = ends.send();
  const { code } = await sender.status;
  if (code === 0 || policy !== "fail") await receiver.waitEvent("done");
  await kill(receiver);
  const outcomes = Object.fromEntries(
    told(receiver).filter(({ type }) => type === "entry").map((
      { path, outcome, finalPath },
    ) => [
      String(path).replace("src/", ""),
      finalPath === undefined ? String(outcome) : `${outcome} as ${finalPath}`,
    ]),
  );
  return { ends, code, outcomes, sender };
}

const text = (ends: Ends, path: string): Promise<string> =>
  Deno.readTextFile(`${ends.uploads}/src/${path}`);

Deno.test("--on-conflict rename: what differs gets a number, what is the same is skipped, nothing is lost", async () => {
  const { ends, code, outcomes } = await onto("rename");
  await using _ends = ends;
  assertEquals(code, 8, "a file stands where a folder must be");
  assertEquals(outcomes, {
    "src": "received",
    "big": "received as src/big (1)",
    "big-same": "skipped",
    "dir": "received",
    "dir/x": "received",
    "file": "received as src/file (1)",
    "file-same": "skipped",
    "in-way": "refused",
    "in-way/x": "refused",
    "link": "received as src/link (1)",
    "link-same": "skipped",
    "was-dir": "received as src/was-dir (1)",
  });
  assertEquals(await text(ends, "file"), "old and longer");
  assertEquals(await text(ends, "file (1)"), "new");
  assertEquals(await text(ends, "in-way"), "a file");
  assertEquals(await text(ends, "was-dir/z"), "z");
  assertEquals(await text(ends, "was-dir (1)"), "a file");
  assertEquals(
    await Deno.readFile(`${ends.uploads}/src/big (1)`),
    await Deno.readFile(`${ends.src}/big`),
  );
  const before = await namesIn(`${ends.uploads}/src`);
  const receiver = await ends.recv();
  const again = ends.send();
  assertEquals((await again.status).code, 8);
  const { totals } = await receiver.waitEvent("done");
  assertEquals((totals as { sent: number }).sent, 0);
  assertEquals(await namesIn(`${ends.uploads}/src`), before);
});

Deno.test("--on-conflict overwrite: what differs is replaced, but no folder is", async () => {
  const { ends, code, outcomes } = await onto("overwrite");
  await using _ends = ends;
  assertEquals(code, 8);
  assertEquals(outcomes["file"], "received");
  assertEquals(outcomes["link"], "received");
  assertEquals(outcomes["big-same"], "skipped");
  assertEquals(outcomes["was-dir"], "refused");
  assertEquals(outcomes["in-way"], "refused");
  assertEquals(await text(ends, "file"), "new");
  assertEquals(await Deno.readLink(`${ends.uploads}/src/link`), "file");
  assertEquals(await text(ends, "was-dir/z"), "z");
  assertEquals(await text(ends, "in-way"), "a file");
  assertEquals(await text(ends, "dir/y"), "y");
});

Deno.test("--on-conflict skip: what differs stays, and the sender is told", async () => {
  const { ends, code, outcomes, sender } = await onto("skip");
  await using _ends = ends;
  assertEquals(code, 8, sender.stdout.slice(-2000));
  for (const path of ["big", "file", "link", "was-dir", "in-way"]) {
    assertEquals(outcomes[path], "refused", path);
  }
  assertEquals(outcomes["file-same"], "skipped");
  assertEquals(outcomes["dir/x"], "received");
  assertEquals(await text(ends, "file"), "old and longer");
  assertEquals(await Deno.readLink(`${ends.uploads}/src/link`), "elsewhere");
  const names = await namesIn(`${ends.uploads}/src`);
  assert(!names.some((name) => /\(1\)/.test(name)), names.join());
});

Deno.test("--on-conflict fail: the first conflict ends it, and nothing is replaced", async () => {
  const { ends, code, sender } = await onto("fail");
  await using _ends = ends;
  assertEquals(code, 8, sender.stdout.slice(-2000));
  const { message } = await sender.waitEvent("error");
  assertMatch(String(message), /is there already|in the way/);
  assertEquals(await text(ends, "file"), "old and longer");
});

Deno.test("an unchanged tree sent again sends nothing, a changed mode alone, and --checksum and --fresh what they say", async () => {
  await using ends = await openEnds({ "a": 3 * MIB, "b/c": "text", "d": 0 });
  const receiver = await ends.recv();
  const totals = async (...args: string[]) => {
    const sender = ends.send({ args });
    assertEquals((await sender.status).code, 0, sender.stdout.slice(-2000));
    const { totals } = await sender.waitEvent("done");
    await ends.check();
    return totals as { sent: number; skipped: number; reused: number };
  };
  await totals();
  assertEquals((await totals()).sent, 0);
  await Deno.chmod(`${ends.src}/a`, 0o640);
  assertEquals((await totals()).sent, 0, "another mode");
  assertEquals((await totals("--checksum")).sent, 0);
  // The same size and time, but another content: only its inode's time tells.
  const at = `${ends.uploads}/src/a`;
  const { atime, mtime } = await Deno.stat(at);
  assert(atime !== null && mtime !== null);
  await Deno.writeFile(at, new Uint8Array(3 * MIB));
  await Deno.utime(at, atime, mtime);
  await Deno.remove(at);
  assertEquals((await totals()).sent, 3 * MIB, "a file that was removed");
  assertEquals((await totals("--fresh")).sent, 0, "all is there, by content");
  await kill(receiver);
});
