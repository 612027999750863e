/**
 * Errors: the table of codes, and the one class that carries them.
 *
 * @module
 */

/** Every way to fail. The one table that exits, QUIC closes and docs come from. */
export const ERRORS = {
  "usage": { exit: 2, close: 0x00, retry: false },
  "config": { exit: 3, close: 0x00, retry: false },
  "unreachable": { exit: 4, close: 0x00, retry: true },
  "connection-lost": { exit: 4, close: 0x00, retry: true },
  "peer-busy": { exit: 4, close: 0x10, retry: true },
  "duplicate": { exit: 4, close: 0x11, retry: false },
  "unauthorized": { exit: 5, close: 0x20, retry: false },
  "protocol": { exit: 6, close: 0x30, retry: false },
  "integrity": { exit: 7, close: 0x40, retry: false },
  "local-io": { exit: 8, close: 0x50, retry: false },
  "cancelled": { exit: 130, close: 0x60, retry: false },
  "internal": { exit: 1, close: 0x70, retry: false },
} as const satisfies Record<string, ErrorInfo>;

/** What a code means. */
export interface ErrorInfo {
  /** Exit code of the process. */
  readonly exit: number;
  /** Application code of a QUIC close; 0x00 for errors that no peer hears of. */
  readonly close: number;
  /** True when the same again, later, may go well. */
  readonly retry: boolean;
}

/** The name of a way to fail. */
export type ErrorCode = keyof typeof ERRORS;

/** The only error that crosses a folder boundary. */
export class SftpxError extends Error {
  /** Tells it from other errors. */
  override name = "SftpxError";
  /** Says what failed as "Cannot X: reason". */
  constructor(readonly code: ErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
  }
}

/**
 * Tells whether the same again, later, may go well. Causes do not count: who
 * wrapped a retryable error has already given up on it.
 */
export function isRetryable(error: unknown): boolean {
  return error instanceof SftpxError && ERRORS[error.code].retry;
}

/**
 * Tells whether trying again is of no use: what failed said why, and it is
 * neither the network's mood nor a bug.
 */
export function isFinal(error: unknown): boolean {
  return error instanceof SftpxError && error.code !== "internal" &&
    !ERRORS[error.code].retry;
}

/**
 * Finds the code of what went wrong: that of the first `SftpxError` among the
 * error, its cause, that one's cause and so on, or `"internal"`.
 */
export function codeOf(error: unknown): ErrorCode {
  return sftpxErrorOf(error)?.code ?? "internal";
}

/** Finds the `SftpxError` that `codeOf` would name, for its text. */
export function sftpxErrorOf(error: unknown): SftpxError | undefined {
  let current = error;
  for (let depth = 0; depth < MAX_CAUSES; depth++) {
    if (current instanceof SftpxError) return current;
    if (!(current instanceof Error)) return undefined;
    current = current.cause;
  }
  return undefined;
}

/** Causes can form a ring; nobody nests them this deep. */
const MAX_CAUSES = 16;
