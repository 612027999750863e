import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { lchown } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { SftpxError } from "../core/errors.ts";
import { formatToken, parseToken, readSecret, writeSecret } from "./secrets.ts";

const CONFIG = fileURLToPath(new URL("../deno.json", import.meta.url));
const SECRETS = import.meta.resolve("./secrets.ts");
const PROGRAM = `
  const [module, umask] = Deno.args;
  const { writeSecret } = await import(module);
  Deno.umask(Number(umask));
  await writeSecret("key", "hush");
  if (umask !== String(0o277)) await writeSecret("new/key", "hush");
`;
const WINDOWS = Deno.build.os === "windows";

/** Runs `test` in a folder of its own. */
async function inFolder(test: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await test(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function names(dir: string): Promise<string[]> {
  const found = await Array.fromAsync(Deno.readDir(dir), ({ name }) => name);
  return found.sort();
}

async function mode(path: string): Promise<string> {
  return (((await Deno.lstat(path)).mode ?? 0) & 0o7777).toString(8);
}

/** What is said of a secret that is not used. */
async function refused(path: string): Promise<string> {
  const error = await assertRejects(() => readSecret(path, "key"), SftpxError);
  assertEquals(error.code, "config");
  return error.message.replace(path, "PATH");
}

Deno.test("a secret reads back as it was written, in folders that are made for it", () =>
  inFolder(async (dir) => {
    const path = `${dir}/new/folder/key`;
    assertEquals(await writeSecret(path, "hush"), "written");
    assertEquals(await names(`${dir}/new/folder`), ["key"]);
    const read = await readSecret(path, "key");
    assertEquals(read, new TextEncoder().encode("hush"));

    const bytes = Uint8Array.of(0, 255, 10);
    await writeSecret(`${dir}/bytes`, bytes);
    assertEquals(await readSecret(`${dir}/bytes`, "key"), bytes);
  }));

for (const umask of [0, 0o022, 0o277]) {
  Deno.test({
    name: `a secret is for its owner alone under umask 0${umask.toString(8)}`,
    ignore: WINDOWS,
    fn: () =>
      inFolder(async (dir) => {
        // In a process of its own, as it holds for the whole process.
        const { success, stderr } = await new Deno.Command(Deno.execPath(), {
          args: ["eval", "--config", CONFIG, PROGRAM, SECRETS, String(umask)],
          cwd: dir,
        }).output();
        assert(success, new TextDecoder().decode(stderr));
        assertEquals(await mode(`${dir}/key`), "600");
        if (umask !== 0o277) assertEquals(await mode(`${dir}/new`), "700");
      }),
  });
}

Deno.test("what is there is kept, and replaced when that is said", () =>
  inFolder(async (dir) => {
    const path = `${dir}/key`;
    await writeSecret(path, "first");
    assertEquals(await writeSecret(path, "second"), "kept");
    assertEquals(await Deno.readTextFile(path), "first");
    await Deno.chmod(path, 0o644);
    assertEquals(await writeSecret(path, "third", { force: true }), "written");
    assertEquals(await Deno.readTextFile(path), "third");
    assertEquals(await mode(path), "600");
    assertEquals(await names(dir), ["key"]);
  }));

Deno.test("of many who write the same secret at once, one does", () =>
  inFolder(async (dir) => {
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, async (_, at) => ({
        at,
        outcome: await writeSecret(`${dir}/key`, `secret ${at}`),
      })),
    );
    const written = outcomes.filter(({ outcome }) => outcome === "written");
    assertEquals(written.length, 1);
    assertEquals(
      await Deno.readTextFile(`${dir}/key`),
      `secret ${written[0]?.at}`,
    );
    assertEquals(await names(dir), ["key"]);
  }));

Deno.test("a link in the place of a secret is never written through", () =>
  inFolder(async (dir) => {
    await Deno.writeTextFile(`${dir}/target`, "mine");
    await Deno.symlink(`${dir}/target`, `${dir}/key`);
    await Deno.symlink(`${dir}/nothing`, `${dir}/dangling`);
    assertEquals(await writeSecret(`${dir}/key`, "x"), "kept");
    assertEquals(await writeSecret(`${dir}/dangling`, "x"), "kept");
    assertEquals(
      await writeSecret(`${dir}/key`, "hush", { force: true }),
      "written",
    );
    assertEquals(await Deno.readTextFile(`${dir}/target`), "mine");
    assert(!(await Deno.lstat(`${dir}/key`)).isSymlink);
    assertEquals(await names(dir), ["dangling", "key", "target"]);
  }));

