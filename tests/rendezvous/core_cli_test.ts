import { assert, assertEquals } from "@std/assert";
import { codeLink, readCodeLink, withBareCode } from "../../cmd/code_words.ts";
import { type Cli, startCli } from "../testutil/process.ts";
import { type TempDir, tempDir } from "../testutil/temp.ts";
import { makeTree, sameTree } from "../testutil/tree.ts";

const MIB = 2 ** 20;

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

Deno.test("S8: nobody sees a code in the list of processes, and three processes move a folder", async () => {
  await using lab = await startLab();
  await using sender = lab.send("--code");
  const { code, link } = await sender.waitEvent("code");
  assert(/^\d+-[a-z]+-[a-z]+$/.test(String(code)));
  assertEquals(link, codeLink(lab.helper, String(code)));
  const words = String(code).replace(/^\d+-/, "");
  await using byPrompt = startCli(["recv", "--json", "--helper", lab.helper], {
    cwd: lab.dir.path,
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
    const code = "4711-grandmas-teacup";
    const args = ["recv", code, "--helper", lab.helper];
    await using receiver = startCli(args, { cwd: lab.dir.path });
    await receiver.waitStderr(/waiting for the sender/);
    const [line = ""] = await commandLines([receiver.pid]);
    assert(line.includes("recv"), line);
    assertEquals(line.includes("grandmas"), false, line);
    await using sender = lab.send(`--code=${code}`);
    await sender.waitEvent("code");
    const [other = ""] = await commandLines([sender.pid]);
    assert(other.includes("--code="), other);
    assertEquals(other.includes("grandmas"), false, other);
    assertEquals((await sender.status).code, 0, sender.stderr);
    assertEquals((await receiver.status).code, 0, receiver.stderr);
  },
});

Deno.test("a wrong code ends both with exit code 5, and says that it is burnt", async () => {
  await using lab = await startLab();
  await using sender = lab.send("--code");
  const { code } = await sender.waitEvent("code");
  const [slot] = String(code).split("-");
  await using receiver = lab.recv(`${slot}-apples-orangutan`);
  assertEquals((await receiver.status).code, 5, receiver.stderr);
  assertEquals((await sender.status).code, 5, sender.stderr);
  for (const side of [sender, receiver]) {
    const error = await side.waitEvent("error");
    assert(String(error.message).includes("burnt"), String(error.message));
  }
});

Deno.test("killed on both sides, the next code goes on where the last one stopped", async () => {
  await using lab = await startLab({ "a.bin": 24 * MIB, "b.bin": 8 * MIB });
  {
    await using sender = lab.send("--code", "--limit-rate", "16M");
    const { code } = await sender.waitEvent("code");
    await using receiver = lab.recv(String(code));
    await sender.waitEvent((event) =>
      event.type === "progress" && Number(event.bytes) >= 8 * MIB
    );
    receiver.kill("SIGKILL");
    sender.kill("SIGKILL");
    await Promise.allSettled([receiver.status, sender.status]);
  }
  await using sender = lab.send("--code");
  const { code } = await sender.waitEvent("code");
  await using receiver = lab.recv(String(code));
  assertEquals((await receiver.status).code, 0, receiver.stderr);
  assertEquals((await sender.status).code, 0, sender.stderr);
  const done = await sender.waitEvent("done");
  const { reused, sent } = done.totals as { reused: number; sent: number };
  assert(reused >= 8 * MIB, `reused ${reused}`);
  assert(sent <= 24 * MIB, `sent ${sent}`);
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
  });
  const { address } = await helper.waitEvent("helper");
  const at = ["--helper", String(address), "--json"];
  return {
    dir,
    helper: String(address),
    send: (...args) =>
      startCli(["send", "src", ...args, ...at], { cwd: dir.path }),
    recv: (...args) => startCli(["recv", ...args, ...at], { cwd: dir.path }),
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
