/**
 * Names from a peer, and what may be done with them: pure, and the only gate.
 *
 * `safePath()` is the one function that makes a `SafePath`, and nothing below
 * the upload folder is reached by anything else. What it lets through has one or
 * more components between single slashes, none of them empty, `.` or `..`, and
 * never enters the folder in which parts are kept.
 *
 * Control characters are let through: on Linux a name may hold a line feed or an
 * escape, and people have such files. They go to disk as they are, and to a
 * terminal, a log or a message only by way of `printable()`.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { textBytes } from "../protocol/text.ts";
import {
  DRIVE,
  isPlain,
  MAX_NAME_BYTES,
  MAX_PATH_BYTES,
  namesPartialFolder,
  whyUnsafe,
} from "./path_rules.ts";

export {
  foldedName,
  MAX_DEPTH,
  MAX_NAME_BYTES,
  MAX_PATH_BYTES,
  PARTIAL_FOLDER,
} from "./path_rules.ts";

declare const brand: unique symbol;

/** A relative path, `/` between its parts, that cannot leave the folder it is used in. */
export type SafePath = string & { readonly [brand]: "SafePath" };

/** What `safePath()` can be told. */
export interface SafePathOptions {
  /**
   * Whether the name must mean the same where case is folded and some names are
   * devices, as on Windows.
   *
   * @default {false}
   */
  readonly portable?: boolean;
}

/**
 * Makes a safe path of a name from the wire.
 *
 * @param wire The path as the peer wrote it.
 * @param options Whether the name must be good for other systems too.
 * @returns The same text, checked.
 * @throws {SftpxError} `protocol` when the name is not one we may use.
 */
export function safePath(
  wire: string,
  options: SafePathOptions = {},
): SafePath {
  const { portable = false } = options;
  if (!portable && isPlain(wire)) return wire as SafePath;
  const reason = whyUnsafe(wire, portable);
  if (reason !== undefined) {
    throw new SftpxError(
      "protocol",
      `Cannot use the name ${quoted(wire)}: ${reason}`,
    );
  }
  return wire as SafePath;
}

/** The components of a path, from the top. */
export function splitPath(path: SafePath): string[] {
  return path.split("/");
}

/** The path of the folder that holds `path`, `""` for the upload folder itself. */
export function parentOf(path: SafePath): SafePath | "" {
  return path.slice(0, Math.max(0, path.lastIndexOf("/"))) as SafePath | "";
}

/** The last component of a path. */
export function baseName(path: SafePath): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Whether the topmost component of a path is one that listings leave out. */
export function isHidden(path: SafePath): boolean {
  return path.startsWith(".");
}

/**
 * The name to try when `name` is taken: `name (1).tar.gz` for `name.tar.gz`.
 *
 * @param name One component.
 * @param number Counted from 1.
 * @param maxBytes How long the result may be; the stem is cut to fit.
 */
export function numberedName(
  name: string,
  number: number,
  maxBytes: number = MAX_NAME_BYTES,
): string {
  if (!Number.isSafeInteger(number) || number < 1) {
    throw new RangeError(
      `Cannot number the name ${
        quoted(name)
      } as the number must be >= 1: current value is ${number}`,
    );
  }
  const extension = EXTENSION.exec(name)?.[0] ?? "";
  const end = ` (${number})${extension}`;
  const room = maxBytes - textBytes(end);
  let stem = name.slice(0, name.length - extension.length);
  while (textBytes(stem) > room && stem !== "") {
    stem = stem.replace(/.$/su, ""); // a code point, never half of one
  }
  return stem + end;
}

/** The path to try when `path` is taken: beside it, with `numberedName()`. */
export function numberedPath(path: SafePath, number: number): SafePath {
  const parent = parentOf(path);
  const front = parent === "" ? "" : `${parent}/`;
  const room = Math.min(MAX_NAME_BYTES, MAX_PATH_BYTES - textBytes(front));
  return safePath(front + numberedName(baseName(path), number, room));
}

/**
 * Whether a symbolic link can only ever lead to something in the upload folder.
 *
 * Judged by the text alone. `..` is counted at the front only: after a name it
 * may start from wherever another link leads, so such targets are taken to leave.
 *
 * @param path Where the link is to stand.
 * @param target What it says.
 */
export function linkStaysInside(path: SafePath, target: string): boolean {
  if (
    target === "" || target.startsWith("/") || /[\\\0]/.test(target) ||
    DRIVE.test(target) || !target.isWellFormed() ||
    textBytes(target) > MAX_PATH_BYTES
  ) {
    return false;
  }
  const at = splitPath(path).slice(0, -1);
  let named = false;
  for (const part of target.split("/")) {
    if (part === "" || part === ".") {
      continue;
    }
    if (part === "..") {
      if (named || at.pop() === undefined) {
        return false;
      }
      continue;
    }
    named = true;
    at.push(part);
  }
  return at[0] === undefined || !namesPartialFolder(at[0]);
}

/**
 * The text with everything that could move a cursor, hide or reorder made visible.
 *
 * Control characters (C0, DEL, C1), marks of direction and whatever else is not
 * seen, line and paragraph separators and halves of surrogate pairs become `\u{1b}` and the like.
 */
export function printable(text: string): string {
  return text.replace(
    UNPRINTABLE,
    (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** A name as a message shows it: printable, cut when long, between quotes. */
export function quoted(name: string): string {
  const shown = name.length > 200 ? `${name.slice(0, 200)}…` : name;
  return `"${printable(shown)}"`;
}

/** `.gz`, and `.tar.gz` for two; a leading dot begins a name, not an extension. */
const EXTENSION = /(?<=[^.])(\.tar)?\.[\p{L}\p{N}_-]{1,16}$/u;

// Joiners stay: emoji and some scripts are written with them.
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]|(?![\u200c\u200d])\p{Cf}/gu;
