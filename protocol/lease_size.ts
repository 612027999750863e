/**
 * How much goes over one lane at a time.
 *
 * @module
 */

/**
 * What is in a lease goes over one lane: much of it on a fast path, for the sake
 * of few messages, and little on a slow one, for others to be there soon.
 */
const LEASE_MS = 100;
/** What is left is given in as many leases at least: the slowest lane should not have much of it. */
const LAST_LEASES = 24;
const LEAST_LEASE_BYTES = 1024 * 1024;
const MOST_LEASE_BYTES = 4 * 1024 * 1024;

/** Bytes of a lease where `rate` bytes a second arrive, when so many are left to be given. */
export function leaseBytes(rate: number, leftBytes: number): number {
  const worth = Math.min(rate * LEASE_MS / 1000, leftBytes / LAST_LEASES);
  return Math.round(
    Math.max(LEAST_LEASE_BYTES, Math.min(worth, MOST_LEASE_BYTES)),
  );
}
