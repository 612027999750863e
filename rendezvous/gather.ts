/**
 * Finds our own addresses, of all sources at once, and tells the peer.
 *
 * @module
 */
import type { CarrierMode } from "../transport/carrier.ts";
import { isFit, keyOf } from "./candidates.ts";
import { observedCandidate } from "./observed.ts";
import { describe } from "./station.ts";
import type {
  Candidate,
  CandidateSource,
  GatherContext,
  PathPolicy,
} from "./types.ts";

/** Our addresses, told to each peer. */
export interface Gathered {
  /**
   * Tells `tell` of every address until `signal` aborts: of those that we have
   * now, of the one that the helper has seen, and of what sources have found and
   * are still to find.
   */
  each(
    observed: string,
    tell: (candidate: Candidate) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;
}

/**
 * Begins to gather; what is made outside stays until `signal` aborts.
 *
 * @param interfaces Asked anew for each peer: a machine may have moved since.
 */
export function gatherAll(
  interfaces: CandidateSource,
  sources: readonly CandidateSource[],
  context: GatherContext,
  limits: { readonly policy: PathPolicy; readonly carrier: CarrierMode },
  signal: AbortSignal,
): Gathered {
  const found = new Map<string, Candidate>();
  const listeners = new Set<(candidate: Candidate) => void>();
  const add = (candidate: Candidate): void => {
    const key = keyOf(candidate);
    if (found.has(key) || !isFit(candidate, limits)) return;
    found.set(key, candidate);
    context.log.event("gather.found", { candidate: describe(candidate) });
    for (const listener of listeners) listener(candidate);
  };
  const run = async (source: CandidateSource): Promise<void> => {
    try {
      for await (const candidate of source.gather(context, signal)) {
        add(candidate);
      }
    } catch (error) {
      if (signal.aborted) return;
      context.log.event("gather.failed", {
        source: source.name,
        error: error instanceof Error ? error.message : String(error),
      });
    }
  };
  const all = Promise.all(sources.map(run));
  return {
    async each(observed, tell, signal) {
      const queue: Candidate[] = [];
      for await (const candidate of interfaces.gather(context, signal)) {
        if (isFit(candidate, limits)) queue.push(candidate);
      }
      const seen = observedCandidate(observed);
      if (seen !== undefined && isFit(seen, limits)) queue.push(seen);
      queue.push(...found.values());
      const over = Promise.withResolvers<void>();
      let wake = Promise.withResolvers<void>();
      const listener = (candidate: Candidate): void => {
        queue.push(candidate);
        wake.resolve();
      };
      listeners.add(listener);
      const abort = (): void => over.resolve();
      signal.addEventListener("abort", abort, { once: true });
      let isComplete = false;
      all.then(() => {
        isComplete = true;
        wake.resolve();
      });
      try {
        while (!signal.aborted) {
          const candidate = queue.shift();
          if (candidate !== undefined) await tell(candidate);
          else if (isComplete) return;
          else {
            await Promise.race([wake.promise, over.promise]);
            wake = Promise.withResolvers();
          }
        }
      } finally {
        listeners.delete(listener);
        signal.removeEventListener("abort", abort);
      }
    },
  };
}
