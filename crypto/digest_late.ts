/**
 * BLAKE3 that is there at once for little, soon for some, and by what this
 * machine does best for much: native code takes 25 to 40 ms to load, all of them
 * of the thread that wants it, in which a short transfer is over.
 *
 * The little is hashed by what loads soonest (`digest_little.ts`), at 20 MiB/s,
 * and some by what loads in 9 ms, at 900. Whoever has more to hash begins to
 * load the best, and sooner or later has it; what all of them give is the same.
 *
 * @module
 */
import { concatBytes } from "../core/bytes.ts";
import type { Digest, Digester, Hasher } from "./digest.ts";
import type { LittleDigest } from "./digest_little.ts";

/** What is little, all in all, bytes. */
export const LITTLE_BYTES = 16 * 1024;

/** What is some, all in all, bytes; half-way to it the best one begins to load. */
export const SOME_BYTES = 16 * 1024 * 1024;

/** What a hasher keeps while it waits for the better one, bytes. */
const KEPT_BYTES = 1024 * 1024;

/** Implementations of which the better ones come later. */
export interface LateDigest extends Digester {
  /** True when what is there does for `bytes` more. */
  isReady(bytes: number): boolean;
  /**
   * Loads what does for `bytes` more.
   *
   * @returns Whether that is there now; if not, it takes the best.
   */
  enough(bytes: number): Promise<boolean>;
  /** Loads the best one; who has much to hash waits for it. */
  best(): Promise<Digest>;
}

/**
 * Creates one. Nothing is loaded before it is needed.
 *
 * @param little Gives what hashes little, which must be there by then.
 * @param load Loads the best one.
 * @param loadSoon Loads what is there sooner. @default {there is none}
 */
export function lateDigest(
  little: () => LittleDigest,
  load: () => Promise<Digest>,
  loadSoon?: () => Promise<Digest>,
): LateDigest {
  let taken = 0;
  /** What hashes now, but for little. */
  let better: Digest | undefined;
  let mostBytes = 0; // that it does for
  let loading: Promise<Digest> | undefined;
  let loadingSoon: Promise<boolean> | undefined;

  const best = (): Promise<Digest> => {
    if (loading === undefined) {
      loading = load();
      loading.then((digest) => {
        better = digest;
        mostBytes = Infinity;
      }, () => {}); // who waits hears of it
    }
    return loading;
  };
  const soon = async (): Promise<boolean> => {
    try {
      const digest = await loadSoon?.();
      if (digest === undefined || mostBytes === Infinity) return false;
      better = digest;
      mostBytes = SOME_BYTES;
      return true;
    } catch {
      return false; // it does not work here: the best one has to do
    }
  };
  const isReady = (bytes: number): boolean =>
    taken + bytes <= Math.max(LITTLE_BYTES, mostBytes);
  const enough = async (bytes: number): Promise<boolean> => {
    // While the best one loads the thread is better left to that.
    const isSome = loading === undefined && taken + bytes <= SOME_BYTES;
    if (!isReady(bytes) && isSome) await (loadingSoon ??= soon());
    return isReady(bytes);
  };
  const more = async (): Promise<void> => {
    const isSome = loadSoon !== undefined && taken <= SOME_BYTES / 2;
    if (!isSome || !await (loadingSoon ??= soon())) await best();
  };
  const take = (bytes: number): void => {
    taken += bytes;
    if (taken <= LITTLE_BYTES || mostBytes === Infinity) return;
    if (mostBytes > 0 && taken <= SOME_BYTES / 2) return;
    more().catch(() => {}); // what is there does it, too
  };

  return {
    isReady,
    enough,
    best,
    digest(bytes) {
      take(bytes.length);
      return (better ?? little()).digest(bytes);
    },
    hasher() {
      if (mostBytes === Infinity && better) return better.hasher();
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
          take(bytes.length);
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
