/**
 * One setting: a flag, an environment variable and a key of the configuration
 * file of the same name, read in the same way.
 *
 * `--upload-dir` is `SFTPX_UPLOAD_DIR` and `upload-dir:`. A flag that takes no
 * value is `true` or `false` there, and `--no-…` takes it back.
 *
 * @module
 */
import { object, or } from "@optique/core/constructs";
import { formatMessage, type Message, text } from "@optique/core/message";
import { map, multiple, optional } from "@optique/core/modifiers";
import type { NonEmptyString } from "@optique/core/nonempty";
import type { Parser } from "@optique/core/parser";
import { flag, option } from "@optique/core/primitives";
import type { ValueParser } from "@optique/core/valueparser";
import { lowered } from "./words.ts";

/** Something that can be set in three places. */
export interface Setting<T> {
  /** The flag without its dashes, and the key of the configuration file. */
  readonly name: string;
  /** Reads it from the command line; `undefined` when it is not there. */
  readonly parser: Parser<"sync", T | undefined, unknown>;
  /**
   * Reads it from what stands elsewhere.
   *
   * @throws {RangeError} That says what is wrong with it.
   */
  read(values: readonly string[]): T;
}

/** Settings of one command, by the names that its code uses. */
// deno-lint-ignore no-explicit-any -- each setting has a type of its own
export type Table = Readonly<Record<string, Setting<any>>>;

/** What a table's settings are set to; absent is `undefined`. */
export type Values<T extends Table> = {
  readonly [K in keyof T]: T[K] extends Setting<infer V> ? V | undefined
    : never;
};

/** A setting with one value. */
export function one<T>(
  name: string,
  value: ValueParser<"sync", T>,
  about: string,
  short?: `-${string}`,
): Setting<T> {
  const description = says(about);
  return {
    name,
    parser: optional(
      short === undefined
        ? option(`--${name}`, value, { description })
        : option(short, `--${name}`, value, { description }),
    ),
    read(values) {
      const [given] = values;
      if (given === undefined || values.length !== 1) {
        throw new RangeError("it takes one value");
      }
      return valueOf(value, given);
    },
  };
}

/** A setting that can be given many times. */
export function many<T>(
  name: string,
  value: ValueParser<"sync", T>,
  about: string,
): Setting<readonly T[]> {
  const given = multiple(
    option(`--${name}`, value, { description: says(about) }),
  );
  return {
    name,
    parser: map(given, (values) => values.length === 0 ? undefined : values),
    read: (values) => values.map((given) => valueOf(value, given)),
  };
}

/** A setting that is on or off. */
export function toggle(
  name: string,
  about: string,
  short?: `-${string}`,
): Setting<boolean> {
  const names = short === undefined
    ? [`--${name}`] as const
    : [short, `--${name}`] as const;
  const on = flag(...names, { description: says(about) });
  const off = map(flag(`--no-${name}`, { hidden: true }), () => false);
  return {
    name,
    parser: optional(or(on, off)),
    read([given = "", ...more]) {
      const value = SWITCH[given.toLowerCase()];
      if (value === undefined || more.length > 0) {
        throw new RangeError(`"${given}" is neither true nor false`);
      }
      return value;
    },
  };
}

/** Takes a value as `parse` reads it; what it throws is what is wrong. */
export function valueOfKind<T>(
  metavar: NonEmptyString,
  placeholder: T,
  parse: (text: string) => T,
): ValueParser<"sync", T> {
  return {
    mode: "sync",
    metavar,
    placeholder,
    format: String,
    parse(given) {
      try {
        return { success: true, value: parse(given) };
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        return { success: false, error: says(reason) };
      }
    },
  };
}

/** Reads all settings of a table from the command line. */
export function parserOf<T extends Table>(
  table: T,
): Parser<"sync", Values<T>, unknown> {
  const parsers = Object.entries(table)
    .map(([key, setting]) => [key, setting.parser] as const);
  // Each key has its own setting's parser, which an object of them cannot say.
  return object(Object.fromEntries(parsers)) as unknown as Parser<
    "sync",
    Values<T>,
    unknown
  >;
}

/** A message of plain words. */
export function says(words: string): Message {
  return [text(words)];
}

/** A message as plain words, without marks around names and without a period. */
export function wordsOf(message: Message): string {
  const words = formatMessage(message, { colors: false, quotes: false });
  return words.trim().replace(/\.$/, "");
}

const SWITCH: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  1: true,
  false: false,
  no: false,
  off: false,
  0: false,
};

function valueOf<T>(parser: ValueParser<"sync", T>, given: string): T {
  const result = parser.parse(given);
  if (!result.success) {
    throw new RangeError(lowered(wordsOf(result.error)));
  }
  return result.value;
}
