/**
 * Where senders come in: by QUIC, and by TLS over TCP on the same port number.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import type { EventSink } from "../core/events.ts";
import type { Log } from "../core/log.ts";
import type { Secret } from "../core/secret.ts";
import { type CarrierMode, combineListeners } from "../transport/carrier.ts";
import {
  createEndpoint,
  quicListener,
  type QuicOptions,
} from "../transport/quic.ts";
import { tlsListener, type TlsOptions } from "../transport/tls.ts";
import type { Listener } from "../transport/transport.ts";
import { sideListen } from "./side_listen.ts";
import type { LaneThreads } from "../workers/lane_threads.ts";
import {
  createSidePorts,
  type OpenSidePort,
  type SidePorts,
} from "./side_ports.ts";
import { sideThreads } from "./side_threads.ts";
import { ALPN } from "./world.ts";

/** What to bind, and who we are. */
export interface EntranceOptions {
  readonly hostname: string;
  readonly port: number;
  readonly certificate: { readonly cert: string; readonly key: Secret };
  readonly carrier: CarrierMode;
  readonly quic?: QuicOptions;
  readonly tls?: TlsOptions;
  /** Threads for side ports. @default {none} */
  readonly threads?: (() => Promise<LaneThreads>) | undefined;
  /** Changes how side ports are opened. @default {they are as they are} */
  readonly sidePort?: ((open: OpenSidePort) => OpenSidePort) | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Told when TCP cannot be had. */
  readonly emit: EventSink;
}

/** An open entrance. */
export interface Entrance {
  readonly listener: Listener;
  /** Further ports for further connections; `undefined` where there can be none. */
  readonly side?: SidePorts;
  /** Frees the sockets, once the last words are said. */
  close(): void;
}

/** An entrance of a listener that there is already. */
export function givenEntrance(
  listener: Listener | undefined,
): Entrance | undefined {
  return listener && { listener, close: () => listener.close() };
}

/**
 * Opens the entrance. Where both carriers may be used, QUIC must be had, and TCP
 * is a help.
 *
 * @throws {SftpxError} `config` when the address cannot be had.
 */
export function openEntrance(options: EntranceOptions): Entrance {
  const { hostname, carrier, clock, log, emit } = options;
  const own = {
    cert: options.certificate.cert,
    key: new TextDecoder().decode(options.certificate.key.reveal()),
    alpn: ALPN,
    clock,
    log,
  };
  const byTcp = (port: number): Listener =>
    tlsListener({ ...own, hostname, port, ...options.tls });
  if (carrier === "tcp") {
    return { listener: byTcp(options.port), close: () => {} };
  }
  const endpoint = createEndpoint({ hostname, port: options.port });
  const {
    certificate,
    port: firstPort,
    quic: quicOptions = {},
    threads,
    sidePort = (open: OpenSidePort) => open,
  } = options;
  const place = { hostname, firstPort };
  const near = sideListen({ ...own, ...place, ...quicOptions });
  const open = threads === undefined ? near : sideThreads({
    ...place,
    certificate,
    quic: quicOptions,
    log,
    threads,
  }, near);
  const side = createSidePorts(sidePort(open), log);
  const close = (): void => {
    side.close();
    endpoint.close();
  };
  const quic = quicListener({ ...own, endpoint, ...options.quic });
  if (carrier === "quic") return { listener: quic, side, close };
  try {
    const tcp = byTcp(endpoint.port);
    return { listener: combineListeners(quic, tcp), side, close };
  } catch (error) {
    if (!(error instanceof SftpxError)) throw error;
    emit({
      type: "warning",
      message: `over UDP only: ${error.message}`,
    });
    return { listener: quic, side, close };
  }
}
