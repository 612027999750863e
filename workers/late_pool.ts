/**
 * A hash pool that is not there before there is much to hash: see
 * `crypto/digest_late.ts`. What is little is hashed in place.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { Digest } from "../crypto/digest.ts";
import type { LateDigest } from "../crypto/digest_late.ts";
import { DIGEST_BYTES } from "../protocol/digests.ts";
import type { HashPool } from "./hash_pool.ts";

/**
 * Creates one.
 *
 * @param create Makes the pool that there is in the end.
 */
export function createLatePool(
  late: LateDigest,
  create: (digest: Digest) => HashPool | Promise<HashPool>,
): HashPool {
  const { promise: failed, reject: fail } = Promise.withResolvers<never>();
  failed.catch(() => {}); // nobody has to listen
  let isClosed = false;
  let real: HashPool | undefined;
  let making: Promise<HashPool> | undefined;

  const checkOpen = (): void => {
    if (isClosed) {
      throw new SftpxError("cancelled", "Cannot hash: the pool was closed");
    }
  };
  const make = async (): Promise<HashPool> => {
    const made = await create(await late.best());
    if (isClosed) made.close();
    checkOpen();
    real = made;
    real.failed.catch(fail);
    return real;
  };
  const pool = (): Promise<HashPool> => making ??= make();
  /** Whether what is there hashes so much in place, once it is loaded. */
  const isEnough = async (bytes: number): Promise<boolean> => {
    checkOpen();
    // The best may be one that is not to hash on this thread: the pool knows.
    if (real !== undefined || late.isReady(Infinity)) return false;
    const isReady = late.isReady(bytes) || await late.enough(bytes);
    checkOpen();
    return isReady && real === undefined;
  };

  return {
    failed,
    close() {
      isClosed = true;
      real?.close();
    },
    expect(bytes) {
      if (isClosed || real !== undefined || late.isReady(bytes)) return;
      const load = async (): Promise<void> => {
        if (!await isEnough(bytes)) await pool();
      };
      load().catch(() => {}); // who needs it hears of it
    },
    digestNow(bytes) {
      if (isClosed) return undefined;
      if (real !== undefined) return real.digestNow?.(bytes);
      return late.isReady(bytes.length) ? late.digest(bytes) : undefined;
    },
    async digest(bytes) {
      if (await isEnough(bytes.length)) {
        return { digest: late.digest(bytes), bytes };
      }
      return await (real ?? await pool()).digest(bytes);
    },
    async digestParts(bytes, parts) {
      if (await isEnough(bytes.length)) {
        const digests = new Uint8Array(parts.length * DIGEST_BYTES);
        for (const [at, [start, end]] of parts.entries()) {
          const digest = late.digest(bytes.subarray(start, end));
          digests.set(digest, at * DIGEST_BYTES);
        }
        return { digests, bytes };
      }
      return await (real ?? await pool()).digestParts(bytes, parts);
    },
  };
}
