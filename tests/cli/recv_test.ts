import { assertEquals, assertStringIncludes } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import type { TransferEvent } from "../../core/events.ts";
import { formatTicket, parseTicket } from "../../protocol/ticket.ts";
import { readIdentity } from "../../cmd/identity.ts";
import { formatToken } from "../../store/secrets.ts";
import { tempDir } from "../testutil/temp.ts";
import {
  fakeLibrary,
  FINGERPRINT,
  golden,
  run,
  transcript,
} from "./harness.ts";

const NOW = new Date("2026-06-01T12:00:00Z");
const NOWHERE = { XDG_CONFIG_HOME: "/nonexistent" };
const EVENTS: readonly TransferEvent[] = [
  { type: "listening", address: "0.0.0.0:4443", fingerprint: "07".repeat(32) },
  {
    type: "connected",
    session: "a",
    remote: "10.0.0.9:7",
    path: "direct",
    carrier: "quic",
    resumed: false,
  },
  { type: "started", session: "a", label: "photos", remote: "10.0.0.9:7" },
  {
    type: "connected",
    session: "b",
    remote: "10.0.0.8:7",
    path: "direct",
    carrier: "quic",
    resumed: false,
  },
  { type: "started", session: "b", label: "b\x07", remote: "10.0.0.8:7" },
  {
    type: "progress",
    session: "a",
    bytes: 100,
    total: 1000,
    counted: false,
    entries: 1,
    sent: 0,
    rate: 10,
    limiter: "disk",
  },
  {
    type: "progress",
    session: "b",
    bytes: 500,
    total: 1000,
    counted: true,
    entries: 1,
    sent: 0,
    rate: 20,
    limiter: "none",
  },
  {
    type: "entry",
    session: "a",
    path: "photos/x",
    kind: "file",
    outcome: "refused",
    bytes: 0,
    reason: "the name is taken",
  },
  {
    type: "failed",
    session: "b",
    code: "cancelled",
    message: "Cannot go on: the peer cancelled",
  },
  {
    type: "done",
    session: "a",
    totals: {
      entries: 1,
      bytes: 1000,
      sent: 1000,
      reused: 0,
      skipped: 0,
      failed: 1,
    },
    root: "cd".repeat(32),
    ms: 100,
  },
];

for (const [name, flags] of [["text", []], ["json", ["--json"]]] as const) {
  Deno.test(`recv: what is said, ${name}`, async () => {
    await using dir = await tempDir();
    const certs = dir.join("certs");
    await run(["init", "--certs", certs]);
    const args = ["recv", "--certs", certs, ...flags];
    const library = fakeLibrary({ events: EVENTS });
    const ran = await run(args, { env: NOWHERE, library, tickMs: 2000 });
    const hide = { [dir.path]: "DIR" };
    await golden(`recv_${name}.txt`, transcript(args, ran), hide);
  });
}

Deno.test("recv: one transfer of which something was left out ends with 8", async () => {
  await using dir = await tempDir();
  const args = ["recv", "--certs", dir.join("certs"), "--once"];
  const ends = async (failed: number) => {
    const events = EVENTS.map((event) =>
      event.type === "done"
        ? { ...event, totals: { ...event.totals, failed } }
        : event
    );
    return await run(args, { env: NOWHERE, library: fakeLibrary({ events }) });
  };
  const { code, stderr } = await ends(2);
  assertEquals(code, 8);
  assertStringIncludes(stderr, "2 entries were left out");
  assertEquals((await ends(0)).code, 0);
});

Deno.test("recv: the ticket is all that is on standard output", async () => {
  await using dir = await tempDir();
  const args = ["recv", "--certs", dir.join("certs")];
  const library = fakeLibrary({ events: EVENTS });
  const { stdout, stderr } = await run(args, { env: NOWHERE, library });
  const token = (await readIdentity(dir.join("certs"), NOW))?.token?.reveal();
  const ticket = parseTicket(stdout);
  assertEquals(stdout, `${formatTicket(ticket)}\n`);
  assertEquals(ticket.fingerprint, FINGERPRINT);
  assertEquals(ticket.token, token);
  assertEquals([ticket.hostname, ticket.port], ["10.0.0.7", 4443]);
  assertStringIncludes(stderr, `made ${dir.join("certs")}/cert.pem`);
});

Deno.test("recv: the ticket names what others reach", async () => {
  await using dir = await tempDir();
  const host = async (
    address: string,
    init: string[],
    addresses: string[],
  ): Promise<string> => {
    const certs = dir.join(crypto.randomUUID());
    await run(["init", "--certs", certs, ...init]);
    const library = fakeLibrary({ address });
    const args = ["recv", "--certs", certs];
    const ran = await run(args, { env: NOWHERE, library, addresses });
    return parseTicket(ran.stdout).hostname;
  };
  const own = ["127.0.0.1", "::1", "fe80::1", "2001:db8::7", "192.0.2.7"];
  assertEquals(await host("0.0.0.0:1", [], own), "192.0.2.7");
  assertEquals(await host("[::]:1", [], own.slice(0, 4)), "2001:db8::7");
  assertEquals(await host("0.0.0.0:1", [], own.slice(0, 3)), "127.0.0.1");
  assertEquals(await host("127.0.0.1:1", [], own), "127.0.0.1");
  assertEquals(await host("0.0.0.0:1", ["--ip", "10.1.1.1"], own), "10.1.1.1");
  const named = ["--ip", "10.1.1.1", "--dns", "files.example.org"];
  assertEquals(await host("0.0.0.0:1", named, own), "files.example.org");
});

