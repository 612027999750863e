/**
 * Lets peers in over QUIC.
 *
 * Handshakes run beside each other, so that a slow or silent one holds up
 * nobody; each has a deadline, and there is a limit to how many there are. At
 * the limit the oldest gives way, not the newest: who sends us first datagrams
 * under false addresses must then send very many to keep an honest peer out,
 * which needs its place for one round trip only. What fails before a handshake
 * is done is a log event, not an error: anybody can send us that.
 *
 * Of an incoming connection only `accept` and `refuse` may be touched: its
 * getters destroy it on this platform.
 *
 * @module
 */
import { type Clock, systemClock } from "../core/clock.ts";
import { type ErrorCode, ERRORS, SftpxError } from "../core/errors.ts";
import { type Log, nullLog } from "../core/log.ts";
import { idleTurn } from "../core/turn.ts";
import { backlog } from "./backlog.ts";
import { quicConn } from "./quic_conn.ts";
import type { Endpoint, Host } from "./quic_endpoint.ts";
import { hasGivenUp } from "./quic_errors.ts";
import { type QuicOptions, transportOptions } from "./quic_options.ts";
import type { Listener } from "./transport.ts";

/** How peers are let in. */
export interface QuicListenerOptions extends QuicOptions {
  readonly endpoint: Endpoint;
  /** Our certificate, PEM. */
  readonly cert: string;
  /** Its private key, PEM. */
  readonly key: string;
  /** The protocol that is spoken, such as `sftpx/1`. */
  readonly alpn: string;
  /** How many handshakes may run at once; then the oldest gives way. @default {256} */
  readonly maxHandshakes?: number;
  /** How many peers may wait to be accepted; more are refused. @default {64} */
  readonly maxWaiting?: number;
  /** How long a handshake may take, in milliseconds. @default {10000} */
  readonly handshakeTimeoutMs?: number;
  readonly clock?: Clock;
  readonly log?: Log;
}

/** See {@linkcode QuicListenerOptions}. */
export const DEFAULT_QUIC_LISTENER_OPTIONS = Object.freeze({
  maxHandshakes: 256,
  maxWaiting: 64,
  handshakeTimeoutMs: 10_000,
});

/**
 * Listens on an endpoint. Closing the listener leaves the endpoint and its
 * connections as they are.
 *
 * @throws {SftpxError} `config` if certificate or key are unusable.
 */
export function quicListener(options: QuicListenerOptions): Listener {
  const { endpoint, clock = systemClock, log = nullLog } = options;
  const { maxHandshakes, maxWaiting, handshakeTimeoutMs } = {
    ...DEFAULT_QUIC_LISTENER_OPTIONS,
    ...options,
  };
  const waiting = backlog();
  const handshakes = new Set<() => void>(); // what ends each, the oldest first

  const shake = async (incoming: Deno.QuicIncoming): Promise<void> => {
    const over = new AbortController();
    const giveUp = Promise.withResolvers<never>();
    const evict = (): void =>
      giveUp.reject(cannotFinish("others have taken its place"));
    handshakes.add(evict);
    let conn: Deno.QuicConn | undefined;
    try {
      // Given at once, so that it can be closed at the deadline; nothing is
      // read or written before the handshake is done.
      conn = incoming.accept({ zeroRtt: true, ...transportOptions(options) });
      const late = clock.delay(handshakeTimeoutMs, over.signal).then(() => {
        throw cannotFinish("it takes too long");
      });
      const ended = conn.closed.then(() => {
        throw cannotFinish("the peer gave up", "connection-lost");
      });
      await Promise.race([conn.handshake, ended, late, giveUp.promise]);
      // The platform also resolves `handshake` when it failed, and tells of the
      // failure in `closed` in the same turn, or in one of the next if it has
      // much to tell.
      await Promise.race([idleTurn(), ended]);
      waiting.put(quicConn(conn, endpoint));
    } catch (error) {
      conn?.close({ closeCode: ERRORS["peer-busy"].close, reason: "" });
      const left = hasGivenUp(error);
      log.event(left ? LEFT_EVENT : "listener.handshake-failed", {
        error: error instanceof Error ? error.message : String(error),
      });
    } finally {
      over.abort();
      handshakes.delete(evict);
    }
  };

  const stop = listen(options, {
    incoming(incoming) {
      if (waiting.size >= maxWaiting) {
        log.event("listener.refused", { waiting: waiting.size });
        incoming.refuse();
        return;
      }
      const [oldest] = handshakes;
      if (oldest && handshakes.size >= maxHandshakes) {
        handshakes.delete(oldest); // at once: the next evicts another
        oldest();
      }
      shake(incoming); // never rejects
    },
    ended(error) {
      log.event("listener.ended", { error: String(error) });
      waiting.close();
    },
  });

  return {
    address: endpoint.address,
    accept: () => waiting.take(),
    close() {
      stop();
      waiting.close();
    },
  };
}

/** No trouble, and nothing that a log should be full of. */
const LEFT_EVENT = "debug.listener-left";

function cannotFinish(
  reason: string,
  code: ErrorCode = "unreachable",
): SftpxError {
  return new SftpxError(code, `Cannot finish handshake: ${reason}`);
}

function listen(options: QuicListenerOptions, host: Host): () => void {
  try {
    return options.endpoint.listen({
      cert: options.cert,
      key: options.key,
      alpnProtocols: [options.alpn],
      ...transportOptions(options),
    }, host);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new SftpxError(
      "config",
      `Cannot listen on "${options.endpoint.address}": certificate or key are unusable`,
      error,
    );
  }
}
