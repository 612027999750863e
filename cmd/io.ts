/**
 * What commands need of the process that they run in, so that a test can be it.
 *
 * @module
 */
import type { CodeLine } from "./code_line.ts";

/** The process as a command sees it. */
export interface Io {
  /** Writes data. */
  out(text: string): void;
  /** Writes talk. */
  err(text: string): void;
  readonly isTerminal: {
    readonly stdin: boolean;
    readonly stdout: boolean;
    readonly stderr: boolean;
  };
  /** Width of the terminal in which the talk is; 80 when there is none. */
  columns(): number;
  /** A variable of the environment; an empty one is as good as none. */
  env(name: string): string | undefined;
  readonly stdin: ReadableStream<Uint8Array>;
  /** Asks for something that is not shown while it is typed. */
  askSecret(question: string): string | undefined;
  /** Asks for a code, which is typed on `line`; it is shown, as it is read out anyway. */
  askCode?(question: string, line: CodeLine): string | undefined;
  /** Milliseconds of a clock that only goes forward. */
  now(): number;
  /** What day it is. */
  date(): Date;
  /** Addresses of this machine. */
  addresses(): readonly string[];
}

/** The real one. */
export function processIo(): Io {
  const out = writer(Deno.stdout);
  const err = writer(Deno.stderr);
  return {
    out,
    err,
    isTerminal: {
      stdin: Deno.stdin.isTerminal(),
      stdout: Deno.stdout.isTerminal(),
      stderr: Deno.stderr.isTerminal(),
    },
    columns() {
      try {
        return Deno.consoleSize().columns || 80;
      } catch { // not a terminal
        return 80;
      }
    },
    env: (name) => Deno.env.get(name) || undefined,
    get stdin() { // not before it is wanted: streams take 7 ms to load
      return Deno.stdin.readable;
    },
    askSecret: (question) => {
      Deno.stdin.setRaw(true); // first: an eager typist must not be seen
      try {
        err(question);
        return readLine();
      } finally {
        Deno.stdin.setRaw(false);
        err("\n");
      }
    },
    askCode: (question, line) => {
      Deno.stdin.setRaw(true);
      try {
        return readCode(question, line, err);
      } finally {
        Deno.stdin.setRaw(false);
        err("\n");
      }
    },
    now: () => performance.now(),
    date: () => new Date(),
    addresses: () => Deno.networkInterfaces().map(({ address }) => address),
  };
}

/** Writes all of it at once, so that nothing is lost when the process ends. */
function writer(to: { writeSync(bytes: Uint8Array): number }) {
  const encoder = new TextEncoder();
  let isOpen = true;
  return (text: string): void => {
    let rest = encoder.encode(text);
    while (isOpen && rest.length > 0) {
      try {
        rest = rest.subarray(to.writeSync(rest));
      } catch (error) {
        if (error instanceof Deno.errors.WouldBlock) {
          continue;
        }
        isOpen = false; // nobody reads it any more: the work goes on
      }
    }
  };
}

/** Reads a code in raw mode, and shows it; `undefined` when it was broken off. */
function readCode(
  question: string,
  line: CodeLine,
  err: (text: string) => void,
): string | undefined {
  const buffer = new Uint8Array(1);
  for (;;) {
    err(`\r\x1b[K${question}${line.text}`);
    const read = Deno.stdin.readSync(buffer);
    const state = line.key(read === null ? 0x04 : buffer[0] ?? 0);
    if (state === "done") return line.text;
    if (state === "broken") return undefined;
    if (line.choices.length > 0) err(`\r\n${line.choices.join("  ")}\r\n`);
  }
}

/** Reads a line in raw mode; `undefined` when it was broken off. */
function readLine(): string | undefined {
  const bytes: number[] = [];
  const buffer = new Uint8Array(1);
  for (;;) {
    const key = Deno.stdin.readSync(buffer) === null ? 0x04 : buffer[0];
    switch (key) {
      case undefined:
        break;
      case 0x03: // Ctrl-C
      case 0x04: // Ctrl-D
        return undefined;
      case 0x0a:
      case 0x0d:
        return new TextDecoder().decode(new Uint8Array(bytes));
      case 0x08:
      case 0x7f:
        bytes.pop();
        break;
      default:
        bytes.push(key);
    }
  }
}
