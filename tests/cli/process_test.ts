import { assert, assertEquals, assertLess } from "@std/assert";
import { VERSION } from "../../cmd/version.ts";
import { type CliOptions, startCli } from "../testutil/process.ts";
import { tempDir } from "../testutil/temp.ts";

const WAITING = new URL("./waiting_sftpx.ts", import.meta.url).pathname;

async function ended(
  args: string[],
  options: CliOptions,
): Promise<{ code: number; stdout: string; stderr: string }> {
  await using cli = startCli(args, options);
  const { code } = await cli.status;
  return { code, stdout: cli.stdout, stderr: cli.stderr };
}

Deno.test("process: --version loads next to nothing", async () => {
  await using dir = await tempDir();
  const ran = await ended(["--version"], { cwd: dir.path });
  assertEquals(ran, { code: 0, stdout: `${VERSION}\n`, stderr: "" });
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "info",
      "--json",
      new URL("../../cmd/start.ts", import.meta.url).href, // all of it
    ],
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout));
  const loaded = staticImports(modules, "cmd/start.ts");
  assertLess(loaded.size, 16, [...loaded].join("\n"));
});

interface Module {
  readonly specifier: string;
  readonly dependencies?: readonly {
    readonly isDynamic?: boolean;
    readonly code?: { readonly specifier?: string };
  }[];
}

/** What is loaded before the first line runs. */
function staticImports(modules: readonly Module[], entry: string): Set<string> {
  const start = modules.find(({ specifier }) => specifier.endsWith(entry));
  const found = new Set<string>();
  const waiting = start === undefined ? [] : [start];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    found.add(next.specifier);
    for (const { isDynamic, code } of next.dependencies ?? []) {
      const module = modules.find(({ specifier }) =>
        specifier === code?.specifier
      );
      if (!isDynamic && module && !found.has(module.specifier)) {
        waiting.push(module);
      }
    }
  }
  return found;
}

Deno.test("process: errors go to standard error, and to the exit code", async () => {
  await using dir = await tempDir();
  const ran = await ended(["send", "nothing/here"], { cwd: dir.path });
  assertEquals(ran, {
    code: 8,
    stdout: "",
    stderr: 'sftpx: cannot send "nothing/here": it is not there\n',
  });
});

Deno.test("process: init makes an identity in the working directory", async () => {
  await using dir = await tempDir();
  const { code, stdout } = await ended(["init"], { cwd: dir.path });
  assertEquals(code, 0);
  assertEquals(stdout.split("\n").length, 2);
  assert(stdout.startsWith("sftpx://"));
  for (const name of ["cert.pem", "key.pem", "token"]) {
    assert((await Deno.stat(dir.join("certs", name))).isFile);
  }
});

Deno.test("process: Ctrl-C stops in order and says how to go on", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(dir.join("file"), "");
  await ended(["init"], { cwd: dir.path });
  const options = { cwd: dir.path, entry: WAITING };
  await using cli = startCli(["send", "file", "-v"], options);
  await cli.waitStderr(/connecting/);
  cli.kill("SIGINT");
  const { code } = await cli.status;
  assertEquals(code, 130);
  const [, ...rest] = cli.stderr.split("\n");
  assertEquals(rest, [
    "warning: stopping",
    "sftpx: cannot go on: interrupted",
    "hint: give the same command again to go on",
    "",
  ]);
});

Deno.test("process: a second Ctrl-C ends it at once", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(dir.join("file"), "");
  await ended(["init"], { cwd: dir.path });
  const env = { SFTPX_TEST_STUBBORN: "1" };
  const options = { cwd: dir.path, entry: WAITING, env };
  await using cli = startCli(["send", "file", "-v"], options);
  await cli.waitStderr(/connecting/);
  cli.kill("SIGINT");
  await cli.waitStderr(/stopping/);
  cli.kill("SIGINT");
  assertEquals((await cli.status).code, 130);
});

Deno.test("process: recv that is told to stop ends with 0", async () => {
  await using dir = await tempDir();
  const options = { cwd: dir.path, entry: WAITING };
  await using cli = startCli(["recv"], options);
  await cli.waitStderr(/a sender needs/);
  cli.kill("SIGTERM");
  assertEquals((await cli.status).code, 0);
});

Deno.test("process: secrets are not in its arguments when they come otherwise", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(dir.join("file"), "");
  const { stdout } = await ended(["init"], { cwd: dir.path });
  const options = {
    cwd: dir.path,
    entry: WAITING,
    env: { SFTPX_TO: stdout.trim() },
  };
  await using cli = startCli(["send", "file", "-v"], options);
  await cli.waitStderr(/connecting/);
  const line = await Deno.readTextFile(`/proc/${cli.pid}/cmdline`);
  assertEquals(line.includes(stdout.trim().split("#")[1] ?? "?"), false);
  cli.kill("SIGINT");
  await cli.status;
});

Deno.test("process: a reader that goes away does not stop it", async () => {
  await using dir = await tempDir();
  const child = new Deno.Command("sh", {
    args: [
      "-c",
      '"$0" run -A --quiet --config "$1" "$2" help send | head -n 1',
      Deno.execPath(),
      new URL("../../deno.json", import.meta.url).pathname,
      new URL("../../cmd/sftpx.ts", import.meta.url).pathname,
    ],
    cwd: dir.path,
    stderr: "piped",
  });
  const { stderr } = await child.output();
  assertEquals(new TextDecoder().decode(stderr), "");
});

Deno.test("process: an error that nobody waits for is told, and is the end", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(dir.join("file"), "");
  await ended(["init"], { cwd: dir.path });
  const env = { SFTPX_TEST_BUG: "1" };
  const options = { cwd: dir.path, entry: WAITING, env };
  const { code, stdout } = await ended(["send", "file", "--json"], options);
  assertEquals(code, 1);
  const [error, exit] = stdout.trim().split("\n").slice(-2);
  const { type, message } = JSON.parse(error ?? "");
  assertEquals(type, "error");
  assertEquals(message, "Cannot go on: internal error: nobody waits for this");
  assertEquals(exit, '{"type":"exit","code":1}');
});
