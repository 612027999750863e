/**
 * Two ends of one transfer as processes that are killed and started again, and
 * what must be true at the end of it.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../core/clock.ts";
import { scaled } from "../testutil/deadline.ts";
import { freePort } from "../testutil/port.ts";
import { type Cli, type CliEvent, startCli } from "../testutil/process.ts";
import { tempDir } from "../testutil/temp.ts";
import { makeTree, sameTree, type TreeSpec } from "../testutil/tree.ts";

export const MIB = 1024 * 1024;

/** The program with a count of what it gives to its streams. */
const WIRE = new URL("wire_resume.ts", import.meta.url).href;

/**
 * Bytes that may be sent twice for one kill at a quiet rate: what was in flight.
 * Each of eight lanes has a frame in the platform's buffers and another one that
 * waits, with what is said of them.
 */
export const IN_FLIGHT = 8 * 2 * (MIB + 4096);

/** How one process is run. */
export interface RunOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly entry?: string;
  /** @default {60000} */
  readonly deadlineMs?: number;
}

/** Both ends of a transfer from `src` to `uploads`, started again and again. */
export interface Ends extends AsyncDisposable {
  readonly dir: string;
  readonly src: string;
  readonly uploads: string;
  /** Starts a receiver on the port that all of them have, and waits until it listens. */
  recv(options?: RunOptions): Promise<Cli>;
  /** Starts a sender of `src`. */
  send(options?: RunOptions): Cli;
  /** Bytes that all senders so far gave to their streams, those that were killed too. */
  given(): Promise<number>;
  /** Bytes that came to all receivers so far, those that were killed too. */
  taken(): Promise<number>;
  /** Waits for a sender's end, and for the receiver's word that it has all. */
  finish(sender: Cli, receiver: Cli): Promise<Totals>;
  /** Makes sure that all arrived as it was, and that nothing else is there. */
  check(): Promise<void>;
  /** The journal of the only session there was. */
  journal(): Promise<string>;
  /** Parts that wait, as paths. */
  parts(): Promise<string[]>;
}

/** Numbers of a `done`. */
export interface Totals {
  readonly entries: number;
  readonly bytes: number;
  readonly sent: number;
  readonly reused: number;
  readonly skipped: number;
  readonly failed: number;
}

/** Makes the tree and all that both ends need. */
export async function openEnds(
  tree: TreeSpec,
  { send: sendArgs = [], recv: recvArgs = [], uploads = "uploads" }: {
    readonly send?: readonly string[];
    readonly recv?: readonly string[];
    readonly uploads?: string;
  } = {},
): Promise<Ends> {
  await using made = new AsyncDisposableStack();
  const dir = made.use(await tempDir());
  const port = freePort();
  await makeTree(dir.join("src"), tree);
  const place = uploads.startsWith("/") ? uploads : dir.join(uploads);
  const resume = dir.join("resume-recv");
  const kept = made.move();
  let [senders, receivers] = [0, 0];
  const sumOf = async (name: string, files: number): Promise<number> => {
    let sum = 0;
    for (let n = 0; n < files; n++) {
      const text = await Deno.readTextFile(dir.join(`${name}-${n}`))
        .catch(() => "0"); // nothing was counted there
      sum += Number(text);
    }
    return sum;
  };
  const run = (args: readonly string[], options: RunOptions): Cli =>
    kept.use(startCli(args, { cwd: dir.path, ...options }));
  const ends: Ends = {
    dir: dir.path,
    src: dir.join("src"),
    uploads: place,
    async recv(options = {}) {
      const WIRE_COUNT = `${dir.path}/taken-${receivers++}`;
      const env = { WIRE_COUNT, ...options.env };
      const cli = run([
        ...["recv", "--json", "--bind", `127.0.0.1:${port}`],
        ...["--resume-dir", resume, "--upload-dir", place],
        ...recvArgs,
        ...options.args ?? [],
      ], { entry: WIRE, ...options, env });
      await cli.waitEvent("listening");
      return cli;
    },
    send(options = {}) {
      const WIRE_COUNT = `${dir.path}/given-${senders++}`;
      const env = { WIRE_COUNT, ...options.env };
      return run([
        ...["send", "--json", "--to", `127.0.0.1:${port}`],
        ...["--resume-dir", dir.join("resume-send"), ...sendArgs],
        ...options.args ?? [],
        "src",
      ], { entry: WIRE, ...options, env });
    },
    given: () => sumOf("given", senders),
    taken: () => sumOf("taken", receivers),
    async finish(sender, receiver) {
      const { code } = await sender.status;
      assertEquals(code, 0, sender.stderr + sender.stdout.slice(-2000));
      const { totals } = await receiver.waitEvent("done");
      return totals as Totals;
    },
    async check() {
      assertEquals(await sameTree(ends.src, `${place}/src`), []);
      await gone(`${place}/.sftpx-partial`);
      const names = await namesIn(place);
      assertEquals(names.filter((name) => name !== "lost+found"), ["src"]);
      const state = await namesIn(resume);
      assertEquals(state.filter((name) => !name.endsWith(".bitmap")), []);
    },
    async journal() {
      const names = await namesIn(resume);
      const [name, ...more] = names.filter((name) => /\.bitmap$/.test(name));
      assert(name !== undefined && more.length === 0, names.join(" "));
      return `${resume}/${name}`;
    },
    async parts() {
      const found: string[] = [];
      for (const session of await namesIn(`${place}/.sftpx-partial`)) {
        const at = `${place}/.sftpx-partial/${session}`;
        for (const name of await namesIn(at)) found.push(`${at}/${name}`);
      }
      return found;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
  return ends;
}

/** The names in a folder, in order; none when it is not there. */
export async function namesIn(dir: string): Promise<string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(dir));
    return entries.map(({ name }) => name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Makes sure that there is nothing of that name. */
export async function gone(path: string): Promise<void> {
  const isThere = await Deno.lstat(path).then(() => true, () => false);
  assert(!isThere, `${path} is there: ${await namesIn(path)}`);
}

/** Ends a process at once, and waits until it has. */
export async function kill(cli: Cli): Promise<void> {
  cli.kill("SIGKILL");
  await cli.status;
}

/** Waits until so many bytes are durable, by the word of either end. */
export async function reached(cli: Cli, bytes: number): Promise<void> {
  await cli.waitEvent(
    (event) =>
      (event.type === "progress" && Number(event.bytes) >= bytes) ||
      event.type === "done",
    { timeoutMs: 40_000 },
  );
}

/** The events a process has told so far. */
export function told(cli: Cli): CliEvent[] {
  return cli.stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line));
}

/** Waits for real time: what is measured here is not ours. */
export function pause(ms: number): Promise<void> {
  return systemClock.delay(scaled(ms));
}

/** Milliseconds of real time. */
export function nowMs(): number {
  return systemClock.now();
}

/** True where the tests that take minutes are wanted as well. */
export const FULL: boolean = Deno.env.get("SFTPX_FULL") === "1";

/** Says what was measured. */
export function note(text: string): void {
  // deno-lint-ignore no-console -- numbers for whoever reads the run
  console.log(`  ${text}`);
}
