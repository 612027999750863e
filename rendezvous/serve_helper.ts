/**
 * A helper with its sockets: QUIC and, on the same port number, TLS over TCP.
 *
 * @module
 */
import { type Clock, systemClock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { nullLog } from "../core/log.ts";
import { createMetrics, type Metrics } from "../core/metrics.ts";
import type { Secret } from "../core/secret.ts";
import { readCertificate } from "../crypto/certificate.ts";
import { systemRandomBytes } from "../crypto/random.ts";
import { parseBind } from "../protocol/address.ts";
import { combineListeners } from "../transport/carrier.ts";
import { createEndpoint, quicListener } from "../transport/quic.ts";
import { tlsListener } from "../transport/tls.ts";
import type { Listener } from "../transport/transport.ts";
import { HELPER_ALPN, HELPER_PORT } from "./messages.ts";
import { type HelperOptions, runHelper } from "./server.ts";
import { helperStun } from "./stun_helper.ts";
import type { RelayHost, RelayHostContext } from "./types.ts";

/** How a helper is set up. */
export interface ServeHelperOptions
  extends Omit<HelperOptions, "listener" | "relay" | "clock" | "randomBytes"> {
  /** @default {"0.0.0.0:4277"} */
  readonly bind?: string;
  /** What peers may pin. */
  readonly certificate: { readonly cert: string; readonly key: Secret };
  /** Makes what passes on packets of peers that find no path. @default {nothing is passed on} */
  readonly relay?: (
    context: RelayHostContext & { readonly hostname: string },
  ) => RelayHost;
  /** Answers STUN on the two ports above its own. @default {true} */
  readonly stun?: boolean;
  /** Ends the helper in order. */
  readonly signal?: AbortSignal;
}

/** A helper at work. */
export interface RunningHelper {
  /** What is bound, `host:port`. */
  readonly address: string;
  /** SHA-256 of its certificate. */
  readonly fingerprint: Uint8Array;
  readonly metrics: Metrics;
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
  const { log = nullLog, metrics = createMetrics() } = options;
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
  const endpoint = createEndpoint({ hostname, port });
  const listener = listenOn({ ...options, hostname }, endpoint, clock);
  const context = { clock, log, metrics, randomBytes: systemRandomBytes };
  const relay = options.relay?.({ ...context, hostname });
  const answers = stun
    ? helperStun({ hostname, port: endpoint.port }, context)
    : undefined;
  const { relay: _, ...rest } = options;
  const run = async (): Promise<void> => {
    try {
      await runHelper({
        ...rest,
        ...context,
        listener,
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
    metrics,
    finished,
    async close() {
      own.abort();
      await finished;
    },
  };
}

/** How long the last words may take to go out, ms. */
const FAREWELL_MS = 50;

function listenOn(
  { certificate, log, hostname }: ServeHelperOptions & { hostname: string },
  endpoint: ReturnType<typeof createEndpoint>,
  clock: Clock,
): Listener {
  const own = {
    cert: certificate.cert,
    key: new TextDecoder().decode(certificate.key.reveal()),
    alpn: HELPER_ALPN,
    clock,
    ...log && { log },
  };
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
  try {
    const tcp = tlsListener({ ...own, hostname, port: endpoint.port });
    return combineListeners(quic, tcp);
  } catch (error) {
    if (!(error instanceof SftpxError)) throw error;
    log?.event("helper.no-tcp", { error: error.message });
    return quic;
  }
}
