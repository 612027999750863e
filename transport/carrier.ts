/**
 * Two carriers for one peer: QUIC, and TLS over TCP on the same port number.
 *
 * QUIC is tried first. Where it has no answer within a grace, TCP is tried beside
 * it, and the first that connects is taken. What worked is tried first the next
 * time, so that a network without UDP costs the grace once.
 *
 * @module
 */
import { type Clock, systemClock } from "../core/clock.ts";
import { isFinal, SftpxError } from "../core/errors.ts";
import { inOrder } from "./queues.ts";
import type { Carrier, Conn, Dialer, Listener } from "./transport.ts";

/** Which carriers may be used: `auto` means both. */
export type CarrierMode = "auto" | Carrier;

/** How the peer is dialed. */
export interface CarrierDialerOptions {
  readonly quic: Dialer;
  readonly tls: Dialer;
  /** Which may be used. @default {"auto"} */
  readonly mode?: CarrierMode;
  /** How long one has to itself, in milliseconds. @default {1000} */
  readonly graceMs?: number;
  /** Told when another carrier connects than the time before; QUIC is what is expected at first. */
  readonly onChange?: (carrier: Carrier) => void;
  readonly clock?: Clock;
}

/** See {@linkcode CarrierDialerOptions}. */
export const DEFAULT_CARRIER_DIALER_OPTIONS = Object.freeze({
  mode: "auto",
  // Longer than a handshake whose first packet was lost; with TCP's own three
  // round trips still well under 3 s.
  graceMs: 1000,
});

/** Makes a dialer that takes the carrier that passes. */
export function carrierDialer(options: CarrierDialerOptions): Dialer {
  const { quic, tls, clock = systemClock, onChange = () => {} } = options;
  const { mode, graceMs } = { ...DEFAULT_CARRIER_DIALER_OPTIONS, ...options };
  if (mode === "quic") return quic;
  if (mode === "tcp") return tls;
  let best: Carrier = "quic";
  const worked = new Set<Carrier>();
  const dialers = { quic, tcp: tls };

  return {
    async dial(signal) {
      const { carrier, conn } = await race({
        order: best === "quic" ? ["quic", "tcp"] : ["tcp", "quic"],
        dial: (carrier, signal) => dialers[carrier].dial(signal),
        // Where QUIC has worked and TCP has not, another program may have the
        // port: what that one says is not the peer's word.
        isForeign: worked.has("quic") && !worked.has("tcp"),
        graceMs,
        clock,
      }, signal);
      worked.add(carrier);
      if (carrier !== best) onChange(carrier);
      best = carrier;
      return conn;
    },
  };
}

/**
 * One listener of several: whoever comes, by whichever. Its address is that of
 * the first. It takes no more from each than it gives, so that their limits hold.
 */
export function combineListeners(
  first: Listener,
  ...others: readonly Listener[]
): Listener {
  const all = [first, ...others];
  const next = new Map<Listener, Promise<Taken>>();
  const ended = new Set<Listener>();
  const take = async (listener: Listener): Promise<Taken> => ({
    listener,
    conn: await listener.accept(),
  });
  const calls = inOrder();
  return {
    address: first.address,
    accept: () =>
      calls(async () => {
        for (;;) {
          for (const listener of all) {
            if (ended.has(listener) || next.has(listener)) continue;
            next.set(listener, take(listener));
          }
          if (next.size === 0) return undefined;
          const { listener, conn } = await Promise.race(next.values());
          next.delete(listener);
          if (conn !== undefined) return conn;
          ended.add(listener);
        }
      }),
    close() {
      for (const listener of all) {
        listener.close();
        ended.add(listener);
      }
      for (const taken of next.values()) {
        taken.then(
          ({ conn }) => conn?.close("peer-busy", "not listening"),
          () => {},
        );
      }
    },
  };
}

interface Taken {
  readonly listener: Listener;
  readonly conn: Conn | undefined;
}

/** How long QUIC is waited for when another answers by TCP, ms. */
const STRANGER_MS = 3000;

interface Won {
  readonly carrier: Carrier;
  readonly conn: Conn;
}

interface Race {
  readonly order: readonly [Carrier, Carrier];
  readonly dial: (carrier: Carrier, signal: AbortSignal) => Promise<Conn>;
  /** True when what is said over TCP does not count. */
  readonly isForeign: boolean;
  readonly graceMs: number;
  readonly clock: Clock;
}

/** Dials the first and, after a grace or when that failed, the second beside it. */
async function race(
  { order: [first, second], dial, isForeign, graceMs, clock }: Race,
  signal: AbortSignal,
): Promise<Won> {
  signal.throwIfAborted();
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  let winner: Won | undefined;
  const failures: Partial<Record<Carrier, unknown>> = {};
  const done = Promise.withResolvers<void>(); // won, or refused
  const attempt = async (carrier: Carrier): Promise<void> => {
    try {
      const conn = await dial(carrier, either);
      if (winner !== undefined || either.aborted) return conn.close();
      winner = { carrier, conn };
      done.resolve();
    } catch (error) {
      failures[carrier] = error;
      if (!isAnswer(error)) return;
      // Over TCP it may be another program's answer: QUIC may still come.
      if (carrier === "tcp") {
        await clock.delay(STRANGER_MS, either).catch(() => {});
      }
      if (carrier === "quic" || !isForeign) done.resolve();
    }
  };
  try {
    const running = [attempt(first)];
    const grace = clock.delay(graceMs, either).catch(() => {});
    await Promise.race([running[0], grace, done.promise]);
    signal.throwIfAborted();
    if (winner === undefined && !isAnswer(failures.quic)) {
      running.push(attempt(second));
      await Promise.race([Promise.all(running), done.promise]);
      signal.throwIfAborted();
    }
    if (winner !== undefined) return winner;
    const { quic, tcp } = failures;
    // A peer that is there and says no tells more than silence does.
    if (isAnswer(quic) || isForeign || !isFinal(tcp)) throw quic ?? tcp;
    throw tcp;
  } finally {
    over.abort();
  }
}

/** Tells whether a failure is somebody's answer, and not silence. */
function isAnswer(error: unknown): boolean {
  return isFinal(error) || error instanceof SftpxError &&
      error.code === "peer-busy";
}
