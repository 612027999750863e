import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { codeOfPhrase } from "../../cmd/qft_pair.ts";
import { partOf } from "../../cmd/qft_sink.ts";
import { SftpxError } from "../../core/errors.ts";
import { freePort } from "../testutil/port.ts";
import { type Cli, startCli } from "../testutil/process.ts";
import { tempDir } from "../testutil/temp.ts";
import { run } from "./harness.ts";

const MIB = 1 << 20;
const PHRASE = "7391-tiger-lemon-cable";

/** A helper, and a place for two peers. */
async function place() {
  const dir = await tempDir();
  for (const side of ["h", "s", "r"]) await Deno.mkdir(dir.join(side));
  const port = freePort();
  const helper = startCli(["helper", String(port), "--json"], {
    cwd: dir.join("h"),
    deadlineMs: 180_000,
  });
  await helper.waitEvent("helper");
  const start = (
    side: "sender" | "receiver",
    more: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Cli =>
    startCli([side, `127.0.0.1:${port}`, PHRASE, ...more], {
      cwd: dir.join(side === "sender" ? "s" : "r"),
      env,
      deadlineMs: 120_000,
    });
  return {
    dir,
    sender: (more: readonly string[], env = {}) => start("sender", more, env),
    receiver: (more: readonly string[]) => start("receiver", more),
    async [Symbol.asyncDispose]() {
      await helper[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

function noise(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  return bytes;
}

/** Waits until a file has so many bytes. */
async function grown(path: string, bytes: number): Promise<void> {
  for (;;) {
    const size = await Deno.stat(path).then(({ size }) => size, () => 0);
    if (size >= bytes) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

Deno.test("qft: either side is killed on the way, and the same command goes on", async () => {
  await using here = await place();
  const { dir } = here;
  const data = noise(12 * MIB);
  await Deno.writeFile(dir.join("s/file"), data);
  const out = dir.join("r/out");
  const give = ["file", "4M"];

  await using first = here.receiver(["out"]);
  await using one = here.sender(give);
  await grown(partOf(out), 2 * MIB);
  one.kill("SIGKILL");
  await one.status;
  await using two = here.sender(give);
  await two.waitStderr(/connected .* going on at byte \d/);
  await grown(partOf(out), 6 * MIB);
  first.kill("SIGKILL");
  await first.status;
  const kept = (await Deno.stat(partOf(out))).size;
  assert(kept < data.length, "it was over before it could be killed");

  await using last = here.receiver(["out"]);
  const [sent, received] = await Promise.all([two.status, last.status]);
  assertEquals([sent.code, received.code], [0, 0], two.stderr + last.stderr);
  assertEquals(await Deno.readFile(out), data);
  const from = Number(/going on at byte (\d+)/.exec(last.stderr)?.[1]);
  assert(from >= kept - MIB, `${from} of ${kept}`);
  const left = (await Array.fromAsync(Deno.readDir(dir.join("r"))))
    .map(({ name }) => name);
  assertEquals(left.includes("out.sftpx-part"), false);
});

Deno.test("qft: a pipe comes out as it goes in, and one that never ends goes on", async () => {
  await using here = await place();
  const { dir } = here;
  await Deno.writeTextFile(dir.join("s/log"), "one\n");
  await using receiver = here.receiver(["-"]);
  await using sender = here.sender(["log"], { SFTPX_STREAM: "1" });
  const shows = async (text: string): Promise<void> => {
    while (receiver.stdout !== text) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  await shows("one\n");
  await Deno.writeTextFile(dir.join("s/log"), "two\n", { append: true });
  await shows("one\ntwo\n");
  sender.kill("SIGINT");
  assertEquals((await sender.status).code, 130);
});

Deno.test("qft: with the same skip on both sides, what is before it stays", async () => {
  await using here = await place();
  const { dir } = here;
  const data = noise(MIB);
  await Deno.writeFile(dir.join("s/file"), data);
  await Deno.writeFile(dir.join("r/out"), data.subarray(0, 400_000));
  await using receiver = here.receiver(["out", "0", "400000"]);
  await using sender = here.sender(["file", "0", "400000"]);
  const [sent, received] = await Promise.all([sender.status, receiver.status]);
  assertEquals([sent.code, received.code], [0, 0], receiver.stderr);
  assertEquals(await Deno.readFile(dir.join("r/out")), data);
});

Deno.test("qft: what cannot be is said at once", async () => {
  await using dir = await tempDir();
  const file = dir.join("file");
  await Deno.writeTextFile(file, "x");
  const cases: readonly (readonly [readonly string[], number, string])[] = [
    [["sender", "h.example", "hello", file], 2, "it is weak"],
    [["sender", "h.example", PHRASE, dir.join("none")], 8, "none"],
    [["sender", "h.example", PHRASE, dir.path], 2, "it is a folder"],
    [["sender", "h.example", PHRASE, file, "fast"], 2, "bitrate"],
    [["sender", "h.example", PHRASE, file, "0", "5"], 2, "fewer than"],
    [["receiver", "h.example", PHRASE, file], 8, "it is there already"],
    [["receiver", "h.example", PHRASE, file, "0", "5"], 2, "fewer than"],
    [["receiver", "h.example", PHRASE, "-", "--json"], 2, "standard output"],
    [["helper", "4277", "--bind", "127.0.0.1:1"], 2, "two places"],
    [["helper", "http"], 2, "a number"],
  ];
  const env = {
    SFTPX_RESUME_DIR: dir.join("state"),
    XDG_CONFIG_HOME: dir.path,
  };
  for (const [args, code, words] of cases) {
    const ran = await run(args, { env });
    assertEquals(ran.code, code, `${args.join(" ")}: ${ran.stderr}`);
    assertStringIncludes(ran.stderr + ran.stdout, words);
  }
});

Deno.test("qft: a phrase has a number of its own, or is long enough to be given one", () => {
  assertEquals(codeOfPhrase("77 Tiger Lemon Cable"), "77-tiger-lemon-cable");
  const made = codeOfPhrase("tiger lemon cable velvet");
  assertEquals(made, codeOfPhrase("Tiger-Lemon-Cable-Velvet"));
  const slot = Number(made.split("-")[0]);
  assert(slot >= 1_000_000 && slot < 1_001_024);
  for (const weak of ["tiger-lemon", "my-cool-phrase-12345"]) {
    try {
      codeOfPhrase(weak);
      assert(false, weak);
    } catch (error) {
      assert(error instanceof SftpxError && error.code === "usage");
    }
  }
});
