import { assertEquals, assertStringIncludes } from "@std/assert";
import type { SendOptions } from "../../actors/options.ts";
import { type TempDir, tempDir } from "../testutil/temp.ts";
import { formatTicket } from "../../protocol/ticket.ts";
import { fakeLibrary, FINGERPRINT, golden, run } from "./harness.ts";

const TICKET = formatTicket({
  hostname: "10.0.0.1",
  port: 5000,
  fingerprint: FINGERPRINT,
});

interface Place extends TempDir {
  readonly file: string;
  configure(text: string): Promise<void>;
  /** Sends the file and says how the library was told to. */
  sent(args?: string[], env?: Record<string, string>): Promise<SendOptions>;
}

async function place(): Promise<Place> {
  const dir = await tempDir();
  const file = dir.join("file");
  await Deno.writeTextFile(file, "");
  await Deno.mkdir(dir.join("xdg", "sftpx"), { recursive: true });
  return Object.assign(dir, {
    file,
    configure: (text: string) =>
      Deno.writeTextFile(dir.join("xdg", "sftpx", "config.yaml"), text),
    async sent(args: string[] = [], env: Record<string, string> = {}) {
      const library = fakeLibrary();
      const ran = await run(["send", file, TICKET, ...args], {
        env: { XDG_CONFIG_HOME: dir.join("xdg"), ...env },
        library,
      });
      const [options] = library.sent;
      if (options === undefined) {
        throw new Error(`nothing was sent: ${ran.stdout}${ran.stderr}`);
      }
      return options;
    },
  });
}

Deno.test("config: flags win over the environment, which wins over the file", async () => {
  await using dir = await place();
  await dir.configure("limit-rate: 1K\nstreams: 2\nfresh: true\n");
  assertEquals((await dir.sent()).limitRate, 1024);
  const env = { SFTPX_LIMIT_RATE: "2K" };
  assertEquals((await dir.sent([], env)).limitRate, 2048);
  assertEquals((await dir.sent(["--limit-rate", "3K"], env)).limitRate, 3072);
  const { lanes, fresh } = await dir.sent([], env);
  assertEquals([lanes, fresh], [2, true]);
  assertEquals((await dir.sent(["--no-fresh"])).fresh, false);
  assertEquals((await dir.sent([], { SFTPX_FRESH: "off" })).fresh, false);
  assertEquals((await dir.sent([], { SFTPX_FRESH: "" })).fresh, true);
});

Deno.test("config: lists are lists in the file, and lines in the environment", async () => {
  await using dir = await place();
  await dir.configure(`exclude: ["*.o", 'a b']\n`);
  assertEquals((await dir.sent()).exclude, ["*.o", "a b"]);
  const env = { SFTPX_EXCLUDE: "x\ny\n" };
  assertEquals((await dir.sent([], env)).exclude, ["x", "y"]);
  await dir.configure("exclude: '*.tmp'\n");
  assertEquals((await dir.sent()).exclude, ["*.tmp"]);
});

Deno.test("config: keys of all commands may stand in one file", async () => {
  await using dir = await place();
  await dir.configure("# mine\nupload-dir: in\njson: no\ngive-up-after: 1h\n");
  assertEquals((await dir.sent()).giveUpAfterMs, 3_600_000);
  await dir.configure("");
  assertEquals((await dir.sent()).giveUpAfterMs, undefined);
});

Deno.test("config: the file makes --json, and errors follow it", async () => {
  await using dir = await place();
  await dir.configure("json: true\n");
  const env = { XDG_CONFIG_HOME: dir.join("xdg") };
  const ran = await run(["send", dir.file, TICKET], { env });
  assertEquals(ran.stdout, '{"type":"exit","code":0}\n');
  const text = await run(["send", dir.file, TICKET, "--no-json"], { env });
  assertEquals(text.stdout, "");
});

