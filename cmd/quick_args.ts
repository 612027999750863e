/**
 * Plain command lines, read without the parser, which takes longer to load than
 * a small file takes to send.
 *
 * What is read here is what the parser would have read; whatever is not plain
 * (a short flag, a number, a choice, help, a mistake, a variable of the
 * environment) is left to it.
 *
 * @module
 */
import type { Asked } from "./args.ts";

/** Flags whose value is taken as it is. */
const TEXTS = {
  recv: ["bind", "upload-dir", "certs", "token-file", "resume-dir"],
  send: ["to", "cert", "token-file", "name", "certs", "resume-dir"],
} as const;

/** Flags without a value. */
const TOGGLES = {
  recv: ["once", "open", "allow-hidden"],
  send: ["follow", "fresh", "checksum", "b3sum"],
} as const;

const COMMON_TOGGLES = ["json", "quiet", "verbose"] as const;

/** Every setting's name: a variable for any of them is for the parser. */
export const NAMES: readonly string[] = [
  ...new Set([...TEXTS.recv, ...TEXTS.send, ...TOGGLES.recv, ...TOGGLES.send]),
  ...COMMON_TOGGLES,
  ...["log-format", "ip", "dns", "days", "force", "carrier", "on-conflict"],
  ...["links", "max-size", "max-files", "max-sessions", "keep-free"],
  ...["exclude", "ignore-file", "limit-rate", "streams", "connections", "cc"],
  ...["chunk-size", "give-up-after"],
  ...[
    "code",
    "helper",
    "stun",
    "local",
    "direct-only",
    "relay-only",
    "lan-only",
    "words",
    "metrics",
    "relay",
    "expire",
    "max-peers",
    "quota",
    "files",
    "host",
    "port",
    "with-password",
    "router-dir",
    "yes",
    "router",
    "recipients",
    "out-dir",
    "qr",
    "attempts",
    "unpack",
    "router-connections",
    "threads",
  ],
];

type Plain = Extract<Asked, { command: "send" | "recv" }>;

/** What a plain line asks for; `undefined` when the parser must say. */
export function quickArgs(
  args: readonly string[],
  env: (name: string) => string | undefined,
): Plain | undefined {
  const [command, ...rest] = args;
  if (command !== "send" && command !== "recv") return undefined;
  if (NAMES.some((name) => env(variableOf(name)) !== undefined)) {
    return undefined;
  }
  const texts: readonly string[] = TEXTS[command];
  const toggles: readonly string[] = [...TOGGLES[command], ...COMMON_TOGGLES];
  const flags: Record<string, string | true> = {};
  const paths: string[] = [];
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at] ?? "";
    if (!word.startsWith("-")) {
      if (command === "recv" || word.trim() === "") return undefined;
      paths.push(word);
      continue;
    }
    const name = word.slice(2);
    const key = name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
    if (word !== `--${name}` || key in flags) return undefined;
    if (toggles.includes(name)) flags[key] = true;
    else {
      const value = rest[++at] ?? "";
      const isPlain = value.trim() !== "" && !value.startsWith("-");
      if (!texts.includes(name) || !isPlain) return undefined;
      flags[key] = value;
    }
  }
  // Flags that were not given are undefined whether they are there or not.
  return (command === "send"
    ? { command, paths, flags }
    : { command, from: undefined, flags }) as unknown as Plain;
}

/** `upload-dir` is `SFTPX_UPLOAD_DIR`. */
export function variableOf(name: string): string {
  return `SFTPX_${name.replaceAll("-", "_").toUpperCase()}`;
}
