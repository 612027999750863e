/**
 * The world around a transfer, as the machine has it.
 *
 * @module
 */
import { systemClock } from "../core/clock.ts";
import { type Log, nullLog } from "../core/log.ts";
import { systemRandom, systemRandomBytes } from "../crypto/random.ts";
import type { World } from "./send_session.ts";

/** What every part of a transfer speaks. */
export const ALPN = "sftpx/1";

/** Addresses that lead to no other network: no transfer depends on them. */
const NOWHERE = /^(127\.|169\.254\.|::1$|fe80:)/i;

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
