/**
 * A name may have several addresses: they are tried in turn, IPv6 and IPv4 by
 * turns, each a little after the one before or when that one failed.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { isRetryable, SftpxError } from "../core/errors.ts";
import { familyOf } from "./address.ts";
import type { Conn } from "./transport.ts";

/** The addresses of `hostname`, IPv6 and IPv4 by turns. */
export async function addressesOf(
  hostname: string,
  find: (hostname: string) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  if (familyOf(hostname) !== undefined) return [hostname];
  let found: readonly string[];
  try {
    found = await find(hostname);
  } catch (error) {
    throw new SftpxError(
      "unreachable",
      `Cannot find "${hostname}": the name has no address`,
      error,
    );
  }
  const six = found.filter((address) => familyOf(address) === 6);
  const four = found.filter((address) => familyOf(address) === 4);
  const turns: string[] = [];
  for (let i = 0; i < Math.max(six.length, four.length); i++) {
    turns.push(...six.slice(i, i + 1), ...four.slice(i, i + 1));
  }
  return turns.slice(0, MAX_ADDRESSES);
}

/** A name that has more addresses than these is not a peer's. */
const MAX_ADDRESSES = 8;

/** What the system's resolver says of a name. */
export async function systemLookup(
  hostname: string,
): Promise<readonly string[]> {
  // Loaded here, as most peers are given by their address.
  const { lookup } = await import("node:dns/promises");
  const found = await lookup(hostname, { all: true, verbatim: true });
  return found.map(({ address }) => address);
}

/** How addresses are tried. */
export interface Race {
  readonly remote: string;
  readonly staggerMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** The first connection that comes; each dial begins after a while or when the one before failed. */
export async function firstOf(
  addresses: readonly string[],
  connect: (address: string) => Promise<Conn>,
  { remote, staggerMs, clock, signal }: Race,
): Promise<Conn> {
  const failures: unknown[] = [];
  let winner: Conn | undefined;
  const running: Promise<void>[] = [];
  const won = Promise.withResolvers<void>();
  for (const address of addresses) {
    const attempt = connect(address).then((conn) => {
      if (winner !== undefined || signal.aborted) return conn.close();
      winner = conn;
      won.resolve();
    }, (error) => {
      failures.push(error);
    });
    running.push(attempt);
    await Promise.race([
      attempt,
      won.promise,
      clock.delay(staggerMs, signal).catch(() => {}),
    ]);
    if (winner !== undefined) return winner;
    signal.throwIfAborted();
  }
  await Promise.race([won.promise, Promise.all(running)]);
  if (winner !== undefined) return winner;
  // A peer that is there but wrong says more than one that is silent.
  throw failures.find((error) => !isRetryable(error)) ?? failures.at(-1) ??
    new SftpxError(
      "unreachable",
      `Cannot reach "${remote}": it has no address that our socket can send to`,
    );
}
