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

declare const brand: unique symbol;

/** A relative path, `/` between its parts, that cannot leave the folder it is used in. */
export type SafePath = string & { readonly [brand]: "SafePath" };

/** The folder at the top of an upload folder that holds parts; no peer may name it. */
export const PARTIAL_FOLDER = ".sftpx-partial";

/** What Linux, macOS and Windows take for one name, in bytes or in fewer units. */
export const MAX_NAME_BYTES = 255;

/** As much as the wire carries for one path. */
export const MAX_PATH_BYTES = 4096;

/** Folders within folders; each costs an open when a path is walked. */
export const MAX_DEPTH = 256;

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
  const reason = whyUnsafe(wire, options.portable ?? false);
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
 * One name for all that a system which folds case and forms takes for the same.
 *
 * Two siblings of one transfer with the same folded name would overwrite each
 * other there.
 */
export function foldedName(name: string): string {
  return name.normalize("NFKC").toUpperCase().toLowerCase()
    .replace(/\p{Default_Ignorable_Code_Point}/gu, "")
    .replace(/[. ]+$/, "");
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

const DRIVE = /^[A-Za-z]:/;

// Joiners stay: emoji and some scripts are written with them.
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]|(?![\u200c\u200d])\p{Cf}/gu;

/** What Windows takes for a device, whatever the extension; digits may be raised. */
const DEVICE =
  /^(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])$/i;

function whyUnsafe(wire: string, portable: boolean): string | undefined {
  if (wire === "") {
    return "it is empty";
  }
  if (!wire.isWellFormed()) {
    return "it is not Unicode text";
  }
  if (wire.length > MAX_PATH_BYTES || textBytes(wire) > MAX_PATH_BYTES) {
    return `it is longer than ${MAX_PATH_BYTES} bytes`;
  }
  if (wire.includes("\0")) {
    return "it has a zero byte";
  }
  if (wire.includes("\\")) {
    return "it has a backslash, which separates folders on other systems";
  }
  if (wire.startsWith("/") || DRIVE.test(wire)) {
    return "it is absolute";
  }
  const parts = wire.split("/");
  if (parts.length > MAX_DEPTH) {
    return `it is deeper than ${MAX_DEPTH} folders`;
  }
  if (namesPartialFolder(parts[0] ?? "")) {
    return "parts are kept there";
  }
  for (const part of parts) {
    const reason = whyUnsafePart(part) ??
      (portable ? whyNotPortable(part) : undefined);
    if (reason !== undefined) {
      return reason;
    }
  }
  return undefined;
}

function whyUnsafePart(part: string): string | undefined {
  if (part === "") {
    return "a part of it is empty";
  }
  if (part === "." || part === "..") {
    return `a part of it is "${part}"`;
  }
  if (textBytes(part) > MAX_NAME_BYTES) {
    return `a part of it is longer than ${MAX_NAME_BYTES} bytes`;
  }
  return undefined;
}

function whyNotPortable(part: string): string | undefined {
  if (/[<>:"|?*]/.test(part) || /[^\P{Cc}\u007f-\u009f]/u.test(part)) {
    return "this system forbids a character in it";
  }
  if (/[. ]$/.test(part)) {
    return "this system drops the dot or space at the end of a part of it";
  }
  if (DEVICE.test((part.split(".")[0] ?? "").trimEnd())) {
    return "a part of it is a device on this system";
  }
  if (/^sftpx-~\d+$/i.test(part)) {
    return "it may be the short name of the folder for parts";
  }
  return undefined;
}

/** Folds to its own small letters, and so to no name with a dot. */
const PLAIN = /^[A-Za-z0-9_]*$/;

function namesPartialFolder(top: string): boolean {
  if (PLAIN.test(top)) return false;
  return foldedName(top) === PARTIAL_FOLDER;
}