Deno.test("config: what is wrong is told with its line, and the exit code is 3", async () => {
  await using dir = await place();
  const files = [
    "limit-rate: 1M\nuplod-dir: x\n",
    "nonsense: 1\n",
    "token: abc\n",
    "\n\nlimit-rate: fast\n",
    "streams: 99\n",
    "json: maybe\n",
    "limit-rate: [1, 2]\n",
    "limit-rate: {a: 1}\n",
    "limit-rate:\n",
    "limit-rate: 1\nstreams: 2\nlimit-rate: 3\n",
    "- a\n- b\n",
    "just text\n",
    "json: true\n  bad: indent\n",
    "? [a, b]\n: c\n",
    "x: *nothing\n",
    "\x1b[2J: 1\n",
  ];
  let text = "";
  for (const file of files) {
    await dir.configure(file);
    const env = { XDG_CONFIG_HOME: dir.join("xdg") };
    const ran = await run(["send", dir.file, TICKET], { env });
    assertEquals(ran.code, 3, `${JSON.stringify(file)}: ${ran.stderr}`);
    text += `${JSON.stringify(file)}\n${ran.stderr}\n`;
  }
  await golden("config_errors.txt", text, { [dir.path]: "DIR" });
});

Deno.test("config: a bad variable is told by its name", async () => {
  await using dir = await place();
  const env = { XDG_CONFIG_HOME: "/nonexistent", SFTPX_STREAMS: "many" };
  const ran = await run(["send", dir.file, TICKET], { env });
  assertEquals(ran.code, 3);
  assertStringIncludes(ran.stderr, "cannot read SFTPX_STREAMS: streams:");
});

Deno.test("config: a file that cannot be read is an error, not an empty one", async () => {
  await using dir = await place();
  await Deno.mkdir(dir.join("xdg", "sftpx", "config.yaml"));
  const env = { XDG_CONFIG_HOME: dir.join("xdg") };
  assertEquals((await run(["send", dir.file, TICKET], { env })).code, 3);
});

Deno.test("config: without XDG_CONFIG_HOME it is in ~/.config", async () => {
  await using dir = await place();
  await Deno.mkdir(dir.join(".config", "sftpx"), { recursive: true });
  const file = dir.join(".config", "sftpx", "config.yaml");
  await Deno.writeTextFile(file, "nonsense: 1\n");
  const env = { HOME: dir.path };
  const ran = await run(["send", dir.file, TICKET], { env });
  assertStringIncludes(ran.stderr, `"${file}", line 1: unknown key`);
});

Deno.test("config: a ticket in a file that others may read is refused", async () => {
  await using dir = await place();
  await dir.configure(`to: ${TICKET}\n`);
  const file = dir.join("xdg", "sftpx", "config.yaml");
  const env = { XDG_CONFIG_HOME: dir.join("xdg") };
  await Deno.chmod(file, 0o644);
  const loose = await run(["send", dir.file], { env });
  assertEquals(loose.code, 3);
  assertStringIncludes(loose.stderr, "its mode is 0644");
  await Deno.chmod(file, 0o600);
  assertEquals((await run(["send", dir.file], { env })).code, 0);
});

Deno.test("config: to: is where to send when the command line says nothing else", async () => {
  await using dir = await place();
  const known = { XDG_CONFIG_HOME: dir.join("xdg"), SFTPX_TO: TICKET };
  const other = TICKET.replace("10.0.0.1:5000", "10.0.0.9:6000");
  const certs = ["--certs", dir.join("certs")];
  await run(["init", ...certs]);
  const where = async (args: string[]): Promise<string | undefined> => {
    const library = fakeLibrary();
    const line = ["send", ...certs, dir.file, ...args];
    await run(line, { env: known, library });
    return library.sent[0]?.to.address;
  };
  assertEquals(await where([]), "10.0.0.1:5000");
  assertEquals(await where([other]), "10.0.0.9:6000");
  assertEquals(await where(["10.0.0.9:6000"]), "10.0.0.9:6000");
  assertEquals(await where(["--to", other]), "10.0.0.9:6000");
  assertEquals(await where(["--to", TICKET, other]), undefined);
});
