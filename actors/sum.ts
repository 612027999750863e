/**
 * The digest of a whole file: its own BLAKE3, the one that `b3sum` prints.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { Digester } from "../crypto/digest.ts";
import type { Readable } from "../workers/lane_send.ts";

/** Bytes that are read at once. */
const READ_BYTES = 1024 * 1024;

/**
 * Reads a file from beginning to end.
 *
 * @returns Its digest; `undefined` when it changed meanwhile or cannot be read.
 */
export async function sumFile(
  source: Readable,
  digest: Digester,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    const file = await source.open();
    try {
      const hasher = digest.hasher();
      const buffer = new Uint8Array(READ_BYTES);
      for (let at = 0;;) {
        signal.throwIfAborted();
        const count = await file.read(buffer, at);
        if (count === 0) break;
        hasher.update(buffer.subarray(0, count));
        at += count;
      }
      return await file.changed() === undefined ? hasher.digest() : undefined;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof SftpxError && error.code === "local-io") {
      return undefined;
    }
    throw error;
  }
}
