import { assertEquals, assertStringIncludes } from "@std/assert";
import { ERRORS } from "../../core/errors.ts";
import { VERSION } from "../../cmd/version.ts";
import { tempDir } from "../testutil/temp.ts";
import { golden, type Ran, run, transcript } from "./harness.ts";

const NOWHERE = { XDG_CONFIG_HOME: "/nonexistent" };

for (const command of ["", "init", "recv", "send", "doctor", "helper"]) {
  Deno.test(`help: ${command || "all commands"}, as documented`, async () => {
    const args = command === "" ? ["help"] : [command, "--help"];
    const ran = await run(args);
    assertEquals(ran.code, 0);
    await golden(`help_${command || "all"}.txt`, ran.stdout);
    assertEquals(await run(["help", ...command ? [command] : []]), ran);
  });
}

Deno.test("help: no line is wider than the terminal", async () => {
  for (const command of ["init", "recv", "send", "doctor", "helper"]) {
    for (const line of (await run([command, "--help"])).stdout.split("\n")) {
      assertEquals(line.trimEnd().length <= 80, true, line);
    }
  }
});

Deno.test("--version says the version of deno.json", async () => {
  const url = new URL("../../deno.json", import.meta.url);
  const { version } = JSON.parse(await Deno.readTextFile(url));
  assertEquals(VERSION, version);
  assertEquals((await run(["--version"])).stdout, `${version}\n`);
  assertEquals((await run(["-V"])).stdout, `${version}\n`);
});

for (const shell of ["bash", "zsh", "fish", "pwsh", "nu"]) {
  Deno.test(`completions: there is a script for ${shell}`, async () => {
    const { code, stdout } = await run(["completions", shell]);
    assertEquals(code, 0);
    assertStringIncludes(stdout, "sftpx");
  });
}

Deno.test("completions: flags of a command are offered", async () => {
  const { stdout } = await run(["completions", "bash", "send", "--li"]);
  assertStringIncludes(stdout, "--limit-rate");
});

Deno.test("usage errors: each says what is wrong, and what to do", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(dir.join("file"), "");
  const file = dir.join("file");
  const ticket = `sftpx://10.0.0.1:4443/#${"A".repeat(50)}`;
  const lines: readonly (readonly string[])[] = [
    [],
    ["snd"],
    ["send"],
    ["send", "--lmit-rate", "3", file],
    ["send", "--limit-rate", "10X", file],
    ["send", "--limit-rate", "1.5", file],
    ["send", "--limit-rate", "0", file],
    ["send", "--limit-rate"],
    ["send", "--give-up-after", "10", file],
    ["send", "--chunk-size", "100K", file],
    ["send", "--chunk-size", "32M", file],
    ["send", "--streams", "65", file],
    ["send", "--streams", "0", file],
    ["send", "--fresh", "--fresh", file],
    ["send", "--follow=yes", file],
    ["send", "--follow", "--no-follow", file],
    ["send", dir.join("missing")],
    ["send", "missing.example"],
    ["send", file, "two.example", "three.example"],
    ["send", ticket],
    ["send", ticket, file],
    ["send", file, ticket],
    ["send", file, "--to", "a.example", ticket],
    ["send", file, "--to", "a b"],
    ["send", file, "--to", "a.example:99999"],
    ["send", file, "unknown.example"],
    ["send", file, "--cert", dir.join("missing.pem"), "--to", "a.example"],
    ["send", "-", file],
    ["send", file, "--name", "x"],
    ["send", "", "--to", "a.example"],
    ["recv", "extra"],
    ["recv", "--on-conflict", "ask"],
    ["recv", "--max-size", "-1"],
    ["recv", "--max-files", "many"],
    ["recv", "--token-file", dir.join("missing"), "--certs", dir.join("certs")],
    ["init", "--days", "0"],
    ["init", "--ip", "localhost", "--certs", dir.join("certs")],
  ];
  let text = "";
  for (const args of lines) {
    const [command = "", ...rest] = args;
    const more = command === "send" ? ["--certs", dir.join("none")] : [];
    const line = args.length === 0 ? [] : [command, ...more, ...rest];
    const ran = await run(line, { env: NOWHERE });
    assertEquals(ran.stdout, "");
    assertEquals([2, 3, 5, 8].includes(ran.code), true, transcript(args, ran));
    text += `${transcript(args, ran)}\n`;
  }
  await golden("errors.txt", text, { [dir.path]: "DIR" });
});

Deno.test("usage errors: a name that is a ticket and a path as well is neither", async () => {
  await using dir = await tempDir();
  // Only a relative path can look like a ticket, so that the program runs there.
  await Deno.mkdir(dir.join("sftpx:", "x"), { recursive: true });
  const { success, code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      "--config",
      new URL("../../deno.json", import.meta.url).pathname,
      new URL("../../cmd/sftpx.ts", import.meta.url).pathname,
      "send",
      "sftpx:/x",
    ],
    cwd: dir.path,
  }).output();
  assertEquals({ success, code }, { success: false, code: 2 });
  await golden("ticket_and_path.txt", new TextDecoder().decode(stderr));
});

Deno.test("errors of --json are events too, and the last line is the exit", async () => {
  const last = ({ stdout }: Ran): unknown =>
    JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
  for (const args of [["send", "--json"], ["recv", "--json", "--bogus"]]) {
    const ran = await run(args, { env: NOWHERE });
    assertEquals(ran.stderr, "");
    assertEquals(last(ran), { type: "exit", code: ERRORS.usage.exit });
    assertEquals(JSON.parse(ran.stdout.split("\n")[0] ?? "").type, "error");
  }
  const byVariable = await run(["send"], { env: { SFTPX_JSON: "1" } });
  assertEquals(last(byVariable), { type: "exit", code: 2 });
});
