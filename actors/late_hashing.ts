/**
 * Hashing that is loaded once there is much to hash: a short transfer is over
 * before.
 *
 * @module
 */
import type { Digester } from "../crypto/digest.ts";
import { lateDigest } from "../crypto/digest_late.ts";
import type { HashPool } from "../workers/hash_pool.ts";
import { createLatePool } from "../workers/late_pool.ts";

/** As `loadHashing()` of `hashing.ts`, later. */
export function lateHashing(): {
  readonly digest: Digester;
  readonly pool: HashPool;
} {
  const digest = lateDigest();
  const pool = createLatePool(digest, async (best) => {
    const { poolFor } = await import("./hashing.ts");
    return poolFor(best);
  });
  return { digest, pool };
}
