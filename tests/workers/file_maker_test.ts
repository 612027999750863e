import { assert, assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import {
  createFileMaker,
  type FileMaker,
  type FileToMake,
} from "../../workers/file_maker.ts";
import { safePath } from "../../store/paths.ts";
import { openRoot } from "../../store/root.ts";
import { tempDir } from "../testutil/temp.ts";

/** A Worker whose program is `code`. */
function workerOf(code: string): Worker {
  const url = URL.createObjectURL(
    new Blob([code], { type: "text/javascript" }),
  );
  return new Worker(url, { type: "module" });
}

const READY = `postMessage({ type: "ready", isAble: true });`;
const DIES = `onmessage = () => { throw new Error("boom"); }; ${READY}`;
const KEEPS = `onmessage = () => {}; ${READY}`;

const isLinux = Deno.build.os === "linux";
const FILE: FileToMake = {
  ...{ dir: 3, name: "a", start: 0, end: 1, mode: 0o600, mtimeNs: 1n },
};

async function started(spawn?: () => Worker): Promise<FileMaker> {
  const maker = createFileMaker({ ...(spawn && { spawn }), least: 2 });
  assertEquals(maker.isReady(1), false);
  assertEquals(maker.isReady(1), false); // and starts
  await maker.known;
  return maker;
}

function refused(made: Promise<unknown>): Promise<Error> {
  return assertRejects(() => made, SftpxError);
}

Deno.test({
  name: "a file maker makes files of parts of a buffer, and gives it back",
  ignore: !isLinux,
  async fn() {
    await using dir = await tempDir();
    const root = await openRoot(dir.join("up"));
    const partial = await root.partial("ab".repeat(32));
    const maker = await started();
    try {
      assertEquals(await maker.known, true);
      assert(maker.isReady(1));
      const room = new TextEncoder().encode("..one/three..");
      const view = room.subarray(2);
      const folder = partial.beginWhole();
      assert(folder >= 0);
      const time = 1_600_000_000_007_000_000n;
      const seven = { dir: folder, name: "7.part" };
      const eight = { dir: folder, name: "8.part" };
      const { stampOf, bytes } = await maker.make(view, [
        { ...seven, start: 0, end: 3, mode: 0o666, mtimeNs: time },
        { ...eight, start: 4, end: 9, mode: 0o4755, mtimeNs: 5n },
        { ...seven, start: 4, end: 9, mode: 0o600, mtimeNs: 5n },
      ]);
      assertEquals([0, 1, 2].map((file) => stampOf(file)?.size), [
        3,
        5,
        undefined, // what is there is left alone
      ]);
      assertEquals(room.buffer.byteLength, 0); // moved, not copied
      assertEquals(new TextDecoder().decode(bytes), "one/three..");
      assertEquals(bytes.byteOffset, 2);
      const at = (slot: number) => partial.placeOf(slot);
      assertEquals(await Deno.readTextFile(at(7)), "one");
      assertEquals(await Deno.readTextFile(at(8)), "three");
      const [one, two] = [await Deno.stat(at(7)), await Deno.stat(at(8))];
      assertEquals([one.mode, two.mode], [0o100666, 0o100755]);
      assertEquals(stampOf(0)?.mtimeNs, time);
      assertEquals(stampOf(0)?.ino, BigInt(one.ino ?? 0));
      assertEquals(one.mtime?.getTime(), 1_600_000_000_007);
    } finally {
      maker.close();
      partial.close();
      root.close();
    }
  },
});

Deno.test({
  name: "a file maker names parts, and nothing that is there is replaced",
  ignore: !isLinux,
  async fn() {
    await using dir = await tempDir();
    const root = await openRoot(dir.join("up"));
    const partial = await root.partial("ab".repeat(32));
    const maker = await started();
    try {
      for (const slot of [0, 1, 2, 3]) {
        const part = await partial.create(slot);
        await part.write(new TextEncoder().encode(`part ${slot}`), 0);
        part.close();
      }
      await root.makeDir(safePath("d"));
      await Deno.writeTextFile(dir.join("up/d/taken"), "not ours");
      const names = ["d/é", "d/taken", "none/x", "top"].map((name) =>
        safePath(name)
      );
      const folders = root.foldersOf(names);
      assert(folders !== undefined);
      assertEquals(folders.fds[2], -1); // it is not there
      const found = await maker.place(
        partial.beginWhole(),
        names.map((path, slot) => ({
          slot,
          dir: folders.fds[slot] ?? -1,
          name: path.split("/").at(-1) ?? "",
        })),
      );
      folders.release();
      assertEquals([0, 1, 2, 3].map((part) => found.stampOf(part)?.size), [
        6,
        undefined,
        undefined,
        6,
      ]);
      const { size, mtimeNs, ctimeNs, ino } =
        await root.lstat(safePath("d/é")) ?? {};
      assertEquals<unknown>(found.stampOf(0), { size, mtimeNs, ctimeNs, ino });
      assertEquals(await Deno.readTextFile(dir.join("up/d/é")), "part 0");
      assertEquals(await Deno.readTextFile(dir.join("up/d/taken")), "not ours");
      assertEquals(await Deno.readTextFile(dir.join("up/top")), "part 3");
      assertEquals(await partial.list(), [1, 2]);
      await root.syncDirs(); // they count as changed, and are where they were
    } finally {
      maker.close();
      partial.close();
      root.close();
    }
  },
});

/** Answers each job after the next has come, and tells in which order they came. */
const IN_ORDER = `
  const order = [];
  onmessage = ({ data: { id, type, buffer } }) => {
    order.push(type);
    setTimeout(() => postMessage(type === "make"
      ? { type: "made", id, buffer, made: Uint8Array.of(0), stamps: new BigInt64Array(4) }
      : { type: "placed", id, placed: Uint8Array.of(1), stamps: BigInt64Array.of(
          BigInt(order.indexOf("place")), 0n, 0n, 0n) }), 5);
  };
  ${READY}`;

Deno.test("a file maker gives names before contents that wait, and its worker two jobs at a time", async () => {
  const maker = await started(() => workerOf(IN_ORDER));
  const made = Array.from(
    { length: 6 },
    () => maker.make(new Uint8Array(1), [FILE]),
  );
  const placed = await maker.place(3, [{ slot: 0, dir: 3, name: "x" }]);
  assertEquals(placed.stampOf(0)?.size, 2, "two were on their way before");
  await Promise.all(made);
  maker.close();
});

Deno.test("a file maker starts when so many files are expected", async () => {
  const maker = createFileMaker({ spawn: () => workerOf(KEEPS), least: 10 });
  maker.expect(9);
  assertEquals(maker.isReady(0), false);
  maker.expect(10);
  assertEquals(await maker.known, true);
  assert(maker.isReady(1));
  maker.close();
});

Deno.test("a file maker whose worker dies says so, and takes no more", async () => {
  const maker = await started(() => workerOf(DIES));
  const error = await refused(maker.make(new Uint8Array(1), [FILE]));
  assertEquals((error as SftpxError).code, "internal");
  assertEquals(maker.isReady(1000), false);
  await refused(maker.make(new Uint8Array(1), [FILE]));
});

Deno.test("a file maker that is closed gives up what it has", async () => {
  const maker = await started(() => workerOf(KEEPS));
  const made = refused(maker.make(new Uint8Array(1), [FILE]));
  maker.close();
  assertEquals((await made as SftpxError).code, "cancelled");
});

Deno.test("a file maker that cannot start, or cannot make files, never takes any", async () => {
  const starts: (() => Worker)[] = [
    () => {
      throw new Error("no workers here");
    },
    () => workerOf(`throw new Error("stillborn");`),
    () => workerOf(`postMessage({ type: "ready", isAble: false });`),
  ];
  for (const spawn of starts) {
    const maker = await started(spawn);
    assertEquals(await maker.known, false);
    assertEquals(maker.isReady(1000), false);
  }
});
