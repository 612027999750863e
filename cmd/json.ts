/**
 * NDJSON: one event a line, each with a `type`.
 *
 * @module
 */
import { printableJson } from "../core/escape.ts";
import type { TransferEvent } from "../core/events.ts";
import type { Io } from "./io.ts";
import { isTrouble, type Output, type Style } from "./output.ts";

/**
 * Everything on standard output, and `exit` last; or, with `--log-format json`
 * alone, the talk on standard error and the data as it is.
 */
export function jsonOutput(io: Io, style: Style): Output {
  const say = (event: object): void =>
    (style.json ? io.out : io.err)(`${printableJson(event)}\n`);
  return {
    event(event) {
      if (isWanted(event, style)) {
        say(event);
      }
    },
    note(words) {
      if (!style.json && !style.quiet) { // with --json the events say it all
        say({ type: "note", message: words });
      }
    },
    data(line, event) {
      if (style.json) {
        say(event);
      } else {
        io.out(`${line}\n`);
      }
    },
    error: ({ code, message, hint, stack }) =>
      say({ type: "error", code, message, hint, stack }),
    end(code) {
      if (style.json) {
        say({ type: "exit", code });
      }
    },
  };
}

/** With `--json`, all; otherwise what the text would say as well. */
function isWanted(event: TransferEvent, style: Style): boolean {
  if (style.json || isTrouble(event)) {
    return true;
  }
  return !style.quiet && (style.verbose || event.type !== "entry");
}
