/**
 * Hashing as this machine does it best, and where.
 *
 * @module
 */
import { type Digest, loadDigest } from "../crypto/digest.ts";
import { createHashPool, type HashPool } from "../workers/hash_pool.ts";

export { loadDigest };

/** Hash workers at most: a network thread cannot feed more. */
const MAX_WORKERS = 4;

/** BLAKE3 as this machine does it best, and where to run it. */
export async function loadHashing(): Promise<
  { readonly digest: Digest; readonly pool: HashPool }
> {
  const digest = await loadDigest();
  return { digest, pool: poolFor(digest) };
}

/** What hashes by `digest`. */
export function poolFor(digest: Digest): HashPool {
  const cores = navigator.hardwareConcurrency;
  const size = digest.inline
    ? 0
    : Math.max(1, Math.min(MAX_WORKERS, cores - 1));
  return createHashPool({ digest, size });
}
