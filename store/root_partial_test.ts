import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { closeSync, openSync } from "node:fs";
import {
  failsWith,
  namesIn,
  SESSION,
  testRoot,
} from "../tests/testutil/root.ts";
import { safePath } from "./paths.ts";
import { openRoot } from "./root.ts";

testRoot(
  "parts are private, written at any position, and found again",
  async (root, dir) => {
    const old = Deno.umask(0);
    try {
      const parts = await root.partial(SESSION);
      const part = await parts.create(7);
      const big = new Uint8Array(300_000).map((_, at) => at % 251);
      await part.write(big.subarray(100_000), 100_000);
      await part.write(big.subarray(0, 100_000), 0);
      await part.sync();
      await parts.sync();
      await parts.sync();
      part.close();
      const place = `${dir}/.sftpx-partial/${SESSION}`;
      const mode = (path: string) => (Deno.lstatSync(path).mode ?? 0) & 0o777;
      assertEquals(mode(`${dir}/.sftpx-partial`), 0o700);
      assertEquals(mode(place), 0o700);
      assertEquals(mode(`${place}/7.part`), 0o600);
      assertEquals(await Deno.readFile(`${place}/7.part`), big);

      await failsWith("Cannot make part 7", () => parts.create(7));
      const again = await parts.open(7);
      assert(again !== undefined);
      assertEquals(await again.size(), 300_000);
      await again.truncate(10);
      assertEquals(await again.size(), 10);
      again.close();
      assertEquals(await parts.open(8), undefined);
      (await parts.create(10)).close();
      await Deno.writeTextFile(`${place}/notes`, "");
      assertEquals(await parts.list(), [7, 10]);
      await parts.remove(7);
      await parts.remove(7);
      assertEquals(await parts.list(), [10]);
      await Deno.remove(`${place}/notes`);
      await parts.removeAll();
      assertThrows(() => Deno.lstatSync(place), Deno.errors.NotFound);
      (await parts.create(1)).close(); // the folder is made again
      assertEquals(await parts.list(), [1]);
      await assertRejects(() => parts.create(-1), RangeError);
      await assertRejects(() => root.partial("../x"), RangeError);
      parts.close();
      parts.close();
    } finally {
      Deno.umask(old);
    }
  },
);

testRoot(
  "a part that is a link, or has two names, is not written to",
  async (root, dir) => {
    const parts = await root.partial(SESSION);
    const place = `${dir}/.sftpx-partial/${SESSION}`;
    await Deno.writeTextFile(`${dir}/finished`, "whole");
    await Deno.link(`${dir}/finished`, `${place}/1.part`);
    assertEquals(await parts.open(1), undefined);
    assertEquals(await parts.list(), []);
    await Deno.symlink("../../finished", `${place}/2.part`);
    await failsWith("there already", () => parts.create(2));
    assertEquals(await parts.open(2), undefined);
    assertEquals(namesIn(place), []);
    assertEquals(await Deno.readTextFile(`${dir}/finished`), "whole");
    parts.close();
  },
);

testRoot(
  "a folder for parts that others can read is closed, and a link refused",
  async (root, dir) => {
    await Deno.mkdir(`${dir}/.sftpx-partial`);
    await Deno.chmod(`${dir}/.sftpx-partial`, 0o777);
    const parts = await root.partial(SESSION);
    const { mode } = await Deno.stat(`${dir}/.sftpx-partial`);
    assertEquals((mode ?? 0) & 0o777, 0o700);
    await parts.removeAll();
    parts.close();
    await root.removeEmptyPartials();
    await Deno.mkdir(`${dir}/../outside`);
    await Deno.symlink("../outside", `${dir}/.sftpx-partial`);
    await failsWith(
      "Cannot use the folder for parts",
      () => root.partial("ab"),
    );
    await root.removeEmptyPartials();
    assertEquals(namesIn(`${dir}/../outside`), []);
  },
);

Deno.test({
  name: "a folder for parts that is another user's is refused",
  ignore: Deno.uid() !== 0, // only root can make one
  async fn() {
    const dir = await Deno.makeTempDir();
    const root = await openRoot(dir);
    await Deno.mkdir(`${dir}/.sftpx-partial`);
    await Deno.chown(`${dir}/.sftpx-partial`, 12345, 12345);
    await failsWith("belongs to another user", () => root.partial("ab"));
    root.close();
    await Deno.remove(dir, { recursive: true });
  },
});

testRoot("what is closed is not used by its number", async (root, dir) => {
  const parts = await root.partial(SESSION);
  const part = await parts.create(1);
  const writing = part.write(new Uint8Array(1 << 20).fill(7), 0);
  part.close(); // the write is finished first
  await writing;
  await Deno.writeTextFile(`${dir}/other`, "other");
  const other = openSync(`${dir}/other`, "r+"); // has the number now, or may
  await failsWith("no longer open", () => part.write(new Uint8Array(9), 0));
  await failsWith("no longer open", () => part.read(new Uint8Array(9), 0));
  await failsWith("no longer open", () => part.truncate(0));
  await failsWith("no longer open", () => part.sync());
  await failsWith("no longer open", () => part.size());
  await failsWith(
    "no longer open",
    () => part.setMeta({ mode: 0, mtimeNs: 0n }),
  );
  closeSync(other);
  assertEquals(await Deno.readTextFile(`${dir}/other`), "other");
  const place = `${dir}/.sftpx-partial/${SESSION}/1.part`;
  assertEquals((await Deno.readFile(place)).every((byte) => byte === 7), true);
  parts.close();
  await failsWith("no longer open", () => parts.create(2));
  await failsWith("no longer open", () => parts.list());
  await failsWith("no longer open", () => parts.removeAll());
  await failsWith(
    "no longer open",
    () => root.commit(parts, 1, safePath("x"), { replace: true }),
  );
  root.close();
  await failsWith("no longer open", () => root.lstat(safePath("x")));
  await failsWith("no longer open", () => root.makeDir(safePath("x/y")));
  await failsWith("it is closed", () => root.partial(SESSION));
  await failsWith("it is closed", () => root.removeEmptyPartials());
});
