/**
 * The first bytes of a journal: what it is, and whose.
 *
 * | offset | size | field                                              |
 * | ------ | ---- | -------------------------------------------------- |
 * | 0      | 8    | `SFTXJRNL`                                         |
 * | 8      | 4    | version, 1                                         |
 * | 12     | 32   | session                                            |
 * | 44     | 32   | BLAKE3 of the upload directory's identity          |
 * | 76     | 16   | check: first 16 bytes of BLAKE3 of all that before |
 *
 * @module
 */
import {
  CHECK_BYTES,
  type Digest,
  sameBytes,
  viewOf,
} from "./journal_codec.ts";

/** Bytes of the header. */
export const HEADER_BYTES = 92;

const VERSION = 1;
const MAGIC = new TextEncoder().encode("SFTXJRNL");

/** The header of the journal of `session` for the directory `root`. */
export function encodeHeader(
  session: Uint8Array,
  root: string,
  digest: Digest,
): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(HEADER_BYTES);
  header.set(MAGIC);
  viewOf(header).setUint32(8, VERSION);
  header.set(session, 12);
  header.set(digest(new TextEncoder().encode(root)).subarray(0, 32), 44);
  header.set(digest(header.subarray(0, 76)).subarray(0, CHECK_BYTES), 76);
  return header;
}

/** Why `found` is not the header `wanted`; `undefined` when it is. */
export function headerFault(
  found: Uint8Array,
  wanted: Uint8Array,
  digest: Digest,
): string | undefined {
  if (found.length < HEADER_BYTES) return "it is shorter than a header";
  if (!sameBytes(found.subarray(0, 8), MAGIC)) return "it is not a journal";
  const version = viewOf(found).getUint32(8);
  if (version !== VERSION) return `its version is ${version}, not ${VERSION}`;
  const check = digest(found.subarray(0, 76)).subarray(0, CHECK_BYTES);
  if (!sameBytes(check, found.subarray(76, HEADER_BYTES))) {
    return "its header is damaged";
  }
  if (!sameBytes(found.subarray(12, 44), wanted.subarray(12, 44))) {
    return "it is of another session";
  }
  if (!sameBytes(found.subarray(44, 76), wanted.subarray(44, 76))) {
    return "it is of another upload directory";
  }
  return undefined;
}