Deno.test("a secret that cannot be written leaves nothing behind", () =>
  inFolder(async (dir) => {
    await Deno.mkdir(`${dir}/key/child`, { recursive: true });
    const error = await assertRejects(
      () => writeSecret(`${dir}/key`, "hush", { force: true }),
      SftpxError,
      `Cannot write "${dir}/key": `,
    );
    assertEquals(error.code, "local-io");
    assertEquals(await names(dir), ["key"]);

    await Deno.writeTextFile(`${dir}/file`, "");
    await assertRejects(
      () => writeSecret(`${dir}/file/key`, "hush"),
      SftpxError,
      "Cannot write",
    );
  }));

Deno.test({
  name: "a secret that others may read, write or run is not used",
  ignore: WINDOWS,
  fn: () =>
    inFolder(async (dir) => {
      const path = `${dir}/key`;
      await writeSecret(path, "hush");
      for (const loose of [0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o601]) {
        await Deno.chmod(path, loose);
        assertEquals(
          await refused(path),
          `Cannot use key "PATH": its mode is 0${
            loose.toString(8)
          }, looser than 0600`,
        );
      }
      for (const tight of [0o600, 0o400, 0o700]) {
        await Deno.chmod(path, tight);
        assertEquals((await readSecret(path, "key")).length, 4);
      }
    }),
});

Deno.test({
  name:
    "a link to a secret is followed when it is ours, not when it is another's",
  ignore: WINDOWS,
  fn: () =>
    inFolder(async (dir) => {
      await writeSecret(`${dir}/real`, "hush");
      await Deno.symlink("real", `${dir}/key`);
      assertEquals((await readSecret(`${dir}/key`, "key")).length, 4);
      await Deno.chmod(`${dir}/real`, 0o644);
      assertEquals(
        await refused(`${dir}/key`),
        'Cannot use key "PATH": its mode is 0644, looser than 0600',
      );
      await Deno.chmod(`${dir}/real`, 0o600);
      if (Deno.uid() !== 0) return; // only root can give a link away
      await lchown(`${dir}/key`, 65_534, 65_534);
      assertEquals(
        await refused(`${dir}/key`),
        'Cannot use key "PATH": it is a symbolic link that belongs to another user',
      );
    }),
});

Deno.test("what is no secret file is named in plain words", () =>
  inFolder(async (dir) => {
    assertEquals(
      await refused(`${dir}/none`),
      'Cannot read key "PATH": it is not there',
    );
    await Deno.mkdir(`${dir}/folder`);
    assert(
      /^Cannot (use|read) key "PATH": /.test(await refused(`${dir}/folder`)),
    );
    await writeSecret(`${dir}/empty`, "");
    assertEquals(
      await refused(`${dir}/empty`),
      'Cannot use key "PATH": it is empty',
    );
    await writeSecret(`${dir}/large`, new Uint8Array(65_537));
    assertEquals(
      await refused(`${dir}/large`),
      'Cannot use key "PATH": it is larger than 64 KiB',
    );
    await writeSecret(`${dir}/largest`, new Uint8Array(65_536));
    assertEquals((await readSecret(`${dir}/largest`, "key")).length, 65_536);
    const error = await assertRejects(() =>
      readSecret(`${dir}/\x1b[2J`, "key")
    );
    assert(error instanceof SftpxError && !error.message.includes("\x1b"));
  }));

Deno.test({
  name: "a pipe in the place of a secret is refused, not waited for",
  ignore: WINDOWS,
  fn: () =>
    inFolder(async (dir) => {
      const { success } = await new Deno.Command("mkfifo", {
        args: ["-m", "600", `${dir}/pipe`],
      }).output();
      assert(success);
      assertEquals(
        await refused(`${dir}/pipe`),
        'Cannot use key "PATH": it is not a file',
      );
    }),
});

Deno.test("a token is a line of 43 characters, and reads back", () => {
  const token = Uint8Array.from({ length: 32 }, (_, at) => at * 7);
  const line = formatToken(token);
  assertEquals(line, "AAcOFRwjKjE4P0ZNVFtiaXB3foWMk5qhqK-2vcTL0tk\n");
  assertEquals(parseToken(line), token);
  assertEquals(parseToken(` ${line}\r\n`), token);
  assertEquals(parseToken(new TextEncoder().encode(line)), token);
});

Deno.test("parseToken() refuses all else without repeating it", () => {
  const line = "AAcOFRwjKjE4P0ZNVFtiaXB3foWMk5qhqK-2vcTL0tk";
  for (
    const text of [
      "",
      line.slice(1),
      `${line}A`,
      `${line}=`,
      `${line}\n${line}`,
      line.replace("-", "+"),
      `${line.slice(0, -1)}l`, // not its own spelling
      "secret",
    ]
  ) {
    const error = assertThrows(
      () => parseToken(text, 'token "certs/token"'),
      SftpxError,
    );
    assertEquals(error.code, "config");
    assertEquals(
      error.message,
      'Cannot read token "certs/token": it must be one line of 43 characters of base64url',
    );
  }
});

Deno.test("formatToken() refuses what is no token", () => {
  assertThrows(() => formatToken(new Uint8Array(31)), RangeError, "31");
});
