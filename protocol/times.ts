/**
 * Times of files, in nanoseconds since 1970, as 64 bits hold them.
 *
 * @module
 */

/** From 1677 to 2262. */
const LEAST_NS = -(2n ** 63n);
const MOST_NS = 2n ** 63n - 1n;

/** A time as 64 bits can say it: one that they cannot is the next that they can. */
export function writtenTime(ns: bigint): bigint {
  return ns > MOST_NS ? MOST_NS : ns < LEAST_NS ? LEAST_NS : ns;
}
