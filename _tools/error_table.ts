/**
 * Writes the table of errors in docs/operations.md from `core/errors.ts`; with
 * `--check`, says whether it is as it should be.
 *
 * @module
 */
import { type ErrorCode, ERRORS } from "../core/errors.ts";
import { say, verdict } from "./say.ts";
import { ROOT } from "./tree.ts";

const PATH = `${ROOT}docs/operations.md`;
const BEGIN = "<!-- errors: written by _tools/error_table.ts -->";
const END = "<!-- errors: end -->";

/** When each happens, in the words of someone who runs SFTPX. */
const WHEN: Readonly<Record<ErrorCode, string>> = {
  "usage": "the command line is wrong",
  "config": "a configuration, certificate, key or token file is wrong",
  "unreachable": "nobody answers at that address",
  "connection-lost": "the connection broke, and did not come back in time",
  "peer-busy": "the peer is at a limit of its own",
  "duplicate": "the same transfer is already running",
  "unauthorized": "wrong certificate, fingerprint or token",
  "protocol": "the peer broke the rules of the conversation",
  "integrity": "content is not what it should be, even when sent again",
  "local-io": "a full disk, a missing permission, a bad path on this side",
  "cancelled": "Ctrl-C here, or the peer cancelled",
  "internal": "a bug",
};

/** The table, as Markdown. */
export function errorTable(): string {
  const rows = Object.entries(ERRORS).map(([code, info]) => [
    `\`${code}\``,
    String(info.exit),
    info.close === 0 ? "–" : `0x${info.close.toString(16)}`,
    info.retry ? "yes" : "no",
    WHEN[code as ErrorCode],
  ]);
  const head = ["code", "exit", "QUIC close", "tried again", "when"];
  const all = [head, ...rows];
  const widths = head.map((_, i) =>
    Math.max(...all.map((row) => row[i]?.length ?? 0))
  );
  const line = (row: string[]): string =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const rule = widths.map((width) => "-".repeat(width));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

/** Returns `text` with the table between its two marks renewed. */
export function withErrorTable(text: string): string {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) {
    throw new Error(`Cannot place the error table: "${BEGIN}" is missing`);
  }
  return `${text.slice(0, begin)}${BEGIN}\n\n${errorTable()}\n\n${
    text.slice(end)
  }`;
}

if (import.meta.main) {
  const text = await Deno.readTextFile(PATH);
  const wanted = withErrorTable(text);
  if (Deno.args.includes("--check")) {
    verdict(
      "error table",
      text === wanted
        ? []
        : ["docs/operations.md is behind core/errors.ts: run deno task errors"],
    );
  } else if (text !== wanted) {
    await Deno.writeTextFile(PATH, wanted);
    say("error table: written");
  }
}
