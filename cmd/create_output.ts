/**
 * The choice of how a command speaks; what is not chosen is not loaded.
 *
 * @module
 */
import type { Log } from "../core/log.ts";
import type { Io } from "./io.ts";
import type { Output, Role, Style } from "./output.ts";

/** Makes the output that `style` asks for. */
export async function createOutput(
  io: Io,
  style: Style,
  role: Role,
): Promise<Output> {
  if (style.json || style.logFormat === "json") {
    const { jsonOutput } = await import("./json.ts");
    return jsonOutput(io, style);
  }
  const { textOutput } = await import("./render.ts");
  return textOutput(io, style, role);
}

/** Makes the log that `--verbose` asks for, on standard error. */
export async function createLog(
  io: Io,
  style: Style,
): Promise<Log | undefined> {
  if (!style.verbose) return undefined;
  const { jsonLog, textLog } = await import("../core/log.ts");
  const write = (line: string): void => io.err(`${line}\n`);
  return style.logFormat === "json" ? jsonLog(write) : textLog(write);
}
