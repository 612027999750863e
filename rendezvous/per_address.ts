/**
 * A limit for each address, in bounded memory.
 *
 * Each address has a bucket that fills at a rate; what does not fit is turned
 * away. IPv6 is counted by /64, for who has one address there has all of them.
 * When there are too many buckets the one that was used longest ago is
 * forgotten, and is full again when it comes back.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { ipBytes } from "./ip.ts";

/** How much one address may. */
export interface PerAddressOptions {
  /** What comes in a second. */
  readonly perSecond: number;
  /** What can be saved up. */
  readonly burst: number;
  /** Addresses that are remembered. @default {10000} */
  readonly maxAddresses?: number;
}

/** A limit for each address. */
export interface PerAddress {
  /** Takes `amount` for `hostname`; false when it has no more. */
  take(hostname: string, amount?: number): boolean;
  /** Tells whether `hostname` could take `amount`. */
  has(hostname: string, amount?: number): boolean;
  /** Addresses that are remembered. */
  readonly size: number;
}

/** Makes a limit. */
export function perAddress(
  options: PerAddressOptions,
  clock: Clock,
): PerAddress {
  const { perSecond, burst, maxAddresses = 10_000 } = options;
  const buckets = new Map<string, Bucket>(); // the longest unused first
  const leftOf = (key: string, now: number): number => {
    const found = buckets.get(key);
    return found === undefined ? burst : Math.min(
      burst,
      found.left + (now - found.at) / 1000 * perSecond,
    );
  };
  return {
    has: (hostname, amount = 1) =>
      leftOf(prefixOf(hostname), clock.now()) >= amount,
    take(hostname, amount = 1) {
      const key = prefixOf(hostname);
      const now = clock.now();
      const left = leftOf(key, now);
      const may = left >= amount;
      buckets.delete(key);
      buckets.set(key, { at: now, left: may ? left - amount : left });
      if (buckets.size > maxAddresses) {
        const [oldest] = buckets.keys();
        if (oldest !== undefined) buckets.delete(oldest);
      }
      return may;
    },
    get size() {
      return buckets.size;
    },
  };
}

interface Bucket {
  readonly at: number;
  readonly left: number;
}

function prefixOf(hostname: string): string {
  let bytes: Uint8Array;
  try {
    bytes = ipBytes(hostname);
  } catch {
    return hostname;
  }
  return (bytes.length === 16 ? bytes.subarray(0, 8) : bytes).toHex();
}
