/**
 * The program: reads what was asked for, and does it.
 *
 * @module
 */
import type {
  ReceiveOptions,
  Receiver,
  SendOptions,
  SendResult,
} from "../actors/options.ts";
import type { Asked, Shown } from "./args.ts";
import { exitAfter, report } from "./exit.ts";
import { type Io, processIo } from "./io.ts";
import type { Log } from "../core/log.ts";
import { createLog, createOutput } from "./create_output.ts";
import type { Output, Style } from "./output.ts";
import { quickArgs } from "./quick_args.ts";
import type { Values } from "./settings.ts";
import type { COMMON } from "./tables.ts";
import { VERSION } from "./version.ts";

/** What moves the bytes. */
export interface Library {
  send(options: SendOptions): Promise<SendResult>;
  receive(options: ReceiveOptions): Promise<Receiver>;
}

/** What a command runs in. */
export interface Surroundings {
  readonly io: Io;
  readonly output: Output;
  readonly library: () => Promise<Library>;
  readonly signal: AbortSignal;
  /** What the parts of the program do, where that was asked for. */
  readonly log?: Log;
}

/**
 * Runs one command line.
 *
 * @param library Loads `mod.ts`, or what a test has in its place.
 * @returns The exit code.
 */
export async function main(
  args: readonly string[],
  io: Io,
  library: () => Promise<Library>,
  signal: AbortSignal,
): Promise<number> {
  if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) {
    io.out(`${VERSION}\n`); // without loading anything
    return 0;
  }
  let output = await createOutput(io, guessedStyle(args, io), "send");
  let code: number;
  try {
    const asked = await read(args, io);
    if (asked.command === "show") {
      io.out(asked.text);
      return 0;
    }
    const style = fullStyle(asked.flags);
    const role = asked.command === "send" ? "send" : "recv";
    output = await createOutput(io, style, role);
    const log = await createLog(io, style);
    const surroundings: Surroundings = {
      io,
      output,
      library,
      signal,
      ...(log && { log }),
    };
    if (asked.command !== "init") {
      const { keepHeapSmall } = await import("./heap.ts");
      keepHeapSmall();
    }
    switch (asked.command) {
      case "init": {
        const { init } = await import("./init.ts");
        code = await init(ownOf(asked.flags), surroundings);
        break;
      }
      case "recv": {
        const { recv } = await import("./recv.ts");
        code = await recv(ownOf(asked.flags), surroundings);
        break;
      }
      case "send": {
        const { send } = await import("./send.ts");
        code = await send(asked.paths, ownOf(asked.flags), surroundings);
        break;
      }
    }
  } catch (error) {
    code = report(output, error, signal);
  }
  output.end(code);
  return code;
}

/** Reads the command line, and what is set elsewhere. */
async function read(args: readonly string[], io: Io): Promise<Asked | Shown> {
  const { mayHaveConfig, readConfig, settled } = await import("./config.ts");
  const quick = quickArgs(args, io.env);
  if (quick !== undefined && !await mayHaveConfig(io)) return quick;
  const { readArgs } = await import("./args.ts");
  const { ALL, COMMON, INIT, RECV, SEND } = await import("./tables.ts");
  const asked = readArgs(args, VERSION, io.columns());
  if (asked.command === "show") return asked;
  const given = await readConfig(io, ALL);
  const common = settled(COMMON, asked.flags, given);
  switch (asked.command) {
    case "init": {
      const flags = { ...settled(INIT, asked.flags, given), ...common };
      return { ...asked, flags };
    }
    case "recv": {
      const flags = { ...settled(RECV, asked.flags, given), ...common };
      return { ...asked, flags };
    }
    case "send": {
      const flags = { ...settled(SEND, asked.flags, given), ...common };
      return { ...asked, flags };
    }
  }
}

/** The flags of a command without those that all have. */
function ownOf<T extends Values<typeof COMMON>>(
  flags: T,
): Omit<T, keyof typeof COMMON> {
  const { json: _, quiet: __, verbose: ___, logFormat: ____, ...own } = flags;
  return own;
}

/** What moves the bytes; each half is loaded when it is used. */
const LIBRARY: Library = {
  send: async (options) => (await import("../actors/send.ts")).send(options),
  receive: async (options) =>
    (await import("../actors/receive.ts")).receive(options),
};

/** How to speak of a command line that cannot be read. */
function guessedStyle(args: readonly string[], io: Io): Style {
  const end = args.indexOf("--");
  const flags = end < 0 ? args : args.slice(0, end);
  const isOn = (variable: string): boolean =>
    /^(1|true|yes|on)$/i.test(io.env(variable) ?? "");
  return fullStyle({
    json: flags.includes("--json") ||
      isOn("SFTPX_JSON") && !flags.includes("--no-json"),
    verbose: flags.some((flag) => flag === "--verbose" || flag === "-v"),
  });
}

function fullStyle(
  style: { [K in keyof Style]?: Style[K] | undefined },
): Style {
  const quiet = style.quiet ?? false;
  return {
    json: style.json ?? false,
    quiet,
    verbose: !quiet && (style.verbose ?? false),
    logFormat: style.logFormat ?? "text",
  };
}

if (import.meta.main) {
  const io = processIo();
  await exitAfter(
    (signal) => main(Deno.args, io, () => Promise.resolve(LIBRARY), signal),
  );
}
