/**
 * What our connections over TLS have in common.
 *
 * @module
 */

/** Settings of every connection, dialed or accepted. */
export interface TlsOptions {
  /** A sign of life after so long, in milliseconds. @default {1000} */
  readonly keepAliveMs?: number;
  /** A connection is lost after so long without a word, in milliseconds. @default {30000} */
  readonly idleTimeoutMs?: number;
  /** How many streams of one direction either end may have open. @default {80} */
  readonly maxUniStreams?: number;
  /** How many streams of both directions either end may have open. @default {16} */
  readonly maxBidiStreams?: number;
}

/** See {@linkcode TlsOptions}. */
export const DEFAULT_TLS_OPTIONS: Readonly<Required<TlsOptions>> = Object
  .freeze({
    keepAliveMs: 1000,
    idleTimeoutMs: 30_000,
    maxUniStreams: 80,
    maxBidiStreams: 16,
  });

/**
 * All settings, from those that are given.
 *
 * @throws {RangeError} if a time is not one.
 */
export function tlsOptions(options: TlsOptions): Required<TlsOptions> {
  const { keepAliveMs, idleTimeoutMs, maxUniStreams, maxBidiStreams } = {
    ...DEFAULT_TLS_OPTIONS,
    ...options,
  };
  for (const [name, value] of Object.entries({ keepAliveMs, idleTimeoutMs })) {
    if (!(value > 0)) {
      throw new RangeError(
        `Cannot set up TLS as ${name} must be > 0: current value is ${value}`,
      );
    }
  }
  return { keepAliveMs, idleTimeoutMs, maxUniStreams, maxBidiStreams };
}
