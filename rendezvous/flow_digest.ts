/**
 * The digest of bytes that come one after the other, at any point on the way:
 * BLAKE3 over the BLAKE3 of each MiB, the last one as far as it goes.
 *
 * @module
 */
import { concatBytes } from "../core/bytes.ts";
import type { Digest } from "../crypto/digest.ts";

/** A digest that can be asked for more than once. */
export interface RunningDigest {
  update(bytes: Uint8Array): void;
  /** Of all so far. */
  digest(): Uint8Array<ArrayBuffer>;
}

const BLOCK_BYTES = 1 << 20;

/** Begins one. It keeps a MiB, and 32 bytes for each that has passed. */
export function runningDigest(digest: Digest): RunningDigest {
  const blocks: Uint8Array[] = [];
  const block = new Uint8Array(BLOCK_BYTES);
  let length = 0;
  return {
    update(bytes) {
      for (let rest = bytes; rest.length > 0;) {
        const part = rest.subarray(0, BLOCK_BYTES - length);
        block.set(part, length);
        length += part.length;
        rest = rest.subarray(part.length);
        if (length < BLOCK_BYTES) continue;
        blocks.push(digest.digest(block));
        length = 0;
      }
    },
    digest: () =>
      digest.digest(
        concatBytes(...blocks, digest.digest(block.subarray(0, length))),
      ),
  };
}
