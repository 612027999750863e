import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import type { TransferEvent } from "../../core/events.ts";
import { toHex } from "../../core/bytes.ts";
import { secret } from "../../core/secret.ts";
import { formatTicket } from "../../protocol/ticket.ts";
import { formatToken } from "../../store/secrets.ts";
import { type TempDir, tempDir } from "../testutil/temp.ts";
import {
  fakeLibrary,
  FINGERPRINT,
  golden,
  run,
  type RunOptions,
  transcript,
} from "./harness.ts";

const TOKEN = new Uint8Array(32).fill(9);
const TICKET = formatTicket({
  hostname: "10.0.0.1",
  port: 5000,
  fingerprint: FINGERPRINT,
  token: TOKEN,
});
const SESSION = "5e55";
const EVENTS: readonly TransferEvent[] = [
  { type: "connecting", address: "10.0.0.1:5000", attempt: 1 },
  {
    type: "connected",
    session: SESSION,
    remote: "10.0.0.1:5000",
    path: "direct",
    carrier: "quic",
    resumed: true,
  },
  progress(1_000_000, 0, true),
  {
    type: "reconnecting",
    session: SESSION,
    code: "connection-lost",
    reason: "timed out",
  },
  progress(1_500_000, 500_000, true),
  {
    type: "entry",
    session: SESSION,
    path: "src/\x1b[2Jevil\u202e.txt",
    kind: "file",
    outcome: "received",
    bytes: 10,
    finalPath: "src/evil (1).txt",
  },
  { type: "warning", message: "the clock went backwards" },
  {
    type: "moved",
    session: SESSION,
    side: "peer",
    from: "10.0.0.1:5000",
    to: "10.0.0.2:5000",
  },
  {
    type: "entry",
    session: SESSION,
    path: "src/pipe",
    kind: "file",
    outcome: "gone",
    bytes: 0,
    reason: "it is a pipe",
  },
  progress(3_000_000, 1_000_000, true),
  {
    type: "done",
    session: SESSION,
    totals: {
      entries: 3,
      bytes: 3_000_000,
      sent: 2_000_000,
      reused: 1_000_000,
      skipped: 1,
      failed: 0,
    },
    root: "ab".repeat(32),
    ms: 2000,
  },
];

function progress(
  bytes: number,
  rate: number,
  counted: boolean,
): TransferEvent {
  return {
    type: "progress",
    session: SESSION,
    bytes,
    total: 3_000_000,
    counted,
    entries: 3,
    sent: 0,
    rate,
    limiter: "link",
  };
}

/** A file to send, and a place for configuration. */
async function place(): Promise<TempDir & { file: string; env: Env }> {
  const dir = await tempDir();
  const file = dir.join("file");
  await Deno.writeTextFile(file, "content");
  return Object.assign(dir, {
    file,
    env: { XDG_CONFIG_HOME: dir.join("xdg") },
  });
}

type Env = NonNullable<RunOptions["env"]>;

Deno.test("send: all that it can be told reaches the library", async () => {
  await using dir = await place();
  const library = fakeLibrary();
  const flags = "--follow --exclude *.o --exclude=*.tmp --ignore-file .ig " +
    "--limit-rate 10M --streams 4 --chunk-size 64K --give-up-after 90s " +
    "--fresh --checksum --b3sum --resume-dir state";
  const { code } = await run(
    ["send", dir.file, ...flags.split(" "), "--to", TICKET],
    { env: dir.env, library },
  );
  assertEquals(code, 0);
  const [{ onEvent, signal, to, ...options } = assertSent()] = library.sent;
  assert(onEvent !== undefined && signal !== undefined);
  assertEquals(to.address, "10.0.0.1:5000");
  assertEquals(to.fingerprint, FINGERPRINT);
  assertEquals(to.token?.reveal(), TOKEN);
  assertEquals<unknown>(options, {
    paths: [dir.file],
    follow: true,
    exclude: ["*.o", "*.tmp"],
    ignoreFile: ".ig",
    limitRate: 10 * 1024 ** 2,
    lanes: 4,
    chunkSize: 65_536,
    giveUpAfterMs: 90_000,
    fresh: true,
    checksum: true,
    b3sum: true,
    resumeDir: "state",
  });
});

function assertSent(): never {
  throw new Error("nothing was sent");
}

Deno.test("send: the last argument may be a ticket or an address", async () => {
  await using dir = await place();
  await run(["init", "--certs", dir.join("certs")], { env: dir.env });
  const certs = ["--certs", dir.join("certs")];
  const addressOf = async (...args: string[]): Promise<unknown> => {
    const library = fakeLibrary();
    const ran = await run(["send", ...args], { env: dir.env, library });
    assertEquals(ran.code, 0, ran.stderr);
    return [library.sent[0]?.to.address, library.sent[0]?.paths.length];
  };
  assertEquals(await addressOf(dir.file, TICKET), ["10.0.0.1:5000", 1]);
  const local = ["127.0.0.1:4443", 1];
  assertEquals(await addressOf(dir.file, ...certs), local);
  assertEquals(await addressOf(...certs, dir.file, "[::1]"), ["[::1]:4443", 1]);
  assertEquals(await addressOf(...certs, dir.file, "a.b:9"), ["a.b:9", 1]);
  assertEquals(await addressOf(...certs, "-"), local);
});

