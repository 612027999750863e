/**
 * What the program does: reads what was asked for, and does it.
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
import type { Given } from "./config.ts";
import { report } from "./exit.ts";
import type { Io } from "./io.ts";
import type { Log } from "../core/log.ts";
import { createLog, createOutput } from "./create_output.ts";
import type { Output, Style } from "./output.ts";
import type { Parts } from "./parts.ts";
import { quickArgs } from "./quick_args.ts";
import type { Table, Values } from "./settings.ts";
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
  /** The rest of the program. */
  readonly parts: Parts;
  readonly signal: AbortSignal;
  /** What the parts of the program do, where that was asked for. */
  readonly log?: Log;
}

/**
 * Runs one command line.
 *
 * @param library Loads `mod.ts`, or what a test has in its place.
 * @param parts Loads the rest of the program.
 * @returns The exit code.
 */
export async function main(
  args: readonly string[],
  io: Io,
  library: () => Promise<Library>,
  signal: AbortSignal,
  parts: Parts,
): Promise<number> {
  if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) {
    io.out(`${VERSION}\n`); // without loading anything
    return 0;
  }
  let output = await createOutput(io, guessedStyle(args, io), "send");
  let code: number;
  try {
    const { asked, common, given, own } = await read(args, io, parts);
    if (asked.command === "show") {
      io.out(asked.text);
      return 0;
    }
    const isSending = asked.command === "send" ||
      asked.command === "xftp" && asked.action === "send";
    const style = fullStyle(common);
    output = await createOutput(io, style, isSending ? "send" : "recv");
    const log = await createLog(io, {
      ...style,
      ...asked.command === "helper" && { verbose: !style.quiet },
    });
    const surroundings: Surroundings = {
      io,
      output,
      library,
      parts,
      signal,
      ...(log && { log }),
    };
    if (asked.command !== "init") {
      const { keepHeapSmall } = await import("./heap.ts");
      keepHeapSmall();
    }
    switch (asked.command) {
      case "init": {
        const { init } = await parts.init();
        code = await init(own("INIT", asked.flags), surroundings);
        break;
      }
      case "recv": {
        const { from } = asked;
        if (from !== undefined) {
          const { fetchStored, isStored } = await parts.xftp();
          if (isStored(from)) {
            code = await fetchStored(from, asked.flags, given, surroundings);
            break;
          }
        }
        const { recv } = await parts.recv();
        code = await recv(from, own("RECV", asked.flags), surroundings);
        break;
      }
      case "send": {
        const { paths, flags } = asked;
        if (flags.router !== undefined) {
          const { store } = await parts.xftp();
          code = await store(paths, flags, given, surroundings);
          break;
        }
        const { send } = await parts.send();
        const named = { args: paths, to: flags.to };
        code = await send(named, own("SEND", flags), surroundings);
        break;
      }
      case "router": {
        const { router } = await parts.router();
        code = await router(asked, given, surroundings);
        break;
      }
      case "helper": {
        const { helper } = await parts.helper();
        const flags = own("HELPER", asked.flags);
        code = await helper(flags, surroundings, asked.port);
        break;
      }
      case "sender":
      case "receiver": {
        const { receiver, sender } = await parts.qft();
        const run = asked.command === "sender" ? sender : receiver;
        const flags = { ...own("QFT", asked.flags), ...common };
        code = await run(asked.given, flags, surroundings);
        break;
      }
      case "xftp": {
        const { xftp } = await parts.xftp();
        code = await xftp(asked, given, surroundings);
        break;
      }
      case "doctor": {
        const { doctor } = await parts.doctor();
        code = await doctor(own("DOCTOR", asked.flags), surroundings);
        break;
      }
    }
  } catch (error) {
    code = report(output, error, signal);
  }
  output.end(code);
  return code;
}

/** The tables of settings, by name: loading them takes a while. */
type Tables = typeof import("./tables.ts");
type TableName = "INIT" | "RECV" | "SEND" | "HELPER" | "QFT" | "DOCTOR";

/** What was asked for, and what is set elsewhere. */
interface Request {
  readonly asked: Asked | Shown;
  readonly common: Values<typeof COMMON>;
  readonly given: Given;
  /** The settings of a table, wherever they were given. */
  own<N extends TableName>(
    name: N,
    flags: Values<Tables[N]>,
  ): Values<Tables[N]>;
}

/** Nothing is set outside the command line. */
const NOTHING: Given = { read: () => undefined };

/** Reads the command line, and what is set elsewhere. */
async function read(
  args: readonly string[],
  io: Io,
  parts: Parts,
): Promise<Request> {
  const { mayHaveConfig, readConfig, settled } = await import("./config.ts");
  const quick = quickArgs(args, io.env);
  if (quick !== undefined && !mayHaveConfig(io)) {
    const own: Request["own"] = (_, flags) => ownOf(flags) as typeof flags;
    return { asked: quick, common: quick.flags, given: NOTHING, own };
  }
  const { readArgs } = await parts.args();
  const tables = await parts.tables();
  const { withBareCode } = await parts.codeWords();
  const asked = readArgs(withBareCode(args), VERSION, io.columns());
  const { XFTP_ALL } = await parts.xftpTables();
  const given = asked.command === "show"
    ? NOTHING
    : await readConfig(io, { ...tables.ALL, ...XFTP_ALL });
  const flags = asked.command === "show" ? {} : asked.flags;
  return {
    asked,
    common: settled(tables.COMMON, flags as Values<typeof COMMON>, given),
    given,
    own: (name, flags) =>
      settled(tables[name] as Table, flags, given) as typeof flags,
  };
}

/** The flags of a command without those that all have. */
function ownOf(flags: Readonly<Record<string, unknown>>): object {
  const { json: _, quiet: __, verbose: ___, logFormat: ____, ...own } = flags;
  return own;
}

/** What moves the bytes; each half is loaded when it is used. */
export function libraryOf(parts: Parts): Library {
  return {
    send: async (options) =>
      (await parts.sendFiles()).sendFiles(options, parts),
    receive: async (options) => (await parts.receive()).receive(options),
  };
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
