/**
 * The main job, shown: sends a tree from one process to another, kills both on
 * the way, starts them again, and compares every file with its source.
 *
 * `deno task demo` makes a tree of its own; `deno task demo PATH...` takes yours.
 *
 * @module
 */
import { basename, resolve } from "node:path";
import { compareTrees, type Comparison } from "./demo/compare.ts";
import { gaugeProgress, type Meter } from "./demo/gauge.ts";
import { makeTree } from "./demo/make_tree.ts";
import { rateToKill } from "./demo/pace.ts";
import {
  freePort,
  type PrintedEvent,
  type Running,
  start,
} from "./demo/process.ts";
import { say } from "./say.ts";
import { ROOT } from "./tree.ts";

const MIB = 1024 * 1024;
const TREE = { bigBytes: 512 * MIB, smallFiles: 2_000 };
const SFTPX = [Deno.execPath(), "run", "-A", `${ROOT}cmd/sftpx.ts`];

/** What the parts of the demo know of each other. */
interface Stage {
  readonly folder: string;
  readonly paths: readonly string[];
  readonly bytes: number;
  readonly running: Set<Running>;
  readonly problems: string[];
}

const began = performance.now();

/** Says what happens, and when. */
function tell(text: string): void {
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  say(`${seconds.padStart(7)} s  ${text}`);
}

async function main(): Promise<number> {
  say("SFTPX demo: a transfer that is killed twice and arrives all the same");
  say();
  const folder = await Deno.makeTempDir({ prefix: "sftpx-demo-" });
  const running = new Set<Running>();
  const cleanUp = async (): Promise<void> => {
    await Promise.all([...running].map((child) => child.kill()));
    await Deno.remove(folder, { recursive: true });
  };
  const interrupted = (): void => {
    cleanUp().finally(() => Deno.exit(130));
  };
  Deno.addSignalListener("SIGINT", interrupted);
  try {
    const paths = await choosePaths(folder);
    const source = await survey(paths);
    tell(`to send: ${describe(source)}`);
    const stage = {
      folder,
      paths,
      bytes: source.bytes,
      running,
      problems: [...source.differences],
    };
    const heldBack = await transfer(stage);
    await verify(stage);
    if (heldBack) await race(stage);
    say();
    for (const problem of stage.problems) {
      say(`PROBLEM: ${problem}`);
    }
    say(
      stage.problems.length === 0
        ? "Every file arrived as it was, though both ends were killed on the way."
        : `Problems: ${stage.problems.length}.`,
    );
    return stage.problems.length === 0 ? 0 : 1;
  } catch (error) {
    say(
      `Cannot finish the demo: ${
        error instanceof Error ? error.message : error
      }`,
    );
    return 1;
  } finally {
    Deno.removeSignalListener("SIGINT", interrupted);
    await cleanUp();
  }
}

/** The paths that were given, or one tree made for the occasion. */
async function choosePaths(folder: string): Promise<string[]> {
  if (Deno.args.length > 0) {
    return Deno.args.map((path) =>
      resolve(Deno.env.get("INIT_CWD") ?? "", path)
    );
  }
  const path = `${folder}/a tree`;
  tell(`making a tree in ${folder}`);
  await makeTree(path, TREE);
  return [path];
}

/** Counts what is there, by comparing it with itself. */
async function survey(paths: readonly string[]): Promise<Comparison> {
  return sum(await Promise.all(paths.map((path) => compareTrees(path, path))));
}

