/**
 * Connections within one process, with the promises of `transport.ts`: for
 * tests, where time and loss are the test's to decide.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { type Backlog, backlog } from "./backlog.ts";
import { type Link, memoryLink } from "./memory_link.ts";
import type { Conn, Dialer, Listener } from "./transport.ts";

/** How much the network holds. */
export interface MemoryNetworkOptions {
  /** Bytes that a stream holds unread. @default {262144} */
  readonly bufferBytes?: number;
  /** Streams of one direction that an end may have open. @default {80} */
  readonly maxUniStreams?: number;
  /** Streams of both directions that an end may have open. @default {16} */
  readonly maxBidiStreams?: number;
  /** Peers that may wait to be accepted; more are refused. @default {64} */
  readonly maxWaiting?: number;
}

/** See {@linkcode MemoryNetworkOptions}. */
export const DEFAULT_MEMORY_NETWORK_OPTIONS: Readonly<
  Required<MemoryNetworkOptions>
> = Object.freeze({
  bufferBytes: 256 * 1024,
  maxUniStreams: 80,
  maxBidiStreams: 16,
  maxWaiting: 64,
});

/** Listeners and dialers that find each other by address. */
export interface MemoryNetwork {
  /**
   * Takes what is dialed to `address`.
   *
   * @throws {SftpxError} `config` if the address is taken.
   */
  listen(address: string): Listener;
  dialer(address: string): Dialer;
  /** Loses the connection of which `conn` is one end: both ends reject. */
  lose(conn: Conn): void;
  /** Lets nothing through between `conn` and its peer until `thaw`. */
  freeze(conn: Conn): void;
  thaw(conn: Conn): void;
  /** `conn`'s address, as its peer sees it, is `address` from now on. */
  move(conn: Conn, address: string): void;
}

/** Makes a network that nobody listens on. */
export function memoryNetwork(
  options: MemoryNetworkOptions = {},
): MemoryNetwork {
  const o = { ...DEFAULT_MEMORY_NETWORK_OPTIONS, ...options };
  const listeners = new Map<string, Backlog>();
  const links = new WeakMap<Conn, { link: Link; end: 0 | 1 }>();
  let dials = 0;

  const connect = (address: string): Conn => {
    const listener = listeners.get(address);
    if (listener === undefined) {
      throw new SftpxError(
        "unreachable",
        `Cannot reach "${address}": no answer`,
      );
    }
    if (listener.size >= o.maxWaiting) {
      throw new SftpxError(
        "peer-busy",
        `Cannot reach "${address}": it takes no more connections now`,
      );
    }
    const link = memoryLink([address, `memory:${++dials}`], o);
    const [ours, theirs] = link.ends;
    links.set(ours, { link, end: 0 });
    links.set(theirs, { link, end: 1 });
    listener.put(theirs);
    return ours;
  };

  return {
    listen(address) {
      if (listeners.has(address)) {
        throw new SftpxError(
          "config",
          `Cannot listen on "${address}": the address is in use`,
        );
      }
      const waiting = backlog();
      listeners.set(address, waiting);
      return {
        address,
        accept: () => waiting.take(),
        close() {
          if (listeners.get(address) === waiting) listeners.delete(address);
          waiting.close();
        },
      };
    },
    dialer: (address) => ({
      // Async: a dial that fails rejects, it does not throw.
      dial: async (signal) => {
        signal.throwIfAborted();
        await Promise.resolve();
        return connect(address);
      },
    }),
    lose: (conn) => links.get(conn)?.link.lose(),
    freeze: (conn) => links.get(conn)?.link.freeze(true),
    thaw: (conn) => links.get(conn)?.link.freeze(false),
    move(conn, address) {
      const found = links.get(conn);
      found?.link.move(found.end === 0 ? 1 : 0, address);
    },
  };
}
