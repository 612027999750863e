/**
 * Logs: events with stable names and flat fields, for people or for programs.
 *
 * @module
 */
import { type Clock, systemClock } from "./clock.ts";
import { printable, printableJson } from "./escape.ts";

/** What a log field may hold: never a key, a path's content or a payload. */
export type Field = string | number | boolean;

/** Structured events: the name is the meaning, the fields are the data. */
export interface Log {
  /** Records that something happened. */
  event(name: string, fields?: Readonly<Record<string, Field>>): void;
  /** A log whose events all have these fields too. */
  child(fields: Readonly<Record<string, Field>>): Log;
}

/** A log that keeps nothing. */
export const nullLog: Log = {
  event: () => {},
  child: () => nullLog,
};

/** How much an event matters, most first. */
export const LEVELS = ["warn", "info", "debug"] as const;

/** How much an event matters. */
export type Level = typeof LEVELS[number];

/** Which events, and when they say that it is. */
export interface LogOptions {
  /** The least that is written. @default {"info"} */
  readonly level?: Level;
  /** Decides what an event matters. @default {levelOf} */
  readonly levelOf?: (name: string) => Level;
  /**
   * Stamps the events.
   *
   * @default {systemClock}
   */
  readonly clock?: Clock;
}

/** The defaults of `textLog` and `jsonLog`. */
export const DEFAULT_LOG_OPTIONS: Required<LogOptions> = Object.freeze({
  level: "info",
  levelOf,
  clock: systemClock,
});

/** Writes one line of text. */
export type WriteLine = (line: string) => void;

/**
 * Creates a log for people: time, name, `key=value`, with what is not plain in
 * quotes. A line holds no control characters, whatever the fields do.
 *
 * @param write Takes a line without its end. What it throws is dropped, for
 * nothing shall fail because of the log.
 */
export function textLog(write: WriteLine, options: LogOptions = {}): Log {
  return lines(write, options, ({ time, level, event, ...fields }) => {
    const words = [String(time), printable(String(event))];
    if (level === "warn") words.splice(1, 0, "warn");
    for (const [key, value] of Object.entries(fields)) {
      words.push(`${printable(key)}=${quoted(value)}`);
    }
    return words.join(" ");
  });
}

/** Creates a log for programs: one JSON object a line, with `time`, `level` and `event` first. */
export function jsonLog(write: WriteLine, options: LogOptions = {}): Log {
  return lines(write, options, printableJson);
}

/** Judges an event by its name: the last word tells trouble, the first tells detail. */
export function levelOf(name: string): Level {
  if (TROUBLE.test(name)) return "warn";
  return DETAIL.test(name) ? "debug" : "info";
}

const TROUBLE =
  /(^|[.-])(crash|corrupt|dropped|failed|lost|refused|stalled|stuck|warning)$/;
const DETAIL = /^(actor|chunk|debug|frame|hash|journal|lane|store)\./;

function lines(
  write: WriteLine,
  options: LogOptions,
  format: (record: Readonly<Record<string, Field>>) => string,
): Log {
  const { level: least, levelOf, clock } = {
    ...DEFAULT_LOG_OPTIONS,
    ...options,
  };
  const over = (context: Readonly<Record<string, Field>>): Log => ({
    event(name, fields = {}) {
      const level = levelOf(name);
      if (LEVELS.indexOf(level) > LEVELS.indexOf(least)) return;
      const time = new Date(clock.wallMs()).toISOString();
      try {
        write(format({ time, level, event: name, ...context, ...fields }));
      } catch {
        // There is no place left to tell it.
      }
    },
    child: (fields) => over({ ...context, ...fields }),
  });
  return over({});
}

const PLAIN = /^[\w.:/@+-]+$/;

function quoted(value: Field): string {
  const text = String(value);
  if (PLAIN.test(text)) return text;
  return `"${printable(text.replaceAll(/["\\]/g, "\\$&"))}"`;
}
