/**
 * Codes on the command line, and how little of them stays there.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { createCodeLine } from "./code_line.ts";
import { hinted } from "./hint.ts";
import type { Io } from "./io.ts";

/**
 * `--code` may stand alone: then it is as good as `--code=`, and a code is made,
 * or asked for.
 */
export function withBareCode(args: readonly string[]): readonly string[] {
  const end = args.indexOf("--");
  const flags = end < 0 ? args.length : end;
  return args.map((arg, at) => {
    const next = args[at + 1];
    const isBare = next === undefined || at + 1 >= flags ||
      next.startsWith("-");
    return arg === "--code" && at < flags && isBare ? "--code=" : arg;
  });
}

/** A link that says a code and where its helper is. */
export function codeLink(helper: string, code: string): string {
  return `sftpx+code://${helper}/#${code}`;
}

/** Reads such a link; `undefined` when it is none. */
export function readCodeLink(
  text: string,
): { readonly helper: string; readonly code: string } | undefined {
  const [, helper, code] =
    /^sftpx\+code:\/\/([^#]*?)\/?#(.*)$/is.exec(text.trim()) ?? [];
  return helper === undefined || code === undefined
    ? undefined
    : { helper, code };
}

/**
 * Takes the code that `SFTPX_CODE` holds, or asks for one.
 *
 * @throws {SftpxError} `usage` when there is nobody to ask.
 */
export function askCode(io: Io): string {
  const held = io.env("SFTPX_CODE");
  if (held) return held;
  if (!io.isTerminal.stdin || !io.isTerminal.stderr) {
    throw hinted(
      new SftpxError("usage", "Cannot receive: no code was given"),
      "SFTPX_CODE holds one as well",
    );
  }
  const answer = io.askCode?.("Code: ", createCodeLine()) ??
    io.askSecret("Code: ");
  if (answer === undefined) {
    throw new SftpxError("cancelled", "Cannot go on: interrupted");
  }
  return answer;
}

/**
 * Takes a secret out of what others see of this process in the list of
 * processes, where the system lets us (Linux): it stood there from the start
 * until now. Elsewhere it stays, and is good for one time all the same.
 *
 * @returns Whether nothing of it is left there.
 */
export async function hideArgument(argument: string): Promise<boolean> {
  if (Deno.build.os !== "linux" || argument.length < 3) return false;
  const wanted = new TextEncoder().encode(argument);
  try {
    const stat = await Deno.readTextFile("/proc/self/stat");
    // Fields count from after the name, which may hold anything: 48 and 49 of all.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [start, end] = [Number(fields[45]), Number(fields[46])];
    if (!(start > 0 && end > start)) return false;
    const memory = await Deno.open("/proc/self/mem", {
      read: true,
      write: true,
    });
    try {
      const bytes = new Uint8Array(Math.min(end - start, MAX_ARGUMENTS));
      await memory.seek(start, Deno.SeekMode.Start);
      const read = await memory.read(bytes) ?? 0;
      for (const at of wordsEqual(bytes.subarray(0, read), wanted)) {
        await memory.seek(start + at, Deno.SeekMode.Start);
        await memory.write(new Uint8Array(wanted.length).fill(0x78));
      }
      return true;
    } finally {
      memory.close();
    }
  } catch { // not allowed here: the code is burnt after one use all the same
    return false;
  }
}

/** All arguments together may have 2 MiB. */
const MAX_ARGUMENTS = 2 * 1024 * 1024;

/** Where the arguments stand that are `wanted`, or end in `=` and it. */
function wordsEqual(bytes: Uint8Array, wanted: Uint8Array): number[] {
  const found: number[] = [];
  let start = 0;
  for (let at = 0; at <= bytes.length; at++) {
    if (at < bytes.length && bytes[at] !== 0) continue;
    const word = bytes.subarray(start, at);
    const from = word.length - wanted.length;
    const isIt = from >= 0 && (from === 0 || word[from - 1] === 0x3d) &&
      wanted.every((byte, index) => word[from + index] === byte);
    if (isIt) found.push(start + from);
    start = at + 1;
  }
  return found;
}
