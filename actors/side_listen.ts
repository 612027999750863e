/**
 * A side port on the thread that has the first one.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import {
  createEndpoint,
  type Endpoint,
  quicListener,
  type QuicListenerOptions,
} from "../transport/quic.ts";
import type { Conn, Listener } from "../transport/transport.ts";
import type { OpenSidePort } from "./side_ports.ts";

/** Where side ports are bound, and who we are. */
export interface SideListenOptions
  extends Omit<QuicListenerOptions, "endpoint"> {
  readonly hostname: string;
  /** The port of the first socket when a person chose it; 0 when the system did. */
  readonly firstPort: number;
}

/** An honest sender needs a place for a round trip only, and can go to the first port. */
export const SIDE_LIMITS = { maxHandshakes: 32, maxWaiting: 16 };
const LAST_PORT = 65_535;

/** Listens on side ports beside the first port. */
export function sideListen(options: SideListenOptions): OpenSidePort {
  const { hostname, firstPort } = options;
  return (index, arrived) => {
    const endpoint = bindNear(hostname, firstPort, index);
    const listener = quicListener({ ...options, ...SIDE_LIMITS, endpoint });
    const conns = passOn(listener, arrived);
    return Promise.resolve({
      port: endpoint.port,
      get load() {
        return conns.size;
      },
      close() {
        listener.close();
        endpoint.close();
      },
    });
  };
}

/** Hands on who comes in by a listener; returns those that are there still. */
export function passOn(
  listener: Listener,
  arrived: (conn: Conn) => void,
): ReadonlySet<Conn> {
  const conns = new Set<Conn>();
  const run = async (): Promise<void> => {
    for (;;) {
      const conn = await listener.accept();
      if (conn === undefined) return;
      conns.add(conn);
      conn.closed.catch(() => {}).finally(() => conns.delete(conn));
      arrived(conn);
    }
  };
  run(); // never rejects
  return conns;
}

/**
 * Where the first port was chosen, those that follow it may be open in a firewall
 * too; one that another program has is any other port.
 */
function bindNear(
  hostname: string,
  firstPort: number,
  index: number,
): Endpoint {
  for (const port of portsNear(firstPort, index)) {
    try {
      return createEndpoint({ hostname, port });
    } catch (error) {
      if (!(error instanceof SftpxError) || port === 0) throw error;
    }
  }
  throw new TypeError("Cannot bind: no port was tried");
}

/** The ports to try for a side port, one after the other; 0 is any. */
export function portsNear(firstPort: number, index: number): number[] {
  const port = firstPort + 1 + index;
  return firstPort > 0 && port <= LAST_PORT ? [port, 0] : [0];
}
