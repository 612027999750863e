/**
 * SFTPX as another process, watched through its `--json` events.
 *
 * @module
 */

/** An event as it was printed; which fields it has, its `type` says. */
export type PrintedEvent =
  & { readonly type: string }
  & Readonly<
    Record<string, unknown>
  >;

/** How to start SFTPX. */
export interface StartOptions {
  /** The program and what comes before SFTPX's own arguments. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly cwd: string;
  readonly onEvent?: (event: PrintedEvent) => void;
}

/** A process at work. */
export interface Running {
  readonly pid: number;
  /** The event of this type that comes next; rejects when the process ends first. */
  next(type: string): Promise<PrintedEvent>;
  /** Asks the process to end in order. */
  stop(): void;
  /** Ends the process without giving it a say. */
  kill(): Promise<void>;
  /** Its exit code; 137 when it was killed. */
  readonly ended: Promise<number>;
  /** The last of what it said on stderr, and its errors. */
  lastWords(): string;
}

/** How much of that is kept. */
const KEPT_CHARS = 4_000;

/** Starts `sftpx` with `args`. */
export function start(options: StartOptions): Running {
  const [program = "", ...before] = options.command;
  const child = new Deno.Command(program, {
    args: [...before, ...options.args],
    cwd: options.cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    clearEnv: true,
    env: ownEnvironment(options.cwd),
  }).spawn();
  const waiting = new Map<string, PromiseWithResolvers<PrintedEvent>>();
  let words = "";
  const keep = (line: string): void => {
    words = `${words}${line}\n`.slice(-KEPT_CHARS);
  };

  const readEvents = async (): Promise<void> => {
    for await (const line of lines(child.stdout)) {
      const event = parseEvent(line);
      if (event === undefined) continue;
      options.onEvent?.(event);
      if (event.type === "error") keep(`${event["message"]}`);
      waiting.get(event.type)?.resolve(event);
      waiting.delete(event.type);
    }
  };
  const readWords = async (): Promise<void> => {
    for await (const line of lines(child.stderr)) {
      keep(line);
    }
  };
  const finish = async (): Promise<number> => {
    const [status] = await Promise.all([
      child.status,
      readEvents(),
      readWords(),
    ]);
    for (const { reject } of waiting.values()) {
      reject(
        new Error(`Cannot go on: sftpx ended with ${status.code}\n${words}`),
      );
    }
    return status.code;
  };
  const ended = finish();
  const signal = (name: Deno.Signal): void => {
    try {
      child.kill(name);
    } catch {
      // It has ended already.
    }
  };
  return {
    pid: child.pid,
    ended,
    next(type) {
      const wait = waiting.get(type) ?? Promise.withResolvers<PrintedEvent>();
      waiting.set(type, wait);
      return wait.promise;
    },
    stop: () => signal("SIGTERM"),
    async kill() {
      signal("SIGKILL");
      await ended;
    },
    lastWords: () => words,
  };
}

/** A UDP port of loopback that nobody has now. */
export function freePort(): number {
  const socket = Deno.listenDatagram({
    transport: "udp",
    hostname: "127.0.0.1",
    port: 0,
  });
  const { port } = socket.addr as Deno.NetAddr;
  socket.close();
  return port;
}

/** This environment, but for the settings of the one who runs this. */
function ownEnvironment(configHome: string): Record<string, string> {
  const kept = Object.entries(Deno.env.toObject())
    .filter(([name]) => !name.startsWith("SFTPX_"));
  return {
    ...Object.fromEntries(kept),
    XDG_CONFIG_HOME: configHome,
    NO_COLOR: "1",
  };
}

/** Reads one line of `--json`; `undefined` for what is no event. */
export function parseEvent(line: string): PrintedEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && "type" in value &&
        typeof value.type === "string"
      ? value as PrintedEvent
      : undefined;
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
