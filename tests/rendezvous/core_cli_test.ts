import { assert, assertEquals } from "@std/assert";
import { codeLink, readCodeLink, withBareCode } from "../../cmd/code_words.ts";
import { run } from "../cli/harness.ts";
import { freePort } from "../testutil/port.ts";
import { type Cli, startCli } from "../testutil/process.ts";
import { type TempDir, tempDir } from "../testutil/temp.ts";
import { makeTree, sameTree } from "../testutil/tree.ts";

const MIB = 2 ** 20;
/** A machine may have other things to do. */
const PATIENT = { timeoutMs: 90_000 };
const DEADLINE_MS = 180_000;

Deno.test("--code may stand alone, or have a value", () => {
  const bare = (...args: string[]) => withBareCode(args).join(" ");
  assertEquals(bare("send", "a", "--code"), "send a --code=");
  assertEquals(
    bare("send", "a", "--code", "--json"),
    "send a --code= --json",
  );
  assertEquals(bare("send", "--code", "x-y", "a"), "send --code x-y a");
  assertEquals(bare("send", "--code=x-y", "a"), "send --code=x-y a");
  assertEquals(bare("recv", "--code", "-v"), "recv --code= -v");
  assertEquals(bare("send", "--", "--code"), "send -- --code");
  assertEquals(bare("send", "--code", "--", "a"), "send --code= -- a");
});

Deno.test("a link says a code and its helper", () => {
  const link = codeLink("h.example:4277", "7-tiger-lemon");
  assertEquals(link, "sftpx+code://h.example:4277/#7-tiger-lemon");
  assertEquals(readCodeLink(` ${link}\n`), {
    helper: "h.example:4277",
    code: "7-tiger-lemon",
  });
  const pinned = `h:1/${"ab".repeat(32)}`;
  assertEquals(readCodeLink(codeLink(pinned, "7-a-b"))?.helper, pinned);
  for (const other of ["7-tiger-lemon", "sftpx://h:1/#k", ""]) {
    assertEquals(readCodeLink(other), undefined);
  }
});

Deno.test("codes: what cannot be meant is said before anybody is asked", async () => {
  await using dir = await tempDir();
  const helper = ["--helper", "127.0.0.1:9"];
  const file = "deno.json";
  const ticket = `sftpx://h:1/#${"A".repeat(92)}`;
  const cases: readonly [readonly string[], string][] = [
    [
      ["send", file, "--code", ...helper, "--direct-only", "--lan-only"],
      "leave no path",
    ],
    [["send", file, "--code", "password", ...helper], "it is weak"],
    [["send", file, "--code", "tigre-lemon", ...helper], "mistyped"],
    [["send", file, ticket, "--code", ...helper], "there is another"],
    [["send", "--code", ...helper], "no path is given"],
    [["send", file, "--code", "--helper", "h:1/xyz"], "must be a fingerprint"],
    [["send", file, "--code", "--words", "1", ...helper], "words"],
    [["recv", "7-tiger-lemon"], "there is no helper"],
    [["recv", "7-tigre-lemon", ...helper], "looks mistyped"],
    [["recv", "--code", ...helper], "no code was given"],
    [
      ["recv", "--open", "--certs", dir.join("certs"), ...helper],
      "only those who have a ticket",
    ],
  ];
  for (const [args, reason] of cases) {
    const ran = await run(args, { env: { HOME: "/nowhere" } });
    assertEquals(ran.code, 2, `${args.join(" ")}: ${ran.stderr}`);
    assert(ran.stderr.includes(reason), `${args.join(" ")}: ${ran.stderr}`);
    assertEquals(ran.stdout, "");
  }
});

Deno.test("recv --code takes a code that SFTPX_CODE holds, and asks for none", async () => {
  for (const terminal of [false, true]) {
    const ran = await run(["recv", "--code", "--helper", "127.0.0.1:9"], {
      env: { HOME: "/nowhere", SFTPX_CODE: "7-tigre-lemon" },
      terminal,
      answer: "8-zebra-violin",
    });
    assertEquals(ran.code, 2, ran.stderr);
    // It was read: nothing is tried with this one.
    assert(ran.stderr.includes("looks mistyped"), ran.stderr);
    assert(!ran.stderr.includes("Code:"), ran.stderr);
  }
});

