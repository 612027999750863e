/**
 * Error codes as one byte on the wire: the close codes of the error table.
 *
 * @module
 */
import { type ErrorCode, ERRORS } from "../core/errors.ts";

const CODES: ReadonlyMap<number, ErrorCode> = new Map(
  (Object.keys(ERRORS) as ErrorCode[])
    .filter((code) => ERRORS[code].close !== 0)
    .map((code) => [ERRORS[code].close, code]),
);

/**
 * Returns the byte that stands for `code`.
 *
 * Codes that only mean something on one side, as `usage` does, have no byte of
 * their own and are sent as `internal`.
 */
export function byteOfCode(code: ErrorCode): number {
  return ERRORS[code].close || ERRORS.internal.close;
}

/** Returns the code a byte stands for; one we do not know is `protocol`. */
export function codeOfByte(byte: number): ErrorCode {
  return CODES.get(byte) ?? "protocol";
}
