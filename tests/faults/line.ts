/**
 * A sender and a receiver as processes of their own, with a bad network between
 * them in a third.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../core/clock.ts";
import { scaled } from "../testutil/deadline.ts";
import { type FaultProxy, spawnFaultProxy } from "../testutil/fault_proxy.ts";
import { type Cli, type CliEvent, startCli } from "../testutil/process.ts";
import { tempDir } from "../testutil/temp.ts";
import { makeTree, sameTree, type TreeSpec } from "../testutil/tree.ts";

/** How the two ends are run. */
export interface LineOptions {
  readonly tree: TreeSpec;
  readonly sendArgs?: readonly string[];
  readonly recvArgs?: readonly string[];
  /** @default {60000} */
  readonly deadlineMs?: number;
}

/** A transfer through a bad network. */
export interface Line extends AsyncDisposable {
  readonly dir: string;
  readonly proxy: FaultProxy;
  readonly receiver: Cli;
  readonly sender: Cli;
  /** Where the receiver listens. */
  readonly port: number;
  /** Waits until so many bytes are on the receiver's disk, as the sender says it. */
  reached(bytes: number, timeoutMs?: number): Promise<void>;
  /** Waits for the sender's end, and makes sure that all arrived and is the same. */
  arrived(): Promise<Ended>;
}

/** How a transfer ended well. */
export interface Ended {
  /** Bytes of content in all, and those that crossed the network. */
  readonly bytes: number;
  readonly sent: number;
  readonly ms: number;
}

/** Starts both ends and what is between them. */
export async function openLine(options: LineOptions): Promise<Line> {
  const { tree, sendArgs = [], recvArgs = [], deadlineMs = 60_000 } = options;
  await using made = new AsyncDisposableStack();
  const dir = made.use(await tempDir());
  await makeTree(dir.join("src"), tree);
  await Deno.mkdir(dir.join("recv"));
  const run = (args: readonly string[]): Cli =>
    made.use(startCli(args, { cwd: dir.path, deadlineMs }));
  const receiver = run([
    ...["recv", "--json", "--bind", "127.0.0.1:0"],
    ...["--resume-dir", "resume-recv", ...recvArgs],
  ]);
  const { address } = await receiver.waitEvent("listening");
  const port = Number(String(address).split(":").at(-1));
  const target = { hostname: "127.0.0.1", port };
  const proxy = await spawnFaultProxy({ target });
  made.defer(() => proxy.close());
  const sender = run([
    ...["send", "--json", "--to", `127.0.0.1:${proxy.port}`, ...sendArgs],
    "src",
  ]);
  const kept = made.move();
  return {
    dir: dir.path,
    proxy,
    receiver,
    sender,
    port,
    async reached(bytes, timeoutMs) {
      await sender.waitEvent(
        (event) => event.type === "progress" && Number(event.bytes) >= bytes,
        timeoutMs === undefined ? {} : { timeoutMs },
      );
    },
    async arrived() {
      const { code } = await sender.status;
      assertEquals(code, 0, sender.stderr + sender.stdout.slice(-2000));
      const { ms } = await sender.waitEvent("done");
      const { totals } = await receiver.waitEvent("done");
      const { bytes, sent } = totals as { bytes: number; sent: number };
      assertEquals(
        await sameTree(`${dir.path}/src`, `${dir.path}/uploads/src`),
        [],
      );
      return { bytes, sent, ms: Number(ms) };
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** The events of one kind that a process has told so far. */
export function eventsOf(cli: Cli, type: string): CliEvent[] {
  return cli.stdout.split("\n").slice(0, -1)
    .map((line): CliEvent => JSON.parse(line))
    .filter((event) => event.type === type);
}

/** Makes sure that neither end lost its connection. */
export function assertUnbroken({ sender, receiver }: Line): void {
  for (const cli of [sender, receiver]) {
    assertEquals(eventsOf(cli, "reconnecting"), []);
    assertEquals(eventsOf(cli, "connected").length, 1);
  }
}

/** Makes sure that the connection was lost, and that the transfer went on with what was there. */
export function assertResumed({ sender, receiver }: Line): void {
  for (const cli of [sender, receiver]) {
    const [, ...later] = eventsOf(cli, "connected");
    assert(later.length > 0, "no second connection");
    for (const { resumed } of later) assertEquals(resumed, true);
  }
}

/** Real time, and no factor: the network's clock is not ours. */
export function pause(ms: number): Promise<void> {
  return systemClock.delay(ms);
}

/** Milliseconds from now until `bytes` more have come through to the disk. */
export async function timeToResume(
  { sender }: Line,
  timeoutMs: number,
): Promise<number> {
  const last = eventsOf(sender, "progress").at(-1);
  const began = systemClock.now();
  await sender.waitEvent(
    ({ type, bytes }) =>
      type === "progress" && Number(bytes) > Number(last?.bytes ?? 0),
    { timeoutMs: scaled(timeoutMs) },
  );
  return systemClock.now() - began;
}

/** True where the tests that take minutes are wanted as well. */
export const FULL: boolean = Deno.env.get("SFTPX_FULL") === "1";

/** Says what was measured. */
export function note(text: string): void {
  // deno-lint-ignore no-console -- numbers for whoever reads the run
  console.log(`  ${text}`);
}

const MIB = 1024 * 1024;

/** One file that takes `seconds` at `LIMIT`, and a few small ones. */
export function treeOf(mebibytes: number): TreeSpec {
  return { "big.bin": mebibytes * MIB, "small/a": 1000, "small/b": "text" };
}
