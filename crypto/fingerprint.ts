/**
 * A certificate's fingerprint as people read and write it.
 *
 * @module
 */
import { fromBase64Url } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";

/** Bytes of a fingerprint: a SHA-256. */
export const FINGERPRINT_LENGTH = 32;

/** The fingerprint as 64 hex digits. */
export function formatFingerprint(fingerprint: Uint8Array): string {
  if (fingerprint.length !== FINGERPRINT_LENGTH) {
    throw new RangeError(
      `Cannot format fingerprint as it must have 32 bytes: current length is ${fingerprint.length}`,
    );
  }
  return fingerprint.toHex();
}

/**
 * Reads a fingerprint: 64 hex digits in either case, with or without a colon
 * between each two, or 43 characters of base64url.
 *
 * @throws {SftpxError} `config`, when it is none of these.
 */
export function parseFingerprint(text: string): Uint8Array<ArrayBuffer> {
  const plain = text.trim();
  if (
    /^[0-9a-f]{64}$/i.test(plain) ||
    /^[0-9a-f]{2}(:[0-9a-f]{2}){31}$/i.test(plain)
  ) {
    return Uint8Array.fromHex(plain.replaceAll(":", ""));
  }
  const bytes = plain.length === 43 ? fromBase64Url(plain) : undefined;
  if (bytes !== undefined) return bytes;
  throw new SftpxError(
    "config",
    "Cannot read fingerprint: it must be 64 hex digits, with or without colons, or 43 characters of base64url",
  );
}
