/**
 * Side ports: further ports of a receiver, for further connections only.
 *
 * One UDP socket takes in no more than its one buffer holds, so each further
 * connection of a fast path has a socket of its own. Over TCP a port leads to a
 * thread, which a socket cannot be handed to. The platform never frees a
 * port and keeps some 3 MB for each, so they are opened when a sender first
 * wants them, at most {@linkcode MAX_PORTS} of them, and stay for as long as the
 * receiver does. Who comes in by one has to prove what it has to prove anywhere.
 *
 * @module
 */
import { codeOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { MAX_PORTS, type PortCarrier } from "../protocol/control.ts";
import { backlog } from "../transport/backlog.ts";
import type { Conn } from "../transport/transport.ts";
import { createDoor, type Door } from "./door.ts";

/** One open port. */
export interface SidePort {
  readonly port: number;
  /** Connections that came in by it and are there still. */
  readonly load: number;
  /** Resolves when it is no more. @default {it stays} */
  readonly ended?: Promise<unknown>;
  /** Ends it and all that came in by it. */
  close(): void;
}

/**
 * Opens a port, wherever what listens on it lives.
 *
 * @param index How many were opened before it.
 * @param arrived Takes connections whose handshake is done.
 * @throws {SftpxError} when it cannot be had.
 */
export type OpenSidePort = (
  index: number,
  arrived: (conn: Conn) => void,
) => Promise<SidePort>;

/** The side ports of a receiver. */
export interface SidePorts {
  /** Lets in who comes by any of them. */
  readonly door: Door;
  /** Opens ports until there are `count` of a carrier, and says which there are, the idlest first. */
  take(carrier: PortCarrier, count: number): Promise<readonly number[]>;
  /** Closes the ports; the door is closed by whoever waits there. */
  close(): void;
}

/** Connections that may wait for a reception; more are turned away. */
const MAX_WAITING = 64;

/** Makes the side ports of a receiver; none is open yet. */
export function createSidePorts(
  open: Readonly<Record<PortCarrier, OpenSidePort>>,
  log: Log,
): SidePorts {
  const waiting = backlog();
  const arrived = (conn: Conn): void => {
    if (waiting.size < MAX_WAITING) waiting.put(conn);
    else conn.close("peer-busy");
  };
  const pools = {
    quic: portPool(open.quic, arrived, log),
    tcp: portPool(open.tcp, arrived, log),
  };
  return {
    door: createDoor({
      address: "",
      accept: () => waiting.take(),
      close: () => waiting.close(),
    }),
    take: (carrier, count) => pools[carrier].take(count),
    close() {
      waiting.close();
      for (const pool of Object.values(pools)) pool.close();
    },
  };
}

/** Ports of one carrier. */
function portPool(
  open: OpenSidePort,
  arrived: (conn: Conn) => void,
  log: Log,
): { take(count: number): Promise<readonly number[]>; close(): void } {
  const ports: SidePort[] = [];
  let most = MAX_PORTS;
  let opening: Promise<void> = Promise.resolve();
  let isClosed = false;

  const openUntil = async (count: number): Promise<void> => {
    while (!isClosed && ports.length < Math.min(count, most)) {
      try {
        const port = await open(ports.length, arrived);
        if (isClosed) return port.close();
        ports.push(port);
        port.ended?.then(() => {
          if (ports.includes(port)) ports.splice(ports.indexOf(port), 1);
        });
        log.event("side-port.open", { port: port.port });
      } catch (error) {
        most = ports.length; // they are a help, and what is there has to do
        log.event("side-port.failed", { code: codeOf(error) });
      }
    }
  };
  return {
    async take(count) {
      opening = opening.then(() => openUntil(count));
      await opening;
      return ports.toSorted((a, b) => a.load - b.load)
        .slice(0, count).map(({ port }) => port);
    },
    close() {
      isClosed = true;
      for (const port of ports) port.close();
    },
  };
}
