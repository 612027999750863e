/**
 * Races all paths to a peer: the first over which both ends have proved
 * themselves wins, whoever dialed it. The others are closed.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { isAllowed, keyOf, pathOf } from "./candidates.ts";
import { type Arrival, describe } from "./station.ts";
import type { Candidate, PathPolicy } from "./types.ts";

/** What is raced, and by what rules. */
export interface RaceOptions {
  /** Addresses to dial, as they are found. */
  readonly candidates: AsyncIterable<Candidate>;
  /** Dials one, and proves the path. */
  readonly dial: (
    candidate: Candidate,
    signal: AbortSignal,
  ) => Promise<Arrival>;
  /** Tells of connections that the peer dialed, proved; returns what ends that. */
  readonly hear: (arrive: (arrival: Arrival) => void) => () => void;
  readonly policy: PathPolicy;
  /** How long all of it may take, ms. @default {20000} */
  readonly raceMs?: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** See {@linkcode RaceOptions}. */
export const DEFAULT_RACE_OPTIONS = Object.freeze({ raceMs: 20_000 });

/** TCP gives QUIC a start of this, ms: what passes UDP is not to end on TCP. */
const TCP_DELAY_MS = 1500;
/** A relay gives direct paths a start of this, ms: a hole needs a second, and more over a long way. */
const RELAY_DELAY_MS = 2500;

/**
 * Runs a race.
 *
 * @throws {SftpxError} `unreachable` when no path leads to the peer.
 */
export async function race(
  options: RaceOptions,
  signal: AbortSignal,
): Promise<Arrival> {
  const { dial, policy, clock, log } = options;
  const { raceMs } = { ...DEFAULT_RACE_OPTIONS, ...options };
  signal.throwIfAborted();
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const won = Promise.withResolvers<Arrival>();
  let winner: Arrival | undefined;
  const tried: string[] = [];

  const arrive = (arrival: Arrival): void => {
    const isFit = isAllowed(policy, pathOf(arrival.candidate.kind));
    if (winner !== undefined || either.aborted || !isFit) {
      return arrival.conn.close();
    }
    winner = arrival;
    won.resolve(arrival);
  };
  const attempt = async (candidate: Candidate): Promise<void> => {
    try {
      await clock.delay(delayOf(candidate, policy), either);
      tried.push(describe(candidate));
      arrive(await dial(candidate, either));
    } catch (error) {
      if (either.aborted) return;
      log.event("race.attempt-failed", {
        candidate: describe(candidate),
        error: error instanceof Error ? error.message : String(error),
      });
    }
  };
  const dialAll = async (): Promise<void> => {
    const seen = new Set<string>();
    for await (const candidate of untilAborted(options.candidates, either)) {
      const key = keyOf(candidate);
      if (seen.has(key) || !isAllowed(policy, pathOf(candidate.kind))) continue;
      seen.add(key);
      attempt(candidate); // never rejects
    }
  };
  // What the helper says may end early: the addresses that are known may do.
  dialAll().catch((error) =>
    log.event("race.candidates-lost", { error: String(error) })
  );
  const deaf = options.hear(arrive);
  try {
    const late = clock.delay(raceMs, either).then((): never => {
      throw new SftpxError("unreachable", noPath(tried, policy));
    });
    const first = await Promise.race([won.promise, late]);
    log.event("race.won", { candidate: describe(first.candidate) });
    return first;
  } catch (error) {
    winner?.conn.close();
    signal.throwIfAborted();
    throw error;
  } finally {
    deaf();
    over.abort();
  }
}

function delayOf(
  { kind, carrier }: Candidate,
  policy: PathPolicy,
): number {
  const isRelay = kind === "relay" && policy !== "relay-only";
  return (isRelay ? RELAY_DELAY_MS : 0) +
    (carrier === "tcp" ? TCP_DELAY_MS : 0);
}

function noPath(tried: readonly string[], policy: PathPolicy): string {
  const limited = policy === "any" ? "" : ` with --${policy}`;
  return tried.length === 0
    ? `Cannot reach the other side${limited}: it has told of no address that may be used`
    : `Cannot reach the other side${limited}: no answer at ${
      tried.slice(0, 8).join(", ")
    }`;
}

/** Gives what `source` gives, until `signal` aborts; what it waits for then is left. */
async function* untilAborted<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncIterable<T> {
  const iterator = source[Symbol.asyncIterator]();
  const aborted = Promise.withResolvers<{ done: true; value: undefined }>();
  const abort = (): void => aborted.resolve({ done: true, value: undefined });
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted.promise]);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
