/**
 * The program as its users run it: a process of its own, that a test can kill.
 *
 * @module
 */
import { systemClock } from "../../core/clock.ts";
import { scaled, within } from "./deadline.ts";

/** One line of `--json`. */
export interface CliEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** How to run it. */
export interface CliOptions {
  readonly cwd: string;
  /** Added to the environment, which has no `SFTPX_*` and no user's config. */
  readonly env?: Readonly<Record<string, string>>;
  /** Given to stdin, which then ends. @default {""} */
  readonly stdin?: string | Uint8Array<ArrayBuffer>;
  /** Killed after this long, scaled. @default {60000} */
  readonly deadlineMs?: number;
  /** The script to run. @default {cmd/sftpx.ts} */
  readonly entry?: string;
  /** A command that runs what follows it, such as `ip netns exec NAME`. @default {none} */
  readonly prefix?: readonly string[];
}

/** A running program. Dispose of it (`await using`) and nothing is left of it. */
export interface Cli extends AsyncDisposable {
  readonly pid: number;
  /** What it has written so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** Its end, with all output read; rejects when the deadline had to end it. */
  readonly status: Promise<Deno.CommandStatus>;
  /** Its events, from the first one on, until stdout ends. */
  events(): AsyncGenerator<CliEvent, void>;
  /** Waits for an event of this type, or that fits, among those that were and that come. */
  waitEvent(
    fits: string | ((event: CliEvent) => boolean),
    options?: WaitEventOptions,
  ): Promise<CliEvent>;
  /** Waits until stderr holds this. */
  waitStderr(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>;
  /** Sends a signal; `false` when it has ended already. */
  kill(signal: Deno.Signal): boolean;
}

/** Which events count, and how long to wait. */
export interface WaitEventOptions {
  /** Scaled. @default {20000} */
  readonly timeoutMs?: number;
  /** Only events after this one count. */
  readonly after?: CliEvent;
}

/** Starts the program. */
export function startCli(args: readonly string[], options: CliOptions): Cli {
  const { deadlineMs = 60_000, entry = ENTRY, stdin = "", prefix = [] } =
    options;
  const what = `"sftpx ${args.join(" ")}"`;
  const [command = "", ...first] = [...prefix, Deno.execPath()];
  const child = new Deno.Command(command, {
    args: [
      ...first,
      ...["run", "-A", "--quiet", "--config", CONFIG, entry, ...args],
    ],
    cwd: options.cwd,
    clearEnv: true,
    env: { ...environment(options.cwd), ...options.env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = createOutput(what);
  const reading = Promise.all([
    collect(child.stdout, output.addStdout),
    collect(child.stderr, output.addStderr),
    feed(child.stdin, stdin),
  ]);

  let running = true;
  let late = false;
  const kill = (signal: Deno.Signal): boolean => {
    if (!running) return false;
    try {
      child.kill(signal);
      return true;
    } catch {
      return false; // it has ended, and we are about to hear of it
    }
  };
  const over = new AbortController();
  systemClock.delay(scaled(deadlineMs), over.signal).then(() => {
    late = true;
    kill("SIGKILL");
  }, () => {});
  const end = async (): Promise<Deno.CommandStatus> => {
    const status = await child.status;
    running = false;
    over.abort();
    await reading;
    output.end();
    if (!late) return status;
    const limit = `${scaled(deadlineMs)} ms`;
    throw new Error(
      `Cannot wait for ${what} any longer: ${limit}${output.tail()}`,
    );
  };
  const status = end();
  status.catch(() => {});

  return {
    pid: child.pid,
    get stdout() {
      return output.stdout();
    },
    get stderr() {
      return output.stderr();
    },
    status,
    async *events() {
      for (let at = 0;; at++) {
        const event = await output.event(at);
        if (event === undefined) return;
        yield event;
      }
    },
    async waitEvent(fits, { timeoutMs = 20_000, after } = {}) {
      const find = async (): Promise<CliEvent> => {
        for (let at = after === undefined ? 0 : output.after(after);; at++) {
          const event = await output.event(at);
          if (event === undefined) {
            throw new Error(`Cannot wait on: ${what} has ended`);
          }
          if (typeof fits === "string" ? event.type === fits : fits(event)) {
            return event;
          }
        }
      };
      const name = typeof fits === "string" ? `event "${fits}"` : "an event";
      try {
        return await within(timeoutMs, `${name} of ${what}`, find());
      } catch (error) {
        throw new Error(`No ${name}${output.tail()}`, { cause: error });
      }
    },
    waitStderr(pattern, timeoutMs = 20_000) {
      return within(timeoutMs, `${pattern} of ${what}`, output.match(pattern));
    },
    kill,
    async [Symbol.asyncDispose]() {
      kill("SIGKILL");
      await status.catch(() => {});
    },
  };
}

const ROOT = new URL("../../", import.meta.url);
const ENTRY = new URL("cmd/sftpx.ts", ROOT).href;
const CONFIG = decodeURIComponent(new URL("deno.json", ROOT).pathname);

/** Ours without what would make the program behave otherwise than elsewhere. */
function environment(cwd: string): Record<string, string> {
  const env = Object.entries(Deno.env.toObject()).filter(([name]) =>
    !name.startsWith("SFTPX_")
  );
  return {
    ...Object.fromEntries(env),
    XDG_CONFIG_HOME: `${cwd}/.xdg-config`,
    NO_COLOR: "1",
    DENO_NO_UPDATE_CHECK: "1",
  };
}

/** What a process has written, and a way to wait for more of it. */
function createOutput(what: string) {
  let [stdout, stderr, part, ended] = ["", "", "", false];
  const events: (CliEvent | Error)[] = [];
  let waiting: (() => void)[] = [];
  const changed = (): void => {
    const woken = waiting;
    waiting = [];
    woken.forEach((wake) => wake());
  };
  const change = (): Promise<void> =>
    new Promise((resolve) => waiting.push(resolve));
  const tail = (): string =>
    `\nstdout: ${stdout.slice(-2000)}\nstderr: ${stderr.slice(-2000)}`;
  return {
    stdout: () => stdout,
    stderr: () => stderr,
    tail,
    addStdout(text: string): void {
      stdout += text;
      const lines = (part + text).split("\n");
      part = lines.pop() ?? "";
      events.push(...lines.map(parseEvent));
      changed();
    },
    addStderr(text: string): void {
      stderr += text;
      changed();
    },
    end(): void {
      ended = true;
      changed();
    },
    after: (event: CliEvent): number => events.indexOf(event) + 1,
    async event(at: number): Promise<CliEvent | undefined> {
      while (events[at] === undefined && !ended) await change();
      const event = events[at];
      if (event instanceof Error) throw event;
      return event;
    },
    async match(pattern: RegExp): Promise<RegExpMatchArray> {
      for (;;) {
        const match = stderr.match(pattern);
        if (match !== null) return match;
        if (ended) {
          throw new Error(`Cannot find ${pattern}: ${what} has ended${tail()}`);
        }
        await change();
      }
    },
  };
}

function parseEvent(line: string): CliEvent | Error {
  try {
    const value: unknown = JSON.parse(line);
    const { type } = Object(value) as { readonly type?: unknown };
    if (typeof type === "string") return value as CliEvent;
  } catch {
    // Told below: it is for the one who reads this far.
  }
  return new Error(`Cannot read an event from stdout: the line is "${line}"`);
}

async function collect(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  add: (text: string) => void,
): Promise<void> {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    add(text);
  }
}

async function feed(
  stream: WritableStream<Uint8Array<ArrayBuffer>>,
  input: string | Uint8Array<ArrayBuffer>,
): Promise<void> {
  const writer = stream.getWriter();
  try {
    await writer.write(
      typeof input === "string" ? new TextEncoder().encode(input) : input,
    );
    await writer.close();
  } catch {
    // It did not want all of its input, which is its right.
  }
}
