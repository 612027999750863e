/**
 * A certificate's fingerprint as people read and write it.
 *
 * @module
 */
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
  if (/^[A-Za-z0-9_-]{43}$/.test(plain)) {
    const bytes = Uint8Array.fromBase64(plain, { alphabet: "base64url" });
    // Two texts must not mean the same: the last character has two bits too many.
    const same = bytes.toBase64({ alphabet: "base64url", omitPadding: true });
    if (same === plain) return bytes;
  }
  throw new SftpxError(
    "config",
    "Cannot read fingerprint: it must be 64 hex digits, with or without colons, or 43 characters of base64url",
  );
}
