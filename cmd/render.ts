/**
 * Talk for people: lines when something happens, and on a terminal one line
 * that shows how far a transfer is.
 *
 * @module
 */
import type { Path, TransferEvent } from "../core/events.ts";
import { printable, quoted } from "../store/paths.ts";
import type { Io } from "./io.ts";
import {
  isLeft,
  isTrouble,
  type Output,
  type Role,
  type Style,
} from "./output.ts";
import { createProgress } from "./progress.ts";
import { formatCount, formatDuration, formatSize } from "./units.ts";
import { lowered } from "./words.ts";

/** Where nobody watches, progress is a line now and then. */
const LINE_EVERY_MS = 5000;

/** Talk as text on standard error. */
export function textOutput(io: Io, style: Style, role: Role): Output {
  const progress = createProgress();
  const live = io.isTerminal.stderr && !style.quiet;
  let shown = "";
  let lastLineMs = io.now();
  const erase = (): void => {
    if (shown !== "") {
      io.err("\r\x1b[K");
      shown = "";
    }
  };
  const line = (words: string): void => {
    erase();
    io.err(`${printable(words)}\n`);
  };
  const note = (words: string): void => {
    if (!style.quiet) {
      line(words);
    }
  };
  const showProgress = (): void => {
    if (style.quiet || !progress.isKnown) return erase();
    if (!live && io.now() - lastLineMs < LINE_EVERY_MS) return;
    const now = progress.line() ?? "";
    if (!live) {
      lastLineMs = io.now();
      line(now);
      return;
    }
    const cut = now.slice(0, Math.max(10, io.columns() - 1));
    if (cut !== shown) {
      io.err(`\r${cut}\x1b[K`);
      shown = cut;
    }
  };
  return {
    note,
    event(event) {
      const resumed = progress.event(event);
      if (resumed !== undefined) {
        note(resumed);
      }
      if (event.type === "entry" && event.b3sum !== undefined) {
        erase();
        io.out(`${event.b3sum}  ${printable(event.path)}\n`);
      }
      const words = wordsOf(event, role, style.verbose);
      if (words !== undefined) {
        (isTrouble(event) ? line : note)(words);
      }
      // An entry changes nothing of that line, and there may be many of them.
      if (event.type !== "entry" || shown === "") showProgress();
    },
    data(words) {
      erase();
      io.out(`${words}\n`);
    },
    error({ message, hint, stack }) {
      line(`sftpx: ${lowered(message)}`);
      if (hint !== undefined) {
        line(`hint: ${hint}`);
      }
      if (stack !== undefined && style.verbose) {
        stack.split("\n").forEach(line);
      }
    },
    end: erase,
  };
}

/** How the other side is reached, where that is more than its address. */
const PATH_WORDS: Readonly<Record<Path, string>> = {
  direct: "",
  lan: " on the local network",
  punched: " through a hole in a NAT",
  relayed: " by way of the relay",
  router: "",
};

/** What is said of an event, if anything. */
function wordsOf(
  event: TransferEvent,
  role: Role,
  verbose: boolean,
): string | undefined {
  switch (event.type) {
    case "listening":
      return `listening on ${event.address}, fingerprint ${event.fingerprint}`;
    case "connecting":
      return verbose || event.attempt === 2
        ? `connecting to ${event.address}, attempt ${event.attempt}`
        : undefined;
    case "connected":
      return role === "send" || verbose
        ? `connected to ${event.remote}${
          event.carrier === "tcp" ? " over TCP" : ""
        }${PATH_WORDS[event.path]}`
        : undefined;
    case "reconnecting":
      return `${
        event.code === "connection-lost" ? "connection lost, " : ""
      }connecting again: ${lowered(event.reason)}`;
    case "moved":
      return event.side === "peer"
        ? `the peer moved from ${event.from} to ${event.to}`
        : `this machine moved from ${event.from} to ${event.to}`;
    case "started":
      return role === "recv"
        ? `receiving ${quoted(event.label)} from ${event.remote}`
        : undefined;
    case "paused":
      return `paused: ${event.reason}`;
    case "entry":
      return entryWords(event, role, verbose);
    case "warning":
      return `warning: ${event.message}`;
    case "done":
      return doneWords(event, role);
    case "failed":
      return role === "recv"
        ? `a transfer failed: ${lowered(event.message)}`
        : undefined; // the error itself is told when the command ends
    default:
      return undefined;
  }
}

function entryWords(
  event: Extract<TransferEvent, { type: "entry" }>,
  role: Role,
  verbose: boolean,
): string | undefined {
  const { path, outcome, finalPath, reason = "no reason given" } = event;
  if (isLeft(event)) {
    const what = role === "send" ? "not sent" : "not received";
    return `${what}: ${quoted(path)}: ${reason}`;
  }
  if (!verbose) {
    return undefined;
  }
  const done = outcome === "received" && role === "send" ? "sent" : outcome;
  const place = finalPath === undefined ? "" : ` as ${quoted(finalPath)}`;
  return `${done} ${quoted(path)}${place}`;
}

function doneWords(
  { totals, ms }: Extract<TransferEvent, { type: "done" }>,
  role: Role,
): string {
  const rate = totals.sent / Math.max(ms / 1000, 0.001);
  const parts = [
    `${role === "send" ? "sent" : "received"} ${formatSize(totals.sent)} in ` +
    `${formatDuration(ms)} (${formatSize(Math.round(rate))}/s)`,
    `${formatCount(totals.entries)} ${
      totals.entries === 1 ? "entry" : "entries"
    }, ${formatSize(totals.bytes)} verified`,
  ];
  if (totals.reused > 0) {
    parts.push(`${formatSize(totals.reused)} were there already`);
  }
  if (totals.skipped > 0) {
    parts.push(`${formatCount(totals.skipped)} skipped`);
  }
  if (totals.failed > 0) {
    parts.push(`${formatCount(totals.failed)} failed`);
  }
  return parts.join("; ");
}
