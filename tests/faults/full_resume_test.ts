import { assert, assertEquals, assertMatch } from "@std/assert";
import { tempDir } from "../testutil/temp.ts";
import { type Ends, IN_FLIGHT, MIB, note, openEnds, reached } from "./kit.ts";

/** A small disk of its own; `undefined` where none can be had. */
async function smallDisk(
  mebibytes: number,
): Promise<AsyncDisposable & { readonly path: string } | undefined> {
  const dir = await tempDir("sftpx-disk-");
  const run = async (command: string, ...args: string[]): Promise<boolean> => {
    try {
      const made = await new Deno.Command(command, { args }).output();
      return made.success;
    } catch {
      return false;
    }
  };
  const options = `size=${mebibytes}m,mode=0755`;
  if (!await run("mount", "-t", "tmpfs", "-o", options, "tmpfs", dir.path)) {
    note("skipped: a file system cannot be mounted here");
    await dir[Symbol.asyncDispose]();
    return undefined;
  }
  return {
    path: dir.path,
    async [Symbol.asyncDispose]() {
      await run("umount", dir.path) || await run("umount", "-l", dir.path);
      await dir[Symbol.asyncDispose]();
    },
  };
}

const TREE = { "a.bin": 16 * MIB, "b.bin": 16 * MIB, "c": 1000 };
const BYTES = 32 * MIB + 1000;

/** The sender fails with a sentence; once there is room, the same command sends only the rest. */
async function failsThenGoesOn(
  ends: Ends,
  filler: string,
  fill: (sent: () => Promise<void>) => Promise<void>,
): Promise<number> {
  const receiver = await ends.recv();
  const first = ends.send({ args: ["--limit-rate", "12M"] });
  await fill(() => reached(first, 6 * MIB));
  assertEquals((await first.status).code, 8, first.stdout.slice(-2000));
  const { code, message } = await first.waitEvent("error");
  assertEquals(code, "local-io");
  assertMatch(String(message), /^Cannot .*(room|space|full)/);
  await Deno.remove(filler);
  const { sent } = await ends.finish(ends.send(), receiver);
  await ends.check();
  const given = await ends.given();
  assert(given < BYTES + IN_FLIGHT, `${given} bytes were sent in all`);
  return sent;
}

Deno.test("a disk without room for all: the sender says so, and the rest follows once there is room", async () => {
  await using disk = await smallDisk(48);
  if (disk === undefined) return;
  const filler = `${disk.path}/filler`;
  await Deno.writeFile(filler, new Uint8Array(24 * MIB));
  await using ends = await openEnds(TREE, {
    uploads: `${disk.path}/up`,
    recv: ["--keep-free", "0"],
  });
  await failsThenGoesOn(ends, filler, () => Promise.resolve());
});

Deno.test("a disk that others fill while we write: the sender says so, and the rest follows", async () => {
  await using disk = await smallDisk(48);
  if (disk === undefined) return;
  const filler = `${disk.path}/filler`;
  await using ends = await openEnds(TREE, {
    uploads: `${disk.path}/up`,
    recv: ["--keep-free", "0"],
  });
  const rest = await failsThenGoesOn(ends, filler, async (sent) => {
    await sent();
    using file = await Deno.open(filler, { create: true, write: true });
    try {
      for (;;) await file.write(new Uint8Array(MIB));
    } catch {
      // as full as it gets
    }
  });
  assert(rest < BYTES - 4 * MIB, `${rest} bytes were sent again`);
});

Deno.test("a disk that is full to the last byte takes nothing, and keeps what it has", async () => {
  await using disk = await smallDisk(40);
  if (disk === undefined) return;
  await using ends = await openEnds(TREE, {
    uploads: `${disk.path}/up`,
    recv: ["--keep-free", "0"],
  });
  const filler = `${disk.path}/filler`;
  await Deno.writeFile(filler, new Uint8Array(40 * MIB)).catch(() => {});
  const receiver = await ends.recv().catch(() => undefined);
  if (receiver !== undefined) {
    const sender = ends.send();
    assertEquals((await sender.status).code, 8, sender.stdout.slice(-2000));
    receiver.kill("SIGTERM");
    await receiver.status;
  }
  await Deno.remove(filler);
  const again = await ends.recv();
  await ends.finish(ends.send(), again);
  await ends.check();
});
