/**
 * Finds our own addresses, of all sources at once, and tells the peer.
 *
 * @module
 */
import { isAllowed, keyOf, pathOf } from "./candidates.ts";
import { describe } from "./station.ts";
import type {
  Candidate,
  CandidateSource,
  GatherContext,
  PathPolicy,
} from "./types.ts";

/** Our addresses, found once and told to each peer. */
export interface Gathered {
  /** Tells `tell` of every address, those that are still to be found included, until `signal` aborts. */
  each(
    tell: (candidate: Candidate) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;
}

/** Begins to gather; what is made outside stays until `signal` aborts. */
export function gatherAll(
  sources: readonly CandidateSource[],
  context: GatherContext,
  policy: PathPolicy,
  signal: AbortSignal,
): Gathered {
  const found = new Map<string, Candidate>();
  const listeners = new Set<(candidate: Candidate) => void>();
  const add = (candidate: Candidate): void => {
    const key = keyOf(candidate);
    if (found.has(key) || !isAllowed(policy, pathOf(candidate.kind))) return;
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
    async each(tell, signal) {
      const queue = [...found.values()];
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
