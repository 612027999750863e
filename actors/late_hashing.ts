/**
 * Hashing that is loaded once there is much to hash: a short transfer is over
 * before.
 *
 * @module
 */
import type { Digester } from "../crypto/digest.ts";
import { lateDigest } from "../crypto/digest_late.ts";
import type { LittleDigest } from "../crypto/digest_little.ts";
import type { HashPool } from "../workers/hash_pool.ts";
import { createLatePool } from "../workers/late_pool.ts";

/** As `loadHashing()` of `hashing.ts`, later. */
export function lateHashing(): {
  readonly digest: Digester;
  readonly pool: HashPool;
  /** Resolves when there may be hashed; it is loaded at the first call. */
  readonly ready: () => Promise<void>;
} {
  let little: LittleDigest | undefined;
  let loading: Promise<void> | undefined;
  const load = async (): Promise<void> => {
    little = (await import("../crypto/digest_little.ts")).littleDigest;
  };
  const digest = lateDigest(() => {
    if (little === undefined) throw new TypeError("Cannot hash: not ready");
    return little;
  });
  const pool = createLatePool(digest, async (best) => {
    const { poolFor } = await import("./hashing.ts");
    return poolFor(best);
  });
  return { digest, pool, ready: () => loading ??= load() };
}
