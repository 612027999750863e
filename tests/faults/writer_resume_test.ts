import { assert, assertEquals, assertMatch } from "@std/assert";
import { kill, MIB, note, openEnds, pause, reached } from "./kit.ts";

const SIZE = 6 * MIB;

/** A version of a file: every byte says which. */
function version(n: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(SIZE).fill(n);
}

/** The versions that a file has bytes of. */
async function versionsIn(path: string): Promise<number[]> {
  return [...new Set(await Deno.readFile(path))];
}

/** Writes over a file in place, a piece at a time, from its start. */
async function rewrite(path: string, n: number, ms = 10): Promise<void> {
  using file = await Deno.open(path, { write: true });
  const piece = new Uint8Array(MIB).fill(n);
  for (let at = 0; at < SIZE; at += MIB) {
    await file.write(piece);
    await pause(ms);
  }
}

Deno.test("a file that is written over while it is sent, and then left alone, arrives as it is then", async () => {
  await using ends = await openEnds({ "a": 1000, "z": "the last" });
  const path = `${ends.src}/m.bin`;
  await Deno.writeFile(path, version(1));
  const receiver = await ends.recv();
  // One lane reads a chunk when it has sent the last: most is read later.
  const sender = ends.send({ args: ["--limit-rate", "8M", "--streams", "1"] });
  await sender.waitEvent("connected");
  await pause(150);
  for (const n of [2, 3]) await rewrite(path, n);
  await ends.finish(sender, receiver);
  assertEquals(await versionsIn(`${ends.uploads}/src/m.bin`), [3]);
  await ends.check();
});

const APPENDED = 1000;

/** What is done to a file all the time, and what it may hold then. */
const WRITERS: readonly (readonly [
  how: string,
  write: (path: string, n: number) => Promise<void>,
  isState: (size: number, versions: readonly number[]) => boolean,
])[] = [
  ["written over", (path, n) => rewrite(path, n, 1), () => true],
  [
    "appended to",
    (path) => Deno.writeFile(path, new Uint8Array(APPENDED), { append: true }),
    (size, versions) =>
      (size - SIZE) % APPENDED === 0 && versions.join() === "1,0",
  ],
  [
    "put in its place anew",
    async (path, n) => {
      await Deno.writeFile(`${path}.new`, version(n));
      await Deno.rename(`${path}.new`, path);
      await pause(20);
    },
    (size, versions) => size === SIZE && versions.length === 1,
  ],
];

for (const [how, write, isState] of WRITERS) {
  Deno.test(`a file that is ${how} all the time arrives as it once was or not at all, and the others do`, async () => {
    await using ends = await openEnds({ "a": 1000, "z/z": "the last" }, {
      send: ["--exclude", "*.new"],
    });
    const path = `${ends.src}/m.bin`;
    await Deno.writeFile(path, version(1));
    const receiver = await ends.recv();
    const sender = ends.send({ args: ["--limit-rate", "40M"] });
    let isOver = false;
    sender.status.finally(() => isOver = true);
    for (let n = 2; !isOver; n++) await write(path, n % 250);
    const { code } = await sender.status;
    await receiver.waitEvent("done");
    const at = `${ends.uploads}/src`;
    assertEquals(await Deno.readTextFile(`${at}/z/z`), "the last");
    if (code === 0) {
      const { size } = await Deno.stat(`${at}/m.bin`);
      const versions = await versionsIn(`${at}/m.bin`);
      assert(isState(size, versions), `${size} bytes of versions ${versions}`);
    } else {
      assertEquals(code, 8, sender.stdout.slice(-2000));
      const { message } = await sender.waitEvent("error");
      assertMatch(String(message), /"src\/m\.bin": .*(chang|replaced)/);
      assert(!await Deno.stat(`${at}/m.bin`).then(() => true, () => false));
    }
    note(`${how}: exit code ${code}`);
    // Left alone, it goes with the next run.
    await ends.finish(ends.send(), receiver);
    await ends.check();
  });
}

Deno.test("a file that goes away, or is replaced, while it is sent takes no other with it", async () => {
  await using ends = await openEnds({
    "a.bin": 4 * MIB,
    "b.bin": 4 * MIB,
    "c": "the last",
  });
  const receiver = await ends.recv();
  const sender = ends.send({ args: ["--limit-rate", "4M"] });
  await sender.waitEvent("connected");
  await pause(300);
  await Deno.rename(`${ends.src}/a.bin`, `${ends.src}/d.bin`);
  await Deno.remove(`${ends.src}/b.bin`);
  await Deno.mkdir(`${ends.src}/b.bin`);
  const { code } = await sender.status;
  assert(code === 8 || code === 0, sender.stdout.slice(-2000));
  await receiver.waitEvent("done");
  assertEquals(await Deno.readTextFile(`${ends.uploads}/src/c`), "the last");
  await kill(receiver);
});

Deno.test("a file changed while the receiver is away arrives as it is now", async () => {
  await using ends = await openEnds({ "a": 1000, "z": "the last" });
  const path = `${ends.src}/m.bin`;
  await Deno.writeFile(path, version(1));
  const first = await ends.recv();
  const sender = ends.send({ args: ["--limit-rate", "3M"] });
  await reached(sender, 2 * MIB);
  await kill(first);
  const { atime, mtime } = await Deno.stat(path);
  assert(atime !== null && mtime !== null);
  await rewrite(path, 2);
  await Deno.utime(path, atime, mtime); // as if it were the same
  const receiver = await ends.recv();
  await ends.finish(sender, receiver);
  assertEquals(await versionsIn(`${ends.uploads}/src/m.bin`), [2]);
  await ends.check();
});

Deno.test("a file that another takes the place of while it is sent arrives as the other", async () => {
  await using ends = await openEnds({ "a": 1000, "z": "the last" });
  const path = `${ends.src}/m.bin`;
  await Deno.writeFile(path, version(1));
  const receiver = await ends.recv();
  // One stream, so that it is opened again for the second part of it.
  const sender = ends.send({ args: ["--limit-rate", "4M", "--streams", "1"] });
  await sender.waitEvent("connected");
  await pause(300);
  await Deno.writeFile(`${ends.dir}/new`, version(2).subarray(MIB));
  await Deno.rename(`${ends.dir}/new`, path);
  await ends.finish(sender, receiver);
  await ends.check();
});
