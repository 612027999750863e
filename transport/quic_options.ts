/**
 * What our QUIC connections have in common.
 *
 * @module
 */

/** Settings of every connection, dialed or accepted. */
export interface QuicOptions {
  /** How congestion is judged. @default {"cubic"} */
  readonly congestion?: Congestion;
  /** A sign of life after so long without one, in milliseconds. @default {1000} */
  readonly keepAliveMs?: number;
  /** A connection is lost after so long without a word, in milliseconds. @default {30000} */
  readonly idleTimeoutMs?: number;
  /** How many streams of one direction the peer may have open. @default {80} */
  readonly maxUniStreams?: number;
  /** How many streams of both directions the peer may have open. @default {16} */
  readonly maxBidiStreams?: number;
}

/** `cubic` is fair; `bbr` keeps its speed where packets are lost, and pushes others aside. */
export type Congestion = "cubic" | "bbr";

/** See {@linkcode QuicOptions}. */
export const DEFAULT_QUIC_OPTIONS: Readonly<Required<QuicOptions>> = Object
  .freeze({
    congestion: "cubic",
    // Without it a hole in the network of 5 s takes 10 s to recover from.
    keepAliveMs: 1000,
    idleTimeoutMs: 30_000,
    // Each unread stream may hold 1.25 MB of ours: 80 of them are 100 MB.
    maxUniStreams: 80,
    maxBidiStreams: 16,
  });

/** `options` in the platform's words. */
export function transportOptions(
  options: QuicOptions,
): Deno.QuicTransportOptions {
  const o = { ...DEFAULT_QUIC_OPTIONS, ...options };
  if (!(o.idleTimeoutMs > 0)) { // the platform takes 0 as "at once"
    throw new RangeError(
      `Cannot set up QUIC as idleTimeoutMs must be > 0: current value is ${o.idleTimeoutMs}`,
    );
  }
  return {
    congestionControl: o.congestion === "bbr" ? "low-latency" : "throughput",
    keepAliveInterval: o.keepAliveMs,
    maxIdleTimeout: o.idleTimeoutMs,
    maxConcurrentUnidirectionalStreams: o.maxUniStreams,
    maxConcurrentBidirectionalStreams: o.maxBidiStreams,
  };
}
