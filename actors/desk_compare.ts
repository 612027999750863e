/**
 * Finding out what is here already: reads it, hashes it and offers the digests,
 * in order, with zeros where a chunk is not held.
 *
 * @module
 */
import type { Semaphore } from "../core/semaphore.ts";
import type { Incoming } from "../store/incoming.ts";
import type { CandidateRun } from "./facts.ts";

/** Digests of one run. */
const RUN = 64;
const NOT_HELD = new Uint8Array(32);

/**
 * Offers what is here of the first `chunks` chunks of a file.
 *
 * @param turns Bounds how many files are read at once.
 * @param offer Told of runs that follow each other; false ends it.
 */
export async function offerCandidates(
  file: Incoming,
  chunks: number,
  turns: Semaphore,
  offer: (run: CandidateRun) => boolean,
  signal: AbortSignal,
): Promise<void> {
  using _turn = await turns.acquire(signal);
  let first = 0;
  let run: Uint8Array[] = [];
  const flush = (): boolean => {
    if (run.length === 0) return true;
    const digests = new Uint8Array(run.length * 32);
    run.forEach((digest, n) => digests.set(digest, n * 32));
    const goesOn = offer({ first, digests });
    first += run.length;
    run = [];
    return goesOn;
  };
  const add = (digest: Uint8Array): boolean => {
    run.push(digest);
    return run.length < RUN || flush();
  };
  for await (const { chunk, digest } of file.candidates(signal)) {
    if (chunk >= chunks) break;
    while (first + run.length < chunk) if (!add(NOT_HELD)) return;
    if (!add(digest)) return;
  }
  while (first + run.length < chunks) if (!add(NOT_HELD)) return;
  flush();
}
