/**
 * INI files: sections in brackets, `key = value` or `key: value`, and lines that
 * begin with `#` or `;` are for people.
 *
 * @module
 */
import { SftpxError } from "../../core/errors.ts";

/** A value and where it stands. */
export interface IniValue {
  readonly value: string;
  /** From 1. */
  readonly line: number;
}

/** Values by `SECTION.key`. */
export type Ini = ReadonlyMap<string, IniValue>;

/**
 * Reads an INI file.
 *
 * @param what What errors are to call it. They never hold a value, as it may be
 * a password.
 * @throws {SftpxError} `config`, with the line.
 */
export function parseIni(text: string, what: string): Ini {
  const values = new Map<string, IniValue>();
  let section: string | undefined;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    const fail = (reason: string): SftpxError =>
      new SftpxError("config", `Cannot read ${what}: line ${line}: ${reason}`);
    const content = raw.trim();
    if (content === "" || /^[#;]/.test(content)) continue;
    const head = /^\[([A-Z_]+)\]$/.exec(content)?.[1];
    if (head !== undefined) {
      section = head;
      continue;
    }
    const [, key, value] = /^([a-z_]+)\s*[=:]\s*(.*)$/.exec(content) ?? [];
    if (key === undefined || value === undefined) {
      throw fail("it is neither [SECTION] nor key = value");
    }
    if (section === undefined) throw fail("it stands before any [SECTION]");
    const name = `${section}.${key}`;
    if (values.has(name)) throw fail(`${key} is there twice`);
    values.set(name, { value, line });
  }
  return values;
}
