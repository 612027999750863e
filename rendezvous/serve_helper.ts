/**
 * A helper with its sockets: QUIC and, on the same port number, TLS over TCP.
 *
 * @module
 */
import { type Clock, systemClock } from "../core/clock.ts";
import { type Log, nullLog } from "../core/log.ts";
import { createMetrics } from "../core/metrics.ts";
import type { Secret } from "../core/secret.ts";
import { readCertificate } from "../crypto/certificate.ts";
import { systemRandomBytes } from "../crypto/random.ts";
import { parseBind } from "../protocol/address.ts";
import { combineListeners } from "../transport/carrier.ts";
import { type Endpoint, quicListener } from "../transport/quic.ts";
import { bindSamePort } from "../transport/same_port.ts";
import { tlsListener } from "../transport/tls.ts";
import type { Listener } from "../transport/transport.ts";
import { HELPER_ALPN, HELPER_PORT } from "./messages.ts";
import { relayHost } from "./relay_host.ts";
import { type HelperOptions, runHelper } from "./server.ts";
import { helperStun, stunPortsOf } from "./stun_helper.ts";

/** How a helper is set up. */
export interface ServeHelperOptions {
  /** Where to listen. @default {"0.0.0.0:4277"} */
  readonly bind?: string;
  /** What peers may pin. */
  readonly certificate: { readonly cert: string; readonly key: Secret };
  /** Passes on what peers that find no path say to each other. @default {false} */
  readonly relay?: boolean;
  /** Answers STUN on the two ports above its own. @default {true} */
  readonly stun?: boolean;
  /** How long a peer may wait for another, ms. @default {3600000} */
  readonly waitMs?: number;
  /** Peers that may wait at a time. @default {10000} */
  readonly maxPeers?: number;
  /** Connections of one address. @default {64} */
  readonly maxConnectionsPerAddress?: number;
  /** Requests of one address in a minute, in the long run. @default {60} */
  readonly requestsPerMinute?: number;
  /** Wrong guesses of one address in an hour. @default {12} */
  readonly burnsPerHour?: number;
  /** Told what the helper does. @default {nobody} */
  readonly log?: Log;
  /** Ends the helper in order. */
  readonly signal?: AbortSignal;
}

/** A helper at work. */
export interface RunningHelper {
  /** What is bound, `host:port`. */
  readonly address: string;
  /** SHA-256 of its certificate. */
  readonly fingerprint: Uint8Array;
  /** What it has counted, as Prometheus reads it. */
  exposition(): string;
  /** Resolves when it has stopped. */
  readonly finished: Promise<void>;
  /** Stops in order. */
  close(): Promise<void>;
}

/** A peer that waits says something this often, ms. It is the peer's NAT that needs it. */
const KEEP_ALIVE_MS = 12_000;
const IDLE_MS = 45_000;
/** What a peer may ask at a time. */
const MAX_STREAMS = 8;

/**
 * Opens the sockets of a helper, and serves.
 *
 * @throws {SftpxError} `config` when address or certificate are of no use.
 */
export function serveHelper(options: ServeHelperOptions): RunningHelper {
  const { bind = "0.0.0.0:4277", certificate, stun = true } = options;
  const { log = nullLog } = options;
  const metrics = createMetrics();
  const clock: Clock = systemClock;
  const { hostname, port } = parseBind(bind, HELPER_PORT);
  const { fingerprint } = readCertificate(
    certificate.cert,
    new Date(clock.wallMs()),
  );
  const own = new AbortController();
  const signal = options.signal === undefined
    ? own.signal
    : AbortSignal.any([own.signal, options.signal]);
  const { endpoint, listener } = listenOn(options, { hostname, port }, clock);
  const context = { clock, log, metrics, randomBytes: systemRandomBytes };
  // Beside STUN's port, so that one rule of a firewall lets both in.
  const [tcpPort] = stunPortsOf(endpoint.port);
  const relay = options.relay
    ? relayHost({ hostname, tcpPort }, context)
    : undefined;
  const answers = stun
    ? helperStun({ hostname, port: endpoint.port }, context)
    : undefined;
  const { waitMs, maxPeers } = options;
  const run = async (): Promise<void> => {
    try {
      await runHelper({
        ...limitsOf(options),
        ...context,
        listener,
        rooms: {
          ...waitMs !== undefined && { waitMs },
          ...maxPeers !== undefined && { maxGuests: maxPeers },
          // Who may have so many connections may wait on each of them.
          ...options.maxConnectionsPerAddress !== undefined &&
            { maxPerAddress: options.maxConnectionsPerAddress },
        },
        ...relay && { relay },
      }, signal);
    } finally {
      answers?.close();
      await clock.delay(FAREWELL_MS);
      endpoint.close();
    }
  };
  const finished = run();
  finished.catch(() => {}); // whoever waits for it hears of it
  return {
    address: endpoint.address,
    fingerprint,
    exposition: () => metrics.exposition(),
    finished,
    async close() {
      own.abort();
      await finished;
    },
  };
}

function limitsOf(
  options: ServeHelperOptions,
): Partial<Omit<HelperOptions, "listener">> {
  const { maxConnectionsPerAddress, requestsPerMinute, burnsPerHour } = options;
  return {
    ...maxConnectionsPerAddress !== undefined && { maxConnectionsPerAddress },
    ...requestsPerMinute !== undefined && { requestsPerMinute },
    ...burnsPerHour !== undefined && { burnsPerHour },
  };
}

/** How long the last words may take to go out, ms. */
const FAREWELL_MS = 50;

function listenOn(
  { certificate, log }: ServeHelperOptions,
  where: { readonly hostname: string; readonly port: number },
  clock: Clock,
): { readonly endpoint: Endpoint; readonly listener: Listener } {
  const own = {
    cert: certificate.cert,
    key: new TextDecoder().decode(certificate.key.reveal()),
    alpn: HELPER_ALPN,
    clock,
    ...log && { log },
  };
  const { endpoint, tcp, noTcp } = bindSamePort(
    where,
    (port) => tlsListener({ ...own, hostname: where.hostname, port }),
  );
  if (noTcp !== undefined) {
    log?.event("helper.no-tcp", { error: noTcp.message });
  }
  const quic = quicListener({
    ...own,
    endpoint,
    keepAliveMs: KEEP_ALIVE_MS,
    idleTimeoutMs: IDLE_MS,
    maxBidiStreams: MAX_STREAMS,
    maxUniStreams: 0, // nobody reads them
    maxHandshakes: 1024,
    maxWaiting: 1024,
  });
  const listener = tcp === undefined ? quic : combineListeners(quic, tcp);
  return { endpoint, listener };
}
