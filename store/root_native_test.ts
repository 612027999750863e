import {
  assert,
  assertEquals,
  assertNotEquals,
  assertThrows,
} from "@std/assert";
import { constants, openSync } from "node:fs";
import { failsWith } from "../tests/testutil/root.ts";
import { errorCode, ioError } from "./io_error.ts";
import { openRoot, sameMtime } from "./root.ts";
import { openFile } from "./root_file.ts";
import { OPEN_FLAGS } from "./native_read.ts";
import { openNative } from "./root_native.ts";
import { putNew } from "./root_place.ts";

Deno.test("a new name is given without links too, and by two names at worst", async () => {
  const dir = await Deno.makeTempDir();
  const native = openNative();
  for (const by of [native, undefined]) {
    await Deno.writeTextFile(`${dir}/from`, "x");
    assertEquals(putNew(by, `${dir}/from`, `${dir}/to`), true);
    await Deno.writeTextFile(`${dir}/from`, "y");
    assertEquals(putNew(by, `${dir}/from`, `${dir}/to`), false);
    assertEquals(await Deno.readTextFile(`${dir}/to`), "x");
    await Deno.remove(`${dir}/to`);
    await Deno.remove(`${dir}/from`);
    assertThrows(() => putNew(by, `${dir}/from`, `${dir}/to`), Error, "ENOENT");
  }
  native?.close();
  await Deno.remove(dir, { recursive: true });
});

Deno.test("times are the same as far as the coarser one tells", () => {
  assert(sameMtime(5n, 5n));
  assert(sameMtime(1_000_000n, 1_999_999n));
  assert(sameMtime(-1n, -1_000_000n));
  assert(!sameMtime(-1n, 0n));
  assert(!sameMtime(1_000_000n, 2_000_000n));
  assert(!sameMtime(1_000_001n, 1_000_002n));
});

Deno.test("syncing the whole file system is offered where it can be done", async () => {
  const dir = await Deno.makeTempDir();
  const root = await openRoot(dir);
  const plain = await openRoot(dir, { native: false });
  const native = openNative();
  native?.close();
  assertEquals(await root.syncFileSystem(), native !== undefined);
  assertEquals(await plain.syncFileSystem(), false);
  root.close();
  plain.close();
  await Deno.remove(dir, { recursive: true });
});

Deno.test("what the C library says of a file is what node:fs says", async () => {
  const native = openNative();
  if (native === undefined) {
    return;
  }
  const { lstatSync } = await import("node:fs");
  for (const place of ["/", "/proc/self/exe", "/dev/null", "/etc/hosts"]) {
    const facts = lstatSync(place, { bigint: true });
    const stat = native.stat(place);
    assert(typeof stat === "object");
    assertEquals(stat.ino, facts.ino);
    assertEquals(stat.dev, facts.dev);
    assertEquals(stat.size, facts.size);
    assertEquals(BigInt(stat.mode), facts.mode);
    assertEquals(stat.mtimeNs / 1_000_000n, facts.mtimeNs / 1_000_000n);
    assertNotEquals(stat.ctimeNs, 0n);
  }
  assertEquals(native.stat("/nowhere at all"), "missing");
  assertEquals(native.stat("/etc/hosts/below a file"), undefined);
  native.close();
});

Deno.test({
  name: "a full disk is said to be full",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const native = openNative();
    for (const by of [native, undefined]) {
      for (const length of [10, 1 << 20]) {
        const file = openFile(openSync("/dev/full", "r+"), by);
        await failsWith(
          "Cannot write a part: the disk is full",
          () => file.write(new Uint8Array(length), 0),
        );
        file.close();
      }
    }
    native?.close();
  },
});

Deno.test("what the system says becomes words, without its own text", () => {
  const said = (code: string) =>
    Object.assign(new Error(`${code}: \x1b[2J '/proc/self/fd/9/x'`), { code });
  for (
    const [code, words] of [
      ["ENOSPC", "the disk is full"],
      ["EDQUOT", "the disk quota is used up"],
      ["EACCES", "permission denied"],
      ["EROFS", "the file system is read-only"],
      ["ENAMETOOLONG", "the name is too long for this file system"],
      ["EWHATEVER", "the system said EWHATEVER"],
    ]
  ) {
    const cause = said(code ?? "");
    const error = ioError('write "x"', cause);
    assertEquals(error.code, "local-io");
    assertEquals(error.message, `Cannot write "x": ${words}`);
    assertEquals(error.cause, cause);
    assertEquals(ioError("do something else", error), error);
  }
  assertEquals(
    ioError("x", new TypeError("y")).message,
    "Cannot x: the system said TypeError",
  );
  assertEquals(ioError("x", 5).message, "Cannot x: unknown");
  assertEquals(errorCode(undefined), undefined);
});

Deno.test("root_native: files are opened as the system's own numbers have it", {
  ignore: Deno.build.os !== "linux",
}, () => {
  const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
  const O_CLOEXEC = 0o2000000; // `node:fs` does not know it
  assertEquals(
    OPEN_FLAGS,
    BigInt(O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC),
  );
});
