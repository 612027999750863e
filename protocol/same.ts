/**
 * Whether what is said again is what was said before.
 *
 * @module
 */
import type { Entry } from "./entry.ts";
import type { Verdict } from "./status.ts";

/** Says whether two byte strings are equal; not for secrets. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** Says whether two entries are equal in all that the wire carries. */
export function sameEntry(a: Entry, b: Entry): boolean {
  if (a.path !== b.path || a.mode !== b.mode || a.mtimeNs !== b.mtimeNs) {
    return false;
  }
  if (a.kind === "file") {
    return b.kind === "file" && a.size === b.size &&
      a.chunkSize === b.chunkSize;
  }
  if (a.kind === "link") return b.kind === "link" && a.target === b.target;
  return a.kind === b.kind;
}

/** Says whether two verdicts are equal; the reason of a refusal may differ. */
export function sameVerdict(a: Verdict, b: Verdict): boolean {
  switch (a.kind) {
    case "have":
      return b.kind === "have" && sameBytes(a.digest, b.digest);
    case "compare":
      return b.kind === "compare" && a.chunks === b.chunks;
    case "want":
    case "refused":
      return a.kind === b.kind;
  }
}