Deno.test("S8: nobody sees a code in the list of processes, and three processes move a folder", async () => {
  await using lab = await startLab();
  await using sender = lab.send("--code");
  const { code, link } = await sender.waitEvent("code", PATIENT);
  assert(/^\d+-[a-z]+-[a-z]+$/.test(String(code)));
  assertEquals(link, codeLink(lab.helper, String(code)));
  const words = String(code).replace(/^\d+-/, "");
  await using byPrompt = startCli(["recv", "--json", "--helper", lab.helper], {
    cwd: lab.dir.path,
    deadlineMs: DEADLINE_MS,
    env: { SFTPX_CODE: String(code) },
  });
  const seen: string[] = [];
  let isOver = false;
  const look = (async () => {
    while (!isOver) {
      seen.push(...await commandLines([sender.pid, byPrompt.pid]));
    }
  })();
  assertEquals((await byPrompt.status).code, 0, byPrompt.stderr);
  assertEquals((await sender.status).code, 0, sender.stderr);
  isOver = true;
  await look;
  assert(seen.length > 0);
  assertEquals(seen.filter((line) => line.includes(words)), []);
  const up = lab.dir.join("uploads", "src");
  assertEquals(await sameTree(lab.dir.join("src"), up), []);
});

Deno.test({
  name:
    "S8: a code that was given as an argument is not in the list of processes for long",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using lab = await startLab();
    const hidden = async (pid: number): Promise<string> => {
      const [line = ""] = await commandLines([pid]);
      assertEquals(line.includes("grandmas"), false, line);
      return line;
    };
    const recv = (code: string): Cli =>
      startCli(["recv", code, "--helper", lab.helper], {
        cwd: lab.dir.path,
        deadlineMs: DEADLINE_MS,
      });
    // Each waits for nobody while it is looked at: who has met may have ended.
    {
      await using lonely = recv("4712-grandmas-teapot");
      await lonely.waitStderr(/waiting for the sender/, PATIENT.timeoutMs);
      assert((await hidden(lonely.pid)).includes("recv"));
    }
    const code = "4711-grandmas-teacup";
    await using sender = lab.send(`--code=${code}`);
    await sender.waitEvent("code", PATIENT);
    assert((await hidden(sender.pid)).includes("--code="));
    await using receiver = recv(code);
    assertEquals((await sender.status).code, 0, sender.stderr);
    assertEquals((await receiver.status).code, 0, receiver.stderr);
  },
});

