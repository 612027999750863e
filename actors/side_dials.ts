/**
 * The sender's way to a receiver's side ports: asks where they are, and goes by
 * the first port where they cannot be reached.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { codeOf, type ErrorCode, SftpxError } from "../core/errors.ts";
import { inTime } from "../core/in_time.ts";
import type { Log } from "../core/log.ts";
import { type HostAndPort, parseAddress } from "../protocol/address.ts";
import { MAX_PORTS, type PortCarrier } from "../protocol/control.ts";
import { connectionsFor } from "../protocol/growth.ts";
import type { Conn, Dialer } from "../transport/transport.ts";

/** Makes a dialer for a port of the receiver other than the first. */
export type SideDialer = (
  address: HostAndPort,
  congestion: "cubic" | "bbr",
) => Dialer;

/** A connection that further ones may be added to. */
export interface FirstConnection {
  readonly conn: Conn;
  /** A round trip over it, ms. */
  readonly tripMs: number;
  /** Ports for QUIC that were asked for with the offer. */
  readonly portsWanted: number;
  /** Asks the receiver for so many ports of a carrier. */
  readonly want: (carrier: PortCarrier, count: number) => void;
}

/** What a dial needs. */
export interface SideDialOptions {
  readonly congestion: "cubic" | "bbr";
  /** Connects by `dialer`, or by the first port. */
  readonly connect: (
    dialer: Dialer | undefined,
    signal: AbortSignal,
  ) => Promise<Conn>;
  readonly signal: AbortSignal;
}

/** The ways to a receiver's side ports, of one session. */
export interface SideDials {
  /**
   * For how many ports to ask with the offer, before it is known whether we are
   * let in: over a long path the answer is worth a round trip.
   */
  early(conn: Conn, tripMs: number): number;
  /** Another first connection is open: what was known of ports is void. */
  begin(first: FirstConnection): void;
  /** The receiver says which ports there are. */
  heard(carrier: PortCarrier, ports: readonly number[]): void;
  /** Where up to `count` ports of a carrier are, of which nothing is known yet. */
  places(
    carrier: PortCarrier,
    count: number,
    signal: AbortSignal,
  ): Promise<readonly HostAndPort[]>;
  /** Gets a further connection, by a port of its own if that can be. */
  dial(options: SideDialOptions): Promise<Conn>;
}

