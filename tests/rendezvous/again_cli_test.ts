import { assertEquals, assertMatch } from "@std/assert";
import { systemClock } from "../../core/clock.ts";
import { within } from "../testutil/deadline.ts";
import { freePort } from "../testutil/port.ts";
import { type Cli, startCli } from "../testutil/process.ts";
import { tempDir } from "../testutil/temp.ts";

const CODE = "4711-zebra-violin-hammock-quartz";
const DEADLINE_MS = 120_000;
/** For a process to start and be at the helper; a machine may have other things to do. */
const SOON_MS = 15_000;

/** Commands that wait at a helper, and what they say then. */
const WAITING: readonly {
  readonly args: (helper: string) => readonly string[];
  readonly says: RegExp;
}[] = [
  {
    args: (helper) => ["send", "file", `--code=${CODE}`, "--helper", helper],
    says: /waiting for the other side/,
  },
  {
    args: (helper) => ["recv", CODE, "--helper", helper],
    says: /waiting for the sender/,
  },
  {
    args: (helper) => ["sender", helper, CODE, "file"],
    says: /waiting for the receiver/,
  },
  {
    args: (helper) => ["receiver", helper, CODE, "out"],
    says: /waiting for the sender/,
  },
];

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  for (const { args, says } of WAITING) {
    const [command] = args("");
    Deno.test({
      name:
        `a ${command} that waits tells the helper when it is ended by ${signal}, and has its place when it is started again`,
      ignore: Deno.build.os === "windows", // there every signal kills
      async fn() {
        await using lab = await startLab();
        const command = args(lab.helper);
        await using first = lab.run(command);
        await first.waitStderr(says, SOON_MS);
        assertEquals(await lab.waiting(), 1);
        first.kill(signal);
        assertEquals((await first.status).code, 130, first.stderr);
        // Long before the helper would see it by itself.
        await within(SOON_MS, "nobody to wait", lab.emptied());
        await using second = lab.run(command);
        await second.waitStderr(says, SOON_MS);
      },
    });
  }
}

for (const { args, says } of WAITING) {
  const [command] = args("");
  Deno.test(`a ${command} that waits and is killed has its place when it is started again`, async () => {
    await using lab = await startLab();
    const command = args(lab.helper);
    await using first = lab.run(command);
    await first.waitStderr(says, SOON_MS);
    await using other = lab.run(command); // while the first is there
    assertEquals((await other.status).code, 4, other.stderr);
    assertMatch(other.stderr, /another has taken this place/);
    first.kill("SIGKILL");
    await first.status;
    await using second = lab.run(command);
    await second.waitStderr(says, SOON_MS);
  });
}

/** A helper in a process, and a folder to run commands in. */
interface Lab extends AsyncDisposable {
  readonly helper: string;
  run(args: readonly string[]): Cli;
  /** How many wait at the helper. */
  waiting(): Promise<number>;
  /** Resolves when nobody waits there. */
  emptied(): Promise<void>;
}

async function startLab(): Promise<Lab> {
  const dir = await tempDir();
  await Deno.writeTextFile(dir.join("file"), "x");
  const run = (args: readonly string[]): Cli =>
    startCli(args, { cwd: dir.path, deadlineMs: DEADLINE_MS });
  const at = `127.0.0.1:${freePort()}`;
  const helper = run([
    ...["helper", "--json", "--bind", "127.0.0.1:0", "--metrics", at],
  ]);
  const { address } = await helper.waitEvent("helper");
  const waiting = async (): Promise<number> => {
    const text = await (await fetch(`http://${at}/metrics`)).text();
    return Number(/^sftpx_helper_waiting (\d+)$/m.exec(text)?.[1]);
  };
  return {
    helper: String(address),
    run,
    waiting,
    async emptied() {
      while (await waiting() > 0) await systemClock.delay(20);
    },
    async [Symbol.asyncDispose]() {
      await helper[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}
