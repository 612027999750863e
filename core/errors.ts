/** Every way to fail. The one table that exits, QUIC closes and docs come from. */
export const ERRORS = {
  "usage": { exit: 2, close: 0x00, retry: false },
  "config": { exit: 3, close: 0x00, retry: false },
  "unreachable": { exit: 4, close: 0x00, retry: true },
  "connection-lost": { exit: 4, close: 0x00, retry: true },
  "peer-busy": { exit: 4, close: 0x10, retry: true },
  "unauthorized": { exit: 5, close: 0x20, retry: false },
  "protocol": { exit: 6, close: 0x30, retry: false },
  "integrity": { exit: 7, close: 0x40, retry: false },
  "local-io": { exit: 8, close: 0x50, retry: false },
  "cancelled": { exit: 130, close: 0x60, retry: false },
  "internal": { exit: 1, close: 0x70, retry: false },
} as const satisfies Record<string, ErrorInfo>;

interface ErrorInfo {
  readonly exit: number;
  readonly close: number;
  readonly retry: boolean;
}

export type ErrorCode = keyof typeof ERRORS;

/** The only error that crosses a folder boundary. */
export class SftpxError extends Error {
  override name = "SftpxError";
  constructor(readonly code: ErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
  }
}

export function isRetryable(error: unknown): boolean {
  return error instanceof SftpxError && ERRORS[error.code].retry;
}