Deno.test("send: a ticket that worked is remembered, for its owner alone", async () => {
  await using dir = await place();
  const ticket = ["send", dir.file, "--certs", dir.join("no"), TICKET];
  const again = ["send", dir.file, "--certs", dir.join("no"), "10.0.0.1:5000"];
  const failed = fakeLibrary({
    error: new SftpxError("unreachable", "Cannot"),
  });
  assertEquals((await run(ticket, { env: dir.env, library: failed })).code, 4);
  assertEquals((await run(again, { env: dir.env })).code, 5);

  const events = EVENTS.slice(0, 2);
  await run(ticket, { env: dir.env, library: fakeLibrary({ events }) });
  const library = fakeLibrary();
  assertEquals((await run(again, { env: dir.env, library })).code, 0);
  assertEquals(library.sent[0]?.to.fingerprint, FINGERPRINT);
  assertEquals(library.sent[0]?.to.token?.reveal(), TOKEN);

  const open = formatTicket({
    hostname: "10.0.0.1",
    port: 5000,
    fingerprint: TOKEN,
  });
  const newer = [...ticket.slice(0, -1), open];
  await run(newer, { env: dir.env, library: fakeLibrary({ events }) });
  const replaced = fakeLibrary();
  await run(again, { env: dir.env, library: replaced });
  assertEquals(replaced.sent[0]?.to, {
    address: "10.0.0.1:5000",
    fingerprint: TOKEN,
  });

  const file = dir.join("xdg", "sftpx", "known_peers.yaml");
  assertEquals((await Deno.stat(file)).mode ?? 0 & 0o777, 0o100600);
  await Deno.chmod(file, 0o644);
  assertEquals((await run(again, { env: dir.env })).code, 3);
  await Deno.chmod(file, 0o600);
  for (
    const [text, reason] of [
      ["a.b:1: {fingerprint: 00}", 'what it says of "a.b:1" is wrong'],
      ["# mine\na: [", "line 2: it is not YAML"],
      ["- a", "it is no list of receivers"],
      ["secret", "it is no list of receivers"],
    ] as const
  ) {
    await Deno.writeTextFile(file, text);
    const ran = await run(again, { env: dir.env });
    assertEquals(ran.code, 3);
    assertStringIncludes(ran.stderr, reason);
    assert(!ran.stderr.includes("secret"), ran.stderr);
  }
});

Deno.test("send: a certificate and a token in a file, the environment or a prompt", async () => {
  await using dir = await place();
  await run(["init", "--certs", dir.join("certs")], { env: dir.env });
  await Deno.writeTextFile(dir.join("token"), formatToken(TOKEN), {
    mode: 0o600,
  });
  const base = ["send", dir.file, "x.y", "--cert", dir.join("certs/cert.pem")];
  const token = async (args: string[], more: RunOptions): Promise<unknown> => {
    const library = fakeLibrary();
    const ran = await run([...base, ...args], {
      ...more,
      env: { ...dir.env, ...more.env },
      library,
    });
    assertEquals(ran.code, 0, ran.stderr);
    const found = library.sent[0]?.to.token?.reveal();
    return found && toHex(found);
  };
  const expected = toHex(TOKEN);
  const text = formatToken(TOKEN).trim();
  assertEquals(await token(["--token-file", dir.join("token")], {}), expected);
  assertEquals(await token([], { env: { SFTPX_TOKEN: text } }), expected);
  assertEquals(await token([], { terminal: true, answer: text }), expected);
  assertEquals(await token([], {}), undefined);
  const none = await run(base, { env: dir.env, terminal: true });
  assertEquals(none.code, 130); // the prompt was broken off
  assertEquals(await token([], { terminal: true, answer: "" }), undefined);
  await Deno.chmod(dir.join("token"), 0o640);
  const loose = [...base, "--token-file", dir.join("token")];
  const ran = await run(loose, { env: dir.env });
  assertEquals(ran.code, 3);
  assertStringIncludes(ran.stderr, "hint: chmod 600");
});

Deno.test("send: standard input has a name", async () => {
  await using dir = await place();
  const library = fakeLibrary();
  const options = { env: dir.env, library, stdin: "piped" };
  await run(["send", "-", "--name", "dump.sql", TICKET], options);
  const [source] = library.sent[0]?.paths ?? [];
  assert(typeof source === "object");
  assertEquals(source.name, "dump.sql");
  assertEquals(await new Response(source.stream).text(), "piped");
  for (const name of ["", ".", "..", "a/b"]) {
    const ran = await run(["send", "-", "--name", name, TICKET], options);
    assertEquals(ran.code, 2, name);
  }
  assertEquals(library.sent.length, 1);
});

