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
  type QuicListenerOptions,
  type QuicOptions,
} from "../transport/quic.ts";
import { bindSamePort, type SamePort } from "../transport/same_port.ts";
import { tlsListener, type TlsOptions } from "../transport/tls.ts";
import type { Listener } from "../transport/transport.ts";
import { sideListen } from "./side_listen.ts";
import type { LaneThreads } from "../workers/lane_threads.ts";
import {
  createSidePorts,
  type OpenSidePort,
  type SidePorts,
} from "./side_ports.ts";
import { sideThreads, type SideThreadsOptions } from "./side_threads.ts";
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
  /** Threads for what comes over TCP beside QUIC. @default {none} */
  readonly bulkThreads?: (() => Promise<LaneThreads>) | undefined;
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
  const where = { hostname, port: options.port };
  const { endpoint, tcp, noTcp }: SamePort = carrier === "quic"
    ? { endpoint: createEndpoint(where) }
    : bindSamePort(where, byTcp);
  const { sidePort = (open) => open } = options;
  const side = createSidePorts({
    quic: sidePort(quicPorts(options, own)),
    tcp: tcpPorts(options),
  }, log);
  const close = (): void => {
    side.close();
    endpoint.close();
  };
  const quic = quicListener({ ...own, endpoint, ...options.quic });
  if (noTcp !== undefined) {
    emit({ type: "warning", message: `over UDP only: ${noTcp.message}` });
  }
  const listener = tcp === undefined ? quic : combineListeners(quic, tcp);
  return { listener, side, close };
}

/** Side ports for QUIC: on threads as long as there are any, else on this one. */
function quicPorts(
  options: EntranceOptions,
  own: Pick<QuicListenerOptions, "cert" | "key" | "alpn" | "clock" | "log">,
): OpenSidePort {
  const { hostname, port: firstPort, quic = {}, threads } = options;
  const near = sideListen({ ...own, hostname, firstPort, ...quic });
  return threads === undefined
    ? near
    : sideThreads({ ...onThreads(options, threads), carrier: "quic" }, near);
}

/** Side ports for TCP, which are of use on threads only. */
function tcpPorts(options: EntranceOptions): OpenSidePort {
  const { bulkThreads, carrier } = options;
  const none: OpenSidePort = () =>
    Promise.reject(
      new SftpxError(
        "peer-busy",
        "Cannot open port: there is no thread for it",
      ),
    );
  return bulkThreads === undefined || carrier !== "auto"
    ? none
    : sideThreads({ ...onThreads(options, bulkThreads), carrier: "tcp" }, none);
}

function onThreads(
  { hostname, port, certificate, quic = {}, tls = {}, log }: EntranceOptions,
  threads: () => Promise<LaneThreads>,
): Omit<SideThreadsOptions, "carrier"> {
  return { hostname, firstPort: port, certificate, quic, tls, log, threads };
}