Deno.test("a helper counts for Prometheus, says what it does as JSON, and ends in order", async () => {
  await using dir = await tempDir();
  const port = freePort();
  await using helper = startCli([
    ...["helper", "--bind", "127.0.0.1:0", "--log-format", "json"],
    ...["--metrics", `127.0.0.1:${port}`],
  ], { cwd: dir.path, deadlineMs: DEADLINE_MS });
  await helper.waitStderr(/peers need/, PATIENT.timeoutMs);
  const at = `http://127.0.0.1:${port}`;
  const metrics = await (await fetch(`${at}/metrics`)).text();
  assert(/^sftpx_helper_waiting 0$/m.test(metrics), metrics);
  assert(/^# TYPE sftpx_helper_pairs_total counter$/m.test(metrics));
  const other = await fetch(`${at}/`);
  assertEquals(other.status, 404);
  await other.body?.cancel();
  helper.kill("SIGTERM");
  assertEquals((await helper.status).code, 0, helper.stderr);
  const events = helper.stderr.trim().split("\n")
    .map((line) => JSON.parse(line).event);
  assert(events.includes("helper.up") && events.includes("helper.down"));
});

Deno.test("a wrong code ends both with exit code 5, and says that it is burnt", async () => {
  await using lab = await startLab();
  await using sender = lab.send("--code");
  const { code } = await sender.waitEvent("code", PATIENT);
  const [slot] = String(code).split("-");
  await using receiver = lab.recv(`${slot}-apples-orangutan`);
  assertEquals((await receiver.status).code, 5, receiver.stderr);
  assertEquals((await sender.status).code, 5, sender.stderr);
  for (const side of [sender, receiver]) {
    const error = await side.waitEvent("error", PATIENT);
    assert(String(error.message).includes("burnt"), String(error.message));
  }
});

Deno.test("what a receiver by a code leaves out ends both with exit code 8", async () => {
  await using lab = await startLab();
  await Deno.symlink("c", lab.dir.join("src", "link"));
  await using sender = lab.send("--code");
  const { code } = await sender.waitEvent("code", PATIENT);
  await using receiver = lab.recv(String(code), "--links", "none");
  assertEquals((await receiver.status).code, 8, receiver.stderr);
  assertEquals((await sender.status).code, 8, sender.stderr);
  const error = await receiver.waitEvent("error", PATIENT);
  assert(String(error.message).includes("1 entry was left out"));
});

Deno.test("killed on both sides, the next code goes on where the last one stopped", async () => {
  await using lab = await startLab({ "a.bin": 24 * MIB, "b.bin": 8 * MIB });
  {
    await using sender = lab.send("--code", "--limit-rate", "16M");
    const { code } = await sender.waitEvent("code", PATIENT);
    await using receiver = lab.recv(String(code));
    await sender.waitEvent(
      (event) => event.type === "progress" && Number(event.bytes) >= 8 * MIB,
      PATIENT,
    );
    receiver.kill("SIGKILL");
    sender.kill("SIGKILL");
    await Promise.allSettled([receiver.status, sender.status]);
  }
  await using sender = lab.send("--code");
  const { code } = await sender.waitEvent("code", PATIENT);
  await using receiver = lab.recv(String(code));
  assertEquals((await receiver.status).code, 0, receiver.stderr);
  assertEquals((await sender.status).code, 0, sender.stderr);
  const done = await sender.waitEvent("done", PATIENT);
  const { reused, sent } = done.totals as { reused: number; sent: number };
  const both = `reused ${reused}, sent ${sent}`;
  assert(reused >= 8 * MIB && sent <= 24 * MIB, both);
  const up = lab.dir.join("uploads", "src");
  assertEquals(await sameTree(lab.dir.join("src"), up), []);
});

/** A helper in a process, and a folder to send. */
interface Lab extends AsyncDisposable {
  readonly dir: TempDir;
  readonly helper: string;
  send(...args: string[]): Cli;
  recv(...args: string[]): Cli;
}

async function startLab(tree: Record<string, number> = {}): Promise<Lab> {
  const dir = await tempDir();
  await makeTree(dir.join("src"), { "a/b": 300_000, "c": 1, ...tree });
  const helper = startCli(["helper", "--json", "--bind", "127.0.0.1:0"], {
    cwd: dir.path,
    deadlineMs: DEADLINE_MS,
  });
  const { address } = await helper.waitEvent("helper", PATIENT);
  const at = ["--helper", String(address), "--json"];
  return {
    dir,
    helper: String(address),
    send: (...args) =>
      startCli(["send", "src", ...args, ...at], {
        cwd: dir.path,
        deadlineMs: DEADLINE_MS,
      }),
    recv: (...args) =>
      startCli(["recv", ...args, ...at], {
        cwd: dir.path,
        deadlineMs: DEADLINE_MS,
      }),
    async [Symbol.asyncDispose]() {
      helper.kill("SIGTERM");
      assertEquals((await helper.status).code, 0, helper.stderr);
      await helper[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** What the system shows of processes. */
async function commandLines(pids: readonly number[]): Promise<string[]> {
  if (Deno.build.os !== "linux") return ["recv"];
  const all: string[] = [];
  for (const pid of pids) {
    try {
      const line = await Deno.readTextFile(`/proc/${pid}/cmdline`);
      all.push(line.replaceAll("\0", " "));
    } catch { // it has ended
    }
  }
  return all;
}
