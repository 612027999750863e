/**
 * The world around a transfer, as the machine has it.
 *
 * @module
 */
import { systemClock } from "../core/clock.ts";
import { type Log, nullLog } from "../core/log.ts";
import { systemRandom, systemRandomBytes } from "../crypto/random.ts";
import { loadDigest } from "../crypto/digest.ts";
import { createHashPool, type HashPool } from "../workers/hash_pool.ts";
import { createLatePool } from "../workers/late_pool.ts";
import type { Digest, Digester } from "../crypto/digest.ts";
import { lateDigest } from "../crypto/digest_late.ts";
import type { World } from "./send_session.ts";

/** What every part of a transfer speaks. */
export const ALPN = "sftpx/1";

/** Addresses that lead to no other network: no transfer depends on them. */
const NOWHERE = /^(127\.|169\.254\.|::1$|fe80:)/i;

/** Hash workers at most: a network thread cannot feed more. */
const MAX_WORKERS = 4;

/** The real clock, real chance, this machine's addresses. */
export function systemWorld(log: Log = nullLog): World {
  return {
    clock: systemClock,
    log,
    random: systemRandom,
    randomBytes: systemRandomBytes,
    localAddresses: () =>
      Deno.networkInterfaces().map(({ address }) => address)
        .filter((address) => !NOWHERE.test(address)),
    cpuMs: cpuTime(),
  };
}

/**
 * Processor time, ms, counted from the second time that it is asked for: what
 * tells it takes 12 ms to load, and most transfers are over by then.
 */
function cpuTime(): () => number {
  let asked = 0;
  let used = (): number => 0;
  const load = async (): Promise<void> => {
    const { default: process } = await import("node:process");
    const total = (): number => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    };
    const before = total();
    used = () => total() - before;
  };
  return () => {
    if (++asked === 2) load();
    return used();
  };
}

/** BLAKE3 as this machine does it best, and where to run it. */
export async function loadHashing(): Promise<
  { readonly digest: Digest; readonly pool: HashPool }
> {
  const digest = await loadDigest();
  return { digest, pool: poolFor(digest) };
}

/** As `loadHashing()`, once there is much to hash: a short transfer is over before. */
export function lateHashing(): {
  readonly digest: Digester;
  readonly pool: HashPool;
} {
  const digest = lateDigest();
  return { digest, pool: createLatePool(digest, poolFor) };
}

function poolFor(digest: Digest): HashPool {
  const cores = navigator.hardwareConcurrency;
  const size = digest.inline
    ? 0
    : Math.max(1, Math.min(MAX_WORKERS, cores - 1));
  return createHashPool({ digest, size });
}
