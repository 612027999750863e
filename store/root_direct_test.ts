import { assert, assertEquals } from "@std/assert";
import { closeSync, openSync } from "node:fs";
import { alignedRoom, openDirect } from "./root_direct.ts";
import { openFile } from "./root_file.ts";
import { openNative } from "./root_native.ts";

const MIB = 1024 * 1024;

/** A part of some MiB, written whole blocks and odd ends in turn, and what it should be. */
async function writtenPart(file: string, at: number): Promise<Uint8Array> {
  const native = openNative();
  const part = openFile(openSync(file, "w+"), native);
  const expected = new Uint8Array(9 * MIB + 321);
  for (let start = 0; start < expected.length; start += MIB) {
    const length = Math.min(MIB, expected.length - start);
    const bytes = alignedRoom(at + length, 0).subarray(at);
    bytes.forEach((_, n) => bytes[n] = n * 7 + start / MIB);
    expected.set(bytes, start);
    await part.write(bytes, start);
    const back = new Uint8Array(length);
    assertEquals(await part.read(back, start), length);
    assert(back.every((byte, n) => byte === bytes[n]), "a read after a write");
  }
  await part.sync();
  part.close();
  native?.close();
  return expected;
}

Deno.test("a part holds what was written to it, past the cache or not", async () => {
  const dir = await Deno.makeTempDir();
  for (const at of [0, 1]) { // 1: no address that a direct write can begin at
    const expected = await writtenPart(`${dir}/part`, at);
    const found = await Deno.readFile(`${dir}/part`);
    assertEquals(found.length, expected.length);
    assert(found.every((byte, n) => byte === expected[n]));
  }
  await Deno.remove(dir, { recursive: true });
});

Deno.test("only whole blocks at whole addresses go past the cache", async () => {
  const dir = await Deno.makeTempDir();
  const native = openNative();
  const fd = openSync(`${dir}/part`, "w+");
  const direct = openDirect(native, fd);
  if (direct !== undefined) { // this file system may have no such writes
    const bytes = alignedRoom(8192 + 1, 1).subarray(1);
    assert(direct.fits(bytes, 8192));
    assert(!direct.fits(bytes, 8191));
    assert(!direct.fits(bytes.subarray(0, 8191), 0));
    assert(!direct.fits(bytes.subarray(1, 4097), 0));
    assert(!direct.fits(bytes.subarray(0, 0), 0));
    assertEquals(await direct.write(bytes, 4096), 8192);
    direct.close();
    assertEquals((await Deno.stat(`${dir}/part`)).size, 12_288);
  }
  closeSync(fd);
  native?.close();
  await Deno.remove(dir, { recursive: true });
});

Deno.test("without native calls nothing goes past the cache", async () => {
  const dir = await Deno.makeTempDir();
  const fd = openSync(`${dir}/part`, "w+");
  assertEquals(openDirect(undefined, fd), undefined);
  closeSync(fd);
  await Deno.remove(dir, { recursive: true });
});