/** The whole transfer, from `init` to both exit codes; true if it was held back. */
async function transfer(stage: Stage): Promise<boolean> {
  const { folder, bytes, problems } = stage;
  const [here, there] = [`${folder}/sender`, `${folder}/receiver`];
  await Deno.mkdir(here);
  await Deno.mkdir(there);
  const init = run(stage, there, ["init", "--certs", "certs"]);
  await mustEnd(init, "init", 0);
  tell("init: a certificate, its key and a token");

  const port = freePort();
  // Not --once: that one may be gone when the sender is killed near the end.
  const receive = ["recv", "--bind", `127.0.0.1:${port}`, "--json"];
  const send = [
    ...["send", ...stage.paths, "--to", `127.0.0.1:${port}`, "--json"],
    ...["--cert", `${there}/certs/cert.pem`],
    ...["--token-file", `${there}/certs/token`],
  ];
  const rate = rateToKill(bytes);
  const limit = rate === undefined ? [] : ["--limit-rate", String(rate)];
  if (rate !== undefined) {
    tell(`sent at ${mib(rate)}/s at most, for there to be time to kill it`);
  }

  const gauge = gaugeProgress(bytes, tell);
  let receiver = run(stage, there, receive);
  await receiver.next("listening");
  tell(`receiver listens on 127.0.0.1:${port} (process ${receiver.pid})`);
  const firstMeter: Meter = { sent: undefined };
  let sender = run(
    stage,
    here,
    [...send, ...limit],
    (event) => gauge.see(event, firstMeter),
  );
  const sendBegan = performance.now();
  tell(`sender starts (process ${sender.pid})`);

  if (await gauge.reaches(1 / 3, sender.ended)) {
    await receiver.kill();
    tell(
      `${gauge.percent()} is safe on disk: killed the receiver with SIGKILL`,
    );
    receiver = run(stage, there, receive);
    await receiver.next("listening");
    tell(`receiver runs again, same command (process ${receiver.pid})`);
  } else {
    problems.push("the transfer was over before the receiver could be killed");
  }

  const lastMeter: Meter = { sent: undefined };
  if (await gauge.reaches(2 / 3, sender.ended)) {
    await sender.kill();
    tell(`${gauge.percent()} is safe on disk: killed the sender with SIGKILL`);
    sender = run(
      stage,
      here,
      [...send, ...limit],
      (event) => gauge.see(event, lastMeter),
    );
    tell(`sender runs again, same command (process ${sender.pid})`);
  } else {
    problems.push("the transfer was over before the sender could be killed");
  }
  await gauge.reaches(Infinity, sender.ended);
  await mustEnd(sender, "sender", 0);
  const seconds = (performance.now() - sendBegan) / 1000;
  receiver.stop();
  await mustEnd(receiver, "receiver", 0);
  tell("both have ended with exit code 0: every byte is verified and on disk");

  say();
  const speed = mib(bytes / seconds);
  say(`  ${mib(bytes)} in ${seconds.toFixed(1)} s, kills included: ${speed}/s`);
  if (lastMeter.sent !== undefined) {
    say(`  the second sender sent ${mib(lastMeter.sent)}; the rest was there`);
  }
  if (firstMeter.sent !== undefined && lastMeter.sent !== undefined) {
    const twice = Math.max(0, firstMeter.sent + lastMeter.sent - bytes);
    const share = (100 * twice / Math.max(1, bytes)).toFixed(1);
    say(`  sent twice: ${mib(twice)}, ${share} % of it`);
  }
  say();
  return rate !== undefined;
}

/** The same without limit or kills, to an empty receiver: how fast it is. */
async function race(stage: Stage): Promise<void> {
  const there = `${stage.folder}/receiver`;
  const port = freePort();
  const receiver = run(stage, there, [
    ...["recv", "--bind", `127.0.0.1:${port}`, "--once", "--json"],
    ...["--upload-dir", "again", "--resume-dir", "again_resume"],
  ]);
  await receiver.next("listening");
  let ms = 0;
  const sender = run(stage, `${stage.folder}/sender`, [
    ...["send", ...stage.paths, "--to", `127.0.0.1:${port}`, "--json"],
    ...["--cert", `${there}/certs/cert.pem`],
    ...["--token-file", `${there}/certs/token`],
  ], (event) => ms = Number(event["ms"] ?? ms));
  await mustEnd(sender, "sender", 0);
  await mustEnd(receiver, "receiver", 0);
  const speed = mib(stage.bytes / Math.max(0.001, ms / 1000));
  tell(
    `sent once more, at full speed and with no kill: ${
      (ms / 1000).toFixed(1)
    } s, ${speed}/s`,
  );
}

/** Compares all that was sent with what is in the upload directory. */
async function verify(stage: Stage): Promise<void> {
  const uploads = `${stage.folder}/receiver/uploads`;
  const result = sum(
    await Promise.all(
      stage.paths.map((path) =>
        compareTrees(path, `${uploads}/${basename(path)}`)
      ),
    ),
  );
  stage.problems.push(...result.differences);
  tell(`compared with the source: ${describe(result)}`);
  tell(
    result.differences.length === 0
      ? "no difference in content, names, modes, times or links"
      : `differences: ${result.differences.length}`,
  );
}

function run(
  stage: Stage,
  cwd: string,
  args: readonly string[],
  onEvent?: (event: PrintedEvent) => void,
): Running {
  const child = start({
    command: SFTPX,
    args,
    cwd,
    ...onEvent === undefined ? {} : { onEvent },
  });
  stage.running.add(child);
  child.ended.finally(() => stage.running.delete(child));
  return child;
}

async function mustEnd(
  child: Running,
  name: string,
  wanted: number,
): Promise<void> {
  const code = await child.ended;
  if (code !== wanted) {
    throw new Error(
      `the ${name} ended with exit code ${code}\n${child.lastWords()}`,
    );
  }
}

function sum(parts: readonly Comparison[]): Comparison {
  return parts.reduce((a, b) => ({
    files: a.files + b.files,
    folders: a.folders + b.folders,
    links: a.links + b.links,
    bytes: a.bytes + b.bytes,
    differences: [...a.differences, ...b.differences],
  }));
}

function describe(tree: Comparison): string {
  const count = (n: number, what: string): string =>
    `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
  return [
    count(tree.files, "file"),
    count(tree.folders, "folder"),
    count(tree.links, "symbolic link"),
    mib(tree.bytes),
  ].join(", ");
}

function mib(bytes: number): string {
  return bytes < MIB
    ? `${(bytes / 1024).toFixed(1)} KiB`
    : `${(bytes / MIB).toFixed(1)} MiB`;
}

Deno.exitCode = await main();
