/**
 * What makes a name from a peer one that may not be used; `paths.ts` has the gate.
 *
 * @module
 */
import { textBytes } from "../protocol/text.ts";

/** The folder at the top of an upload folder that holds parts; no peer may name it. */
export const PARTIAL_FOLDER = ".sftpx-partial";

/** What Linux, macOS and Windows take for one name, in bytes or in fewer units. */
export const MAX_NAME_BYTES = 255;

/** As much as the wire carries for one path. */
export const MAX_PATH_BYTES = 4096;

/** Folders within folders; each costs an open when a path is walked. */
export const MAX_DEPTH = 256;

/** The letter of a drive at the front. */
export const DRIVE = /^[A-Za-z]:/;

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

/** What Windows takes for a device, whatever the extension; digits may be raised. */
const DEVICE =
  /^(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])$/i;

/**
 * True for most names that are safe, in one pass and without memory: ASCII, of
 * which only a dot at the front could be, or fold to, the folder for parts.
 * False says nothing: `whyUnsafe()` judges.
 */
export function isPlain(wire: string): boolean {
  const { length } = wire;
  if (length > MAX_PATH_BYTES || wire.charCodeAt(0) === DOT) return false;
  if (wire.charCodeAt(1) === COLON) return false; // it may be a drive
  let start = 0; // of the part
  let depth = 1;
  for (let at = 0; at < length; at++) {
    const char = wire.charCodeAt(at);
    if (char === 0 || char === BACKSLASH || char > LAST_ASCII) return false;
    if (char !== SLASH) continue;
    if (!isPlainPart(wire, start, at) || ++depth > MAX_DEPTH) return false;
    start = at + 1;
  }
  return isPlainPart(wire, start, length);
}

/** Whether a part is neither empty nor too long, nor made of dots. */
function isPlainPart(wire: string, start: number, end: number): boolean {
  const bytes = end - start;
  if (bytes === 0 || bytes > MAX_NAME_BYTES) return false;
  return bytes > 2 || wire.charCodeAt(start) !== DOT;
}

const SLASH = 0x2f;
const BACKSLASH = 0x5c;
const DOT = 0x2e;
const COLON = 0x3a;
const LAST_ASCII = 0x7f;

/** Why a name may not be used; `undefined` when it may. */
export function whyUnsafe(wire: string, portable: boolean): string | undefined {
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

/** Whether a system that folds names takes this one, at the top, for that of the folder for parts. */
export function namesPartialFolder(top: string): boolean {
  if (PLAIN.test(top)) return false;
  return foldedName(top) === PARTIAL_FOLDER;
}