/** What side dials need. */
export interface SideDialsDeps {
  /** @default {side ports are not used} */
  readonly dialer: SideDialer | undefined;
  /** Connections at most, the first one included. */
  readonly connections: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long an answer is waited for, beside two round trips: a receiver may not know the question. */
const ANSWER_MS = 1000;
/** How long a port has to let us in, beside four round trips: the first packet may be lost. */
const DIAL_MS = 2000;

/** What says that no port of this receiver is where we look for it. */
const NOT_THERE: ReadonlySet<string> = new Set<ErrorCode>([
  "unreachable",
  "unauthorized",
]);

/** What a dial ends with whose time is up. */
export const unanswered = (cause: unknown): SftpxError =>
  new SftpxError("unreachable", "Cannot dial: no answer in time", cause);

/** Creates the ways to side ports; none is known yet. */
export function createSideDials(deps: SideDialsDeps): SideDials {
  const { dialer, clock, log } = deps;
  const most = Math.min(MAX_PORTS, deps.connections - 1);
  let first: FirstConnection | undefined;
  let hostname: string | undefined; // where the ports are
  let isOff = dialer === undefined; // they were tried, and in vain
  let known = { quic: newPorts(), tcp: newPorts() };
  let used = new Map<number, number>(); // connections a port
  let finding = 0;

  const want = (carrier: PortCarrier, count: number): void => {
    const of = known[carrier];
    if (first === undefined || count <= of.wanted) return;
    asks(of, count);
    first.want(carrier, count);
  };
  const told = (carrier: PortCarrier, signal: AbortSignal): Promise<void> => {
    const waitMs = ANSWER_MS + 2 * (first?.tripMs ?? 0);
    return within(known[carrier].answer.promise, waitMs, clock, signal);
  };
  /** Finds the port that has least to do, and counts one more there. */
  const find = async (signal: AbortSignal): Promise<number | undefined> => {
    if (isOff || first === undefined || hostname === undefined) return;
    let busy = finding++;
    try {
      for (const count of used.values()) busy += count;
      const count = Math.min(most, busy + 2); // this one, and the next
      want("quic", count);
      const { ports } = known.quic;
      if (ports.length <= busy && ports.length < most) {
        await told("quic", signal);
      }
    } finally {
      finding--;
    }
    const load = (port: number): number => used.get(port) ?? 0;
    const port = known.quic.ports.toSorted((a, b) => load(a) - load(b))[0];
    if (port !== undefined) used.set(port, load(port) + 1);
    return port;
  };

  const bySide = async (
    port: number,
    hostname: string,
    { congestion, connect, signal }: SideDialOptions,
  ): Promise<Conn | undefined> => {
    const way = dialer?.({ hostname, port }, congestion);
    const mine = used;
    const free = (): void =>
      void mine.set(port, Math.max(0, (mine.get(port) ?? 0) - 1));
    const ms = DIAL_MS + 4 * (first?.tripMs ?? 0);
    try {
      const conn = await inTime(
        { clock, ms, signal, late: unanswered },
        (signal) => connect(way, signal),
      );
      conn.closed.catch(() => {}).finally(free);
      log.event("side-port.used", { port });
      return conn;
    } catch (error) {
      free();
      if (signal.aborted || !(error instanceof SftpxError)) throw error;
      const code = codeOf(error);
      // Who answers that it cannot take us now is there, as after an outage.
      if (!NOT_THERE.has(code)) return undefined;
      isOff = true;
      log.event("side-port.unreachable", { port, code });
      return undefined;
    }
  };

  return {
    early(conn, tripMs) {
      if (isOff || hostOf(conn) === undefined) return 0;
      const early = connectionsFor(tripMs, most + 1) - 1;
      return early === 0 ? 0 : Math.min(most, early + 1); // and the next
    },
    begin(next) {
      first = next;
      hostname = hostOf(next.conn);
      const before = known;
      known = { quic: newPorts(), tcp: newPorts() };
      if (next.portsWanted > 0) asks(known.quic, next.portsWanted);
      used = new Map();
      for (const { answer } of Object.values(before)) answer.resolve();
    },
    heard(carrier, named) {
      const of = known[carrier];
      // Where a router stands between, the first may be named as well.
      const own = first?.conn.remote ?? "";
      of.ports = named.filter((port) => !own.endsWith(`:${port}`));
      if (--of.unanswered <= 0) of.answer.resolve();
    },
    async places(carrier, count, signal) {
      if (hostname === undefined) return [];
      want(carrier, Math.min(MAX_PORTS, count));
      await told(carrier, signal);
      const { ports } = known[carrier];
      return hostname === undefined
        ? []
        : ports.map((port) => ({ hostname: hostname ?? "", port }));
    },
    async dial(options) {
      const port = await find(options.signal);
      if (port !== undefined && hostname !== undefined) {
        const conn = await bySide(port, hostname, options);
        if (conn !== undefined) return conn;
      }
      return await options.connect(undefined, options.signal);
    },
  };
}

/** What is known of the ports of a carrier. */
interface Ports {
  wanted: number;
  unanswered: number;
  ports: readonly number[];
  answer: PromiseWithResolvers<void>;
}

function newPorts(): Ports {
  const answer = Promise.withResolvers<void>();
  return { wanted: 0, unanswered: 0, ports: [], answer };
}

/** Takes note of a question; who waits for the one before waits for both. */
function asks(of: Ports, count: number): void {
  const before = of.answer;
  of.wanted = count;
  of.unanswered++;
  of.answer = Promise.withResolvers();
  of.answer.promise.then(before.resolve);
}

/** The host of a connection by QUIC that was dialled by its address; else there is none. */
function hostOf(conn: Conn): string | undefined {
  if (conn.carrier !== "quic" || conn.path !== undefined) return undefined;
  try {
    return parseAddress(conn.remote).hostname;
  } catch {
    return undefined; // an address that is of this link only, say
  }
}

/** Waits for `word`, and not for long. */
async function within(
  word: Promise<void>,
  waitMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const given = new AbortController();
  const either = AbortSignal.any([signal, given.signal]);
  await Promise.race([word, clock.delay(waitMs, either).catch(() => {})]);
  given.abort();
  signal.throwIfAborted();
}
