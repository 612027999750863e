/**
 * What a person could do about an error.
 *
 * @module
 */

/** Attaches a hint, which `cmd/exit.ts` prints below the error. */
export function hinted<E extends Error>(error: E, hint: string): E {
  return Object.assign(error, { hint });
}

/** The hint of an error, or of what caused it. */
export function hintOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) {
    return undefined;
  }
  return "hint" in error && typeof error.hint === "string"
    ? error.hint
    : hintOf(error.cause);
}