Deno.test("recv: an address that is none is told before anything is made", async () => {
  await using dir = await tempDir();
  const args = ["recv", "--certs", dir.join("certs"), "--bind", "foo:bar"];
  const library = fakeLibrary();
  const ran = await run(args, { env: NOWHERE, library });
  assertEquals(ran.code, 2);
  assertEquals(await Array.fromAsync(Deno.readDir(dir.path)), []);
});

Deno.test("recv: all that it can be told reaches the library", async () => {
  await using dir = await tempDir();
  const library = fakeLibrary();
  const flags =
    "--bind 127.0.0.1:0 --upload-dir in --once --on-conflict skip " +
    "--links none --allow-hidden --max-size 2G --max-files 10 " +
    "--max-sessions 3 --keep-free 1G --resume-dir state";
  const args = ["recv", "--certs", dir.join("certs"), ...flags.split(" ")];
  assertEquals((await run(args, { env: NOWHERE, library })).code, 0);
  const [given] = library.received;
  const { certificate, token, signal: _, onEvent: __, ...rest } = given ??
    (() => {
      throw new Error("nothing was received");
    })();
  const identity = await readIdentity(dir.join("certs"), NOW);
  assertEquals(certificate.cert, identity?.cert);
  assertEquals(certificate.key.reveal(), identity?.key.reveal());
  assertEquals(
    token === "open" ? token : token.reveal(),
    identity?.token?.reveal(),
  );
  assertEquals<unknown>(rest, {
    bind: "127.0.0.1:0",
    uploadDir: "in",
    once: true,
    onConflict: "skip",
    links: "none",
    allowHidden: true,
    maxSize: 2 * 1024 ** 3,
    maxFiles: 10,
    maxSessions: 3,
    keepFree: 1024 ** 3,
    resumeDir: "state",
  });
});

Deno.test("recv: --open takes anyone, and its ticket has no token", async () => {
  await using dir = await tempDir();
  const library = fakeLibrary();
  const args = ["recv", "--open", "--certs", dir.join("certs")];
  const { stdout, stderr } = await run(args, { env: NOWHERE, library });
  assertEquals(library.received[0]?.token, "open");
  assertEquals(parseTicket(stdout).token, undefined);
  assertStringIncludes(stderr, "anyone who reaches this port");

  const token = formatToken(new Uint8Array(32));
  const both = await run(args, { env: { ...NOWHERE, SFTPX_TOKEN: token } });
  assertEquals(both.code, 2);
});

Deno.test("recv: a token of the environment is the one that counts", async () => {
  await using dir = await tempDir();
  const library = fakeLibrary();
  const token = new Uint8Array(32).fill(3);
  const env = { ...NOWHERE, SFTPX_TOKEN: formatToken(token) };
  const args = ["recv", "--certs", dir.join("certs")];
  const { stdout } = await run(args, { env, library });
  assertEquals(parseTicket(stdout).token, token);
});

Deno.test("recv: without a usable identity it does not start", async () => {
  await using dir = await tempDir();
  const certs = dir.join("certs");
  const library = fakeLibrary();
  const args = ["recv", "--certs", certs];
  const again = () => run(args, { env: NOWHERE, library });
  await run(["init", "--certs", certs]);
  for (const secret of ["key.pem", "token"]) {
    await Deno.chmod(dir.join("certs", secret), 0o644);
    const { code, stderr } = await again();
    assertEquals(code, 3);
    assertStringIncludes(stderr, "its mode is 0644");
    await Deno.chmod(dir.join("certs", secret), 0o600);
  }
  await Deno.remove(dir.join("certs", "cert.pem"));
  assertEquals((await again()).code, 3);
  await run(["init", "--certs", certs, "--force"]);
  await Deno.writeTextFile(dir.join("certs", "token"), "short");
  assertEquals((await again()).code, 3);
  assertEquals(library.received.length, 0);
});

Deno.test("recv: Ctrl-C is 130, and a service manager's stop is 0", async () => {
  await using dir = await tempDir();
  const args = ["recv", "--certs", dir.join("certs")];
  const code = async (cause: string): Promise<number> => {
    const stop = new AbortController();
    const library = fakeLibrary({ forever: true });
    const options = { env: NOWHERE, library, signal: stop.signal };
    const running = run(args, options);
    const { receive } = library;
    library.receive = (given) => {
      const receiver = receive(given);
      const error = new SftpxError("cancelled", "Cannot go on: stop", cause);
      queueMicrotask(() => stop.abort(error));
      return receiver;
    };
    return (await running).code;
  };
  assertEquals(await code("SIGINT"), 130);
  assertEquals(await code("SIGTERM"), 0);
});

Deno.test("init: keeps what is there unless it is forced", async () => {
  await using dir = await tempDir();
  const certs = dir.join("certs");
  const init = (...flags: string[]) =>
    run(["init", "--certs", certs, ...flags]);
  const first = await init("--days", "7", "--dns", "a.example");
  const mode = async (name: string): Promise<string> =>
    ((await Deno.stat(dir.join("certs", name))).mode ?? 0).toString(8).slice(
      -4,
    );
  assertEquals(await mode("key.pem"), "0600");
  assertEquals(await mode("token"), "0600");
  const second = await init();
  assertEquals(second.stdout, first.stdout);
  assertStringIncludes(second.stderr, "nothing new");
  await Deno.remove(dir.join("certs", "token"));
  const third = await init();
  assertEquals(
    parseTicket(third.stdout).fingerprint,
    parseTicket(first.stdout).fingerprint,
  );
  assertEquals(third.stdout === first.stdout, false);
  const forced = await init("--force", "--json");
  const { type, made, ticket } = JSON.parse(forced.stdout.split("\n")[0] ?? "");
  assertEquals([type, made.length, ticket === third.stdout.trim()], [
    "init",
    3,
    false,
  ]);
});
