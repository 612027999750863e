/**
 * Hashing that is loaded once there is much to hash: a short transfer is over
 * before.
 *
 * @module
 */
import { late } from "../core/late.ts";
import type { Digester } from "../crypto/digest.ts";
import { lateDigest } from "../crypto/digest_late.ts";
import type { HashPool } from "../workers/hash_pool.ts";
import { createLatePool } from "../workers/late_pool.ts";
import type { SendParts } from "./send_parts.ts";

/** As `loadHashing()` of `hashing.ts`, later. */
export function lateHashing(
  parts: Pick<SendParts, "digestLittle" | "hashing">,
): {
  readonly digest: Digester;
  readonly pool: HashPool;
  /** Resolves when there may be hashed; it is loaded at the first call. */
  readonly ready: () => Promise<unknown>;
} {
  const little = late(parts.digestLittle);
  const best = late(parts.hashing);
  const digest = lateDigest(
    () => {
      if (little.now === undefined) {
        throw new TypeError("Cannot hash: not ready");
      }
      return little.now.littleDigest;
    },
    async () => await (await best.load()).loadDigest(),
    async () => {
      return await (await best.load()).loadDigest("jit");
    },
  );
  const pool = createLatePool(
    digest,
    async (digest) => (await best.load()).poolFor(digest),
  );
  return { digest, pool, ready: little.load };
}
