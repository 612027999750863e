/**
 * A sender's dials for further connections: from which thread, and to which port
 * of the receiver.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { codeOf, SftpxError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { HostAndPort } from "../protocol/address.ts";
import type { Conn, Dialer } from "../transport/transport.ts";
import { BULK_LANES, type BulkDials, PLACE_LANES } from "./send_bulk.ts";
import type { SendLink } from "./send_wire.ts";
import {
  createSideDials,
  type SideDialer,
  type SideDials,
} from "./side_dials.ts";

/** Threads of their own for further connections. */
export interface SendThreads {
  /** Dials from such a thread, to another port than the first if one is given. */
  readonly dialer: (place?: HostAndPort) => Dialer;
  /** Threads at most. */
  readonly max: number;
  /** True while another can be started. */
  readonly hasRoom: () => boolean;
  /** Opens them whatever limits. */
  readonly isForced: boolean;
}

/** What dials need. */
export interface DialsDeps {
  readonly dialer: Dialer;
  readonly bbrDialer: Dialer;
  /** Dials other ports of the receiver. @default {they are not used} */
  readonly sideDialer?: SideDialer;
  /** Dials over TCP. @default {that is not wanted} */
  readonly bulkDialer?: (streams: number) => Dialer;
  /** The same, to other ports. @default {they are not used} */
  readonly bulkSideDialer?: (place: HostAndPort, streams: number) => Dialer;
  /** @default {there are none} */
  readonly threads?: SendThreads | undefined;
  /** Connections at most, those on threads not counted. */
  readonly connections: number;
  /** Connects, and says who we are, and of which first connection it is a further one. */
  readonly dialBy: (
    first: SendLink,
    dialer: Dialer,
    connection: number,
    signal: AbortSignal,
  ) => Promise<Conn>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Dials of one session. */
export interface Dials {
  readonly side: SideDials;
  /**
   * Those that go with a first connection. A receiver lets none in that comes
   * when another has taken its place: the two may be at different files.
   */
  of(first: SendLink): LinkDials;
}

/** Dials that go with one first connection. */
export interface LinkDials {
  /** A further connection, from a thread of its own if there is one. */
  more(
    connection: number,
    congestion: "cubic" | "bbr",
    signal: AbortSignal,
  ): Promise<Conn>;
  /** A further connection from a thread of its own. */
  thread(connection: number, signal: AbortSignal): Promise<Conn>;
  /** Connections over TCP; `undefined` when they are not wanted. */
  readonly bulk: BulkDials | undefined;
}

/** Makes the dials of a session. */
export function createDials(deps: DialsDeps): Dials {
  const { dialer, bbrDialer, sideDialer, threads, log } = deps;
  const { bulkSideDialer } = deps;
  const bulkDialer = deps.bulkDialer?.(1 + BULK_LANES); // one is for control
  const ways: SideDialer | undefined = sideDialer &&
    ((place, congestion) => {
      const near = sideDialer(place, congestion);
      return threads === undefined || congestion === "bbr"
        ? near
        : threadFirst(threads.dialer(place), near, log);
    });
  const firstWay = threads && threadFirst(threads.dialer(), dialer, log);
  const side = createSideDials({
    ...deps,
    dialer: ways,
    connections: deps.connections + (threads?.max ?? 0),
  });
  const of: Dials["of"] = (link) => {
    const dialBy = deps.dialBy.bind(undefined, link);
    const more: LinkDials["more"] = (connection, congestion, signal) => {
      const first = congestion === "bbr" ? bbrDialer : firstWay ?? dialer;
      return side.dial({
        congestion,
        signal,
        connect: (way, signal) => dialBy(way ?? first, connection, signal),
      });
    };
    return {
      more,
      bulk: bulkDialer && {
        dial: (connection, signal) => dialBy(bulkDialer, connection, signal),
        places: (count, signal) =>
          bulkSideDialer === undefined
            ? Promise.resolve([])
            : side.places("tcp", count, signal),
        async dialAt(place, connection, signal) {
          const dialer = bulkSideDialer?.(place, 1 + PLACE_LANES) ?? bulkDialer;
          return await dialBy(dialer, connection, signal);
        },
      },
      async thread(connection, signal) {
        if (threads?.hasRoom() !== true) {
          throw new SftpxError(
            "peer-busy",
            "Cannot use another thread: enough",
          );
        }
        return await more(connection, "cubic", signal);
      },
    };
  };
  return { side, of };
}

/** A thread of its own; where none is to be had, the one that there is. */
function threadFirst(far: Dialer, near: Dialer, log: Log): Dialer {
  return {
    async dial(signal) {
      try {
        const conn = await far.dial(signal);
        log.event("thread.connected", { remote: conn.remote });
        return conn;
      } catch (error) {
        const code = codeOf(error);
        const isNone = code === "peer-busy" || code === "internal";
        if (signal.aborted || !isNone) throw error;
        log.event("thread.none", { code });
        return await near.dial(signal);
      }
    },
  };
}
