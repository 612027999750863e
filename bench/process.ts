/**
 * Another process, and what it costs: processor time and the most memory it
 * ever held, as Linux tells of it.
 *
 * @module
 */

/** What a process has used so far. */
export interface Usage {
  /** Processor time of all its threads, seconds. */
  readonly cpuS: number;
  /** The most memory that it held at once, bytes. */
  readonly peakBytes: number;
}

/** A line of JSON that a process printed, and what it had used by then. */
export interface Mark {
  readonly atMs: number;
  readonly usage: Usage;
  readonly event: Readonly<Record<string, unknown>>;
}

/** A process at work. */
export interface Watched {
  /**
   * The first line of JSON with this `type`, or the first that is not JSON for
   * `"text"`; rejects when the process ends before.
   */
  mark(type: string): Promise<Mark>;
  /** Resolves when it has ended. */
  readonly ended: Promise<{ readonly code: number; readonly last: Mark }>;
  /** The last of what it said on stderr. */
  lastWords(): string;
  kill(): void;
}

/** What to start. */
export interface StartOptions {
  readonly command: readonly string[];
  readonly cwd?: string;
  /** A process that takes longer is killed, ms. */
  readonly limitMs: number;
  /** Told of every line of JSON, and when it came, ms. @default {nobody} */
  readonly onEvent?: (event: Mark["event"], atMs: number) => void;
}

/** Time between two looks at a process, ms: what it did after the last is lost. */
const LOOK_MS = 10;
/** Linux counts processor time in hundredths of a second, on every machine. */
const TICKS_PER_S = 100;
const KEPT_CHARS = 4000;
/** How long what a process said may come after its end, ms. */
const LEFT_OPEN_MS = 2000;
const NOTHING: Usage = { cpuS: 0, peakBytes: 0 };

/** Starts a process and watches it until it ends. */
export function startWatched(options: StartOptions): Watched {
  const [program = "", ...args] = options.command;
  const child = new Deno.Command(program, {
    args,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const marks = new Map<string, PromiseWithResolvers<Mark>>();
  let usage = NOTHING;
  let words = "";
  const look = (): Usage => usage = usageOf(child.pid) ?? usage;
  const waiter = (type: string): PromiseWithResolvers<Mark> => {
    const known = marks.get(type) ?? Promise.withResolvers<Mark>();
    known.promise.catch(() => {}); // nobody has to wait for it
    marks.set(type, known);
    return known;
  };
  const ticker = setInterval(look, LOOK_MS);
  const limit = setTimeout(() => kill(), options.limitMs);
  const kill = (): void => {
    try {
      child.kill("SIGKILL");
    } catch {
      // it has ended already
    }
  };
  const hear = async (): Promise<void> => {
    for await (const line of lines(child.stdout)) {
      const event = parse(line) ?? { type: "text", line };
      const atMs = performance.now();
      options.onEvent?.(event, atMs);
      waiter(String(event["type"])).resolve({ atMs, usage: look(), event });
    }
  };
  const keep = async (): Promise<void> => {
    for await (const line of lines(child.stderr)) {
      words = `${words}${line}\n`.slice(-KEPT_CHARS);
    }
  };
  const finish = async () => {
    const heard = Promise.all([hear(), keep()]);
    const { code } = await child.status;
    const atMs = performance.now();
    clearInterval(ticker);
    clearTimeout(limit);
    // What it has started may live on, and have its output open.
    await Promise.race([heard, pause(LEFT_OPEN_MS)]);
    heard.catch(() => {}); // of no interest by now
    for (const { reject } of marks.values()) {
      reject(new Error(`${program} ended with ${code}\n${words}`));
    }
    return { code, last: { atMs, usage, event: {} } };
  };
  const ended = finish();
  return {
    mark: (type) => waiter(type).promise,
    ended,
    lastWords: () => words,
    kill,
  };
}

/** What a process has used; `undefined` when it is gone, or this is not Linux. */
export function usageOf(pid: number): Usage | undefined {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // The name before may hold anything, even ") ".
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
    if (peak === undefined) return undefined; // it has ended, and waits to be told so
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { cpuS: ticks / TICKS_PER_S, peakBytes: Number(peak) * 1024 };
  } catch {
    return undefined;
  }
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

async function* lines(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
  if (rest !== "") yield rest;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
