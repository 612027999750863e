/**
 * Text that is safe to show: names come from strangers, and terminals obey.
 *
 * @module
 */

/**
 * Escapes what a terminal might act on or a reader be fooled by: control
 * characters (C0, DEL, C1), line and paragraph separators, marks of direction
 * and other invisible characters, and halves of surrogate pairs. A backslash
 * stays as it is, so this is for the eye and cannot be undone.
 *
 * @example Usage
 * ```ts
 * import { printable } from "./escape.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(printable("a\x1b[2Jb\u202ec"), "a\\x1b[2Jb\\u{202e}c");
 * ```
 */
export function printable(text: string): string {
  return text.replace(UNSAFE, (char) => {
    const code = char.codePointAt(0) ?? 0;
    const short = SHORT[code];
    if (short !== undefined) return short;
    const hex = code.toString(16);
    return code < 0x100 ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`;
  });
}

/**
 * Writes `value` as JSON in one line, in which everything that `printable`
 * escapes is escaped as JSON has it: who parses it gets the exact value.
 */
export function printableJson(value: unknown): string {
  return (JSON.stringify(value) ?? "null").replace(
    UNSAFE,
    (char) => char.split("").map(unicodeEscape).join(""),
  );
}

// Cc control, Cf invisible formatting (marks of direction among them), Cs lone
// surrogates, Zl and Zp line separators.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const SHORT: Readonly<Record<number, string>> = {
  0x09: "\\t",
  0x0a: "\\n",
  0x0d: "\\r",
};

function unicodeEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
