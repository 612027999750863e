/**
 * What a helper says of our address, as a source of candidates.
 *
 * @module
 */
import { parseAddress } from "../protocol/address.ts";
import { scopeOf } from "./ip.ts";
import type { Candidate, CandidateSource } from "./types.ts";

/** Passes on what a helper has seen. */
export interface Observer {
  readonly source: CandidateSource;
  /** Takes note of what a helper says; only the first counts, and only a usable one. */
  saw(observed: string): void;
}

/** Makes an observer that knows nothing yet. */
export function observer(): Observer {
  const first = Promise.withResolvers<Candidate | undefined>();
  return {
    source: {
      name: "helper",
      async *gather(_context, signal) {
        const abort = (): void => first.resolve(undefined);
        signal.addEventListener("abort", abort, { once: true });
        const candidate = await first.promise;
        if (candidate !== undefined) yield candidate;
      },
    },
    saw(observed) {
      if (observed === "") return;
      const candidate = read(observed);
      if (candidate !== undefined) first.resolve(candidate);
    },
  };
}

/** The helper's word is a hint: an address of this machine or of nobody is none. */
function read(observed: string): Candidate | undefined {
  try {
    const { hostname, port } = parseAddress(observed);
    const scope = scopeOf(hostname);
    if (scope === "none" || scope === "loopback") return undefined;
    return { kind: "reflexive", carrier: "quic", hostname, port };
  } catch {
    return undefined;
  }
}
