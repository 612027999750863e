/**
 * BLAKE3 that is there at once for little, and by what this machine does best
 * for much: native code takes 25 ms to load, in which a short transfer is over.
 *
 * The little is hashed by what loads soonest (`digest_little.ts`). Whoever has
 * more to hash begins to load the other, and sooner or later has it;
 * what both give is the same.
 *
 * @module
 */
import { concatBytes } from "../core/bytes.ts";
import type { Digest, Digester, Hasher } from "./digest.ts";
import type { LittleDigest } from "./digest_little.ts";

/** What is little, all in all, bytes. */
export const LITTLE_BYTES = 16 * 1024;

/** What a hasher keeps while it waits for the better one, bytes. */
const KEPT_BYTES = 1024 * 1024;

/** Two implementations, of which one comes later. */
export interface LateDigest extends Digester {
  /** True while `bytes` more are little, or the better one is there. */
  isReady(bytes: number): boolean;
  /** Loads the better one; who has much to hash waits for it. */
  best(): Promise<Digest>;
}

/**
 * Creates one. Nothing is loaded before it is needed.
 *
 * @param little Gives what hashes little, which must be there by then.
 * @param load Loads the better one.
 */
export function lateDigest(
  little: () => LittleDigest,
  load: () => Promise<Digest>,
): LateDigest {
  let taken = 0;
  let better: Digest | undefined;
  let loading: Promise<Digest> | undefined;

  const best = (): Promise<Digest> => {
    if (loading === undefined) {
      loading = load();
      loading.then((digest) => better = digest, () => {}); // who waits hears of it
    }
    return loading;
  };
  const take = (bytes: number): void => {
    taken += bytes;
    if (taken > LITTLE_BYTES) best().catch(() => {}); // the small one does it, too
  };

  return {
    isReady: (bytes) => better !== undefined || taken + bytes <= LITTLE_BYTES,
    best,
    digest(bytes) {
      if (better !== undefined) return better.digest(bytes);
      take(bytes.length);
      return little().digest(bytes);
    },
    hasher() {
      if (better !== undefined) return better.hasher();
      let kept: Uint8Array[] = [];
      let length = 0;
      let real: Hasher | undefined;
      const begin = (): Hasher => {
        const hasher = better?.hasher() ?? little().hasher();
        for (const part of kept) hasher.update(part);
        kept = [];
        return hasher;
      };
      return {
        update(bytes) {
          if (better === undefined) take(bytes.length);
          length += bytes.length;
          if (better !== undefined || length > KEPT_BYTES) real ??= begin();
          if (real === undefined) kept.push(bytes.slice());
          else real.update(bytes);
        },
        digest: () => real?.digest() ?? little().digest(concatBytes(...kept)),
      };
    },
  };
}
