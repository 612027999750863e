/**
 * BLAKE3 in JavaScript, at about 20 MiB/s: for little, as it loads in 3 ms.
 *
 * @module
 */
import { blake3 } from "@noble/hashes/blake3.js";
import type { Hasher } from "./digest.ts";

/** What hashes little. */
export interface LittleDigest {
  /** The BLAKE3 of `bytes`, 32 bytes. */
  digest(bytes: Uint8Array): Uint8Array<ArrayBuffer>;
  hasher(): Hasher;
}

/** See {@linkcode LittleDigest}. */
export const littleDigest: LittleDigest = {
  digest: (bytes) => new Uint8Array(blake3(bytes)),
  hasher() {
    const hasher = blake3.create();
    return {
      update: (bytes) => void hasher.update(bytes),
      digest: () => new Uint8Array(hasher.digest()),
    };
  },
};