for (
  const [name, flags] of [
    ["text", []],
    ["verbose", ["-v"]],
    ["quiet", ["-q"]],
    ["json", ["--json"]],
    ["log_json", ["--log-format", "json"]],
  ] as const
) {
  Deno.test(`send: what is said, ${name}`, async () => {
    await using dir = await place();
    const args = ["send", dir.file, ...flags, TICKET];
    const library = fakeLibrary({ events: EVENTS });
    const ran = await run(args, { env: dir.env, library, tickMs: 3000 });
    const hide = { [dir.path]: "DIR" };
    await golden(`send_${name}.txt`, transcript(args, ran), hide);
  });
}

Deno.test("send: on a terminal there is one line that changes", async () => {
  await using dir = await place();
  const args = ["send", dir.file, TICKET];
  const library = fakeLibrary({ events: EVENTS });
  const ran = await run(args, { env: dir.env, library, terminal: true });
  const hide = { [dir.path]: "DIR", "\r": "<CR>", "\x1b[K": "<EL>" };
  await golden("send_terminal.txt", transcript(args, ran), hide);
});

Deno.test("send: nothing that a peer says moves the cursor", async () => {
  await using dir = await place();
  const nasty = "\x1b]52;c;AAAA\x07\r\u009b2J\u202e\u2028";
  const events: readonly TransferEvent[] = [
    progress(1, 1, true),
    { type: "paused", session: SESSION, code: "peer-busy", reason: nasty },
    {
      type: "connected",
      session: SESSION,
      remote: nasty,
      path: "direct",
      carrier: "quic",
      resumed: false,
    },
    { type: "warning", message: nasty },
    {
      type: "entry",
      session: SESSION,
      path: nasty,
      kind: "file",
      outcome: "refused",
      bytes: 0,
      reason: nasty,
    },
  ];
  const error = new SftpxError("protocol", `Cannot go on: ${nasty}`);
  for (const flags of [[], ["-v"], ["--json"], ["--log-format", "json"]]) {
    const library = fakeLibrary({ events, error });
    const args = ["send", dir.file, ...flags, TICKET];
    const ran = await run(args, { env: dir.env, library });
    assertEquals(ran.code, 6);
    const said = (ran.stdout + ran.stderr).replaceAll("\n", "");
    assertEquals(/[\p{Cc}\p{Bidi_Control}\p{Zl}]/u.test(said), false, said);
  }
});

Deno.test("send: each way to fail has its exit code", async () => {
  await using dir = await place();
  const code = async (error: unknown): Promise<number> => {
    const library = fakeLibrary({ error });
    return (await run(["send", dir.file, TICKET], { env: dir.env, library }))
      .code;
  };
  assertEquals(await code(new SftpxError("unreachable", "Cannot x: y")), 4);
  assertEquals(await code(new SftpxError("connection-lost", "Cannot x: y")), 4);
  assertEquals(await code(new SftpxError("unauthorized", "Cannot x: y")), 5);
  assertEquals(await code(new SftpxError("protocol", "Cannot x: y")), 6);
  assertEquals(await code(new SftpxError("integrity", "Cannot x: y")), 7);
  assertEquals(await code(new SftpxError("local-io", "Cannot x: y")), 8);
  assertEquals(await code(new SftpxError("cancelled", "Cannot x: y")), 130);
  assertEquals(await code(new TypeError("x is not a function")), 1);
});

Deno.test("send: what could not be sent makes the exit code 8", async () => {
  await using dir = await place();
  const result = { failures: [{ path: "src/pipe", reason: "it is a pipe" }] };
  const library = fakeLibrary({ result });
  const ran = await run(["send", dir.file, TICKET], { env: dir.env, library });
  assertEquals(ran.code, 8);
  assertStringIncludes(ran.stderr, 'cannot send everything: "src/pipe"');
});

Deno.test("send: who stopped it is told how to go on", async () => {
  await using dir = await place();
  const stop = new AbortController();
  stop.abort(new SftpxError("cancelled", "Cannot go on: interrupted"));
  const library = fakeLibrary({ error: new SftpxError("internal", "other") });
  const args = ["send", dir.file, TICKET];
  const options = { env: dir.env, library, signal: stop.signal };
  const ran = await run(args, options);
  assertEquals(ran.code, 130);
  assertStringIncludes(
    ran.stderr,
    "cannot go on: interrupted\nhint: give the same",
  );
});

Deno.test("send: a secret is not in anything that is said", async () => {
  await using dir = await place();
  for (const flags of [["-v"], ["--json"], ["--log-format", "json"]]) {
    const library = fakeLibrary({ events: EVENTS, error: secret(TOKEN) });
    const args = ["send", dir.file, ...flags, TICKET];
    const ran = await run(args, { env: dir.env, library });
    const said = ran.stdout + ran.stderr;
    assertEquals(said.includes(TICKET.split("#")[1] ?? "?"), false);
    assertEquals(said.includes(formatToken(TOKEN).trim()), false);
  }
});
