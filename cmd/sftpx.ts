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
import { exitAfter, report } from "./exit.ts";
import { type Io, processIo } from "./io.ts";
import type { Log } from "../core/log.ts";
import { createLog, createOutput } from "./create_output.ts";
import type { Output, Style } from "./output.ts";
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
    const { readArgs } = await import("./args.ts");
    const { ALL, COMMON, DOCTOR, HELPER, INIT, RECV, SEND } = await import(
      "./tables.ts"
    );
    const { withBareCode } = await import("./code_words.ts");
    const asked = readArgs(withBareCode(args), VERSION, io.columns());
    if (asked.command === "show") {
      io.out(asked.text);
      return 0;
    }
    const { readConfig, settled } = await import("./config.ts");
    const { XFTP_ALL } = await import("./xftp_tables.ts");
    const given = await readConfig(io, { ...ALL, ...XFTP_ALL });
    const style = settled(COMMON, asked.flags, given);
    const isSending = asked.command === "send" ||
      asked.command === "xftp" && asked.action === "send";
    const role = isSending ? "send" : "recv";
    output = await createOutput(io, fullStyle(style), role);
    const log = await createLog(io, {
      ...fullStyle(style),
      ...asked.command === "helper" && { verbose: style.quiet !== true },
    });
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
        code = await init(settled(INIT, asked.flags, given), surroundings);
        break;
      }
      case "recv": {
        const { from } = asked;
        if (from !== undefined) {
          const { fetchStored, isStored } = await import("./xftp.ts");
          if (isStored(from)) {
            code = await fetchStored(from, asked.flags, given, surroundings);
            break;
          }
        }
        const { recv } = await import("./recv.ts");
        const flags = settled(RECV, asked.flags, given);
        code = await recv(from, flags, surroundings);
        break;
      }
      case "router": {
        const { router } = await import("./router.ts");
        code = await router(asked, given, surroundings);
        break;
      }
      case "helper": {
        const { helper } = await import("./helper.ts");
        const flags = settled(HELPER, asked.flags, given);
        code = await helper(flags, surroundings);
        break;
      }
      case "send": {
        if (asked.flags.router === undefined) {
          const { send } = await import("./send.ts");
          const flags = settled(SEND, asked.flags, given);
          const named = { args: asked.paths, to: asked.flags.to };
          code = await send(named, flags, surroundings);
        } else {
          const { store } = await import("./xftp.ts");
          const { paths, flags } = asked;
          code = await store(paths, flags, given, surroundings);
        }
        break;
      }
      case "xftp": {
        const { xftp } = await import("./xftp.ts");
        code = await xftp(asked, given, surroundings);
        break;
      }
      case "doctor": {
        const { doctor } = await import("./doctor.ts");
        const flags = settled(DOCTOR, asked.flags, given);
        code = await doctor(flags, surroundings);
        break;
      }
    }
  } catch (error) {
    code = report(output, error, signal);
  }
  output.end(code);
  return code;
}

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
    (signal) => main(Deno.args, io, () => import("../mod.ts"), signal),
  );
}
