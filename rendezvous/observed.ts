/**
 * What a helper says of our address, as a candidate.
 *
 * @module
 */
import { parseAddress } from "../protocol/address.ts";
import { scopeOf } from "./ip.ts";
import type { Candidate } from "./types.ts";

/**
 * The candidate of an observed address; `undefined` when it is none. The helper's
 * word is a hint: an address of this machine or of nobody is of no use.
 */
export function observedCandidate(observed: string): Candidate | undefined {
  if (observed === "") return undefined;
  try {
    const { hostname, port } = parseAddress(observed);
    const scope = scopeOf(hostname);
    if (scope === "none" || scope === "loopback") return undefined;
    return { kind: "reflexive", carrier: "quic", hostname, port };
  } catch {
    return undefined;
  }
}
