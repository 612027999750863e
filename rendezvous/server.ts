/**
 * The helper: introduces peers to each other, and tells each its address as it
 * is seen from outside. It carries a few words between two peers, which it
 * cannot read, and none of their files.
 *
 * @module
 */
import { type Clock, systemClock } from "../core/clock.ts";
import { codeOf, SftpxError } from "../core/errors.ts";
import { type Log, nullLog } from "../core/log.ts";
import { createMetrics, type Metrics } from "../core/metrics.ts";
import { type RandomBytes, systemRandomBytes } from "../crypto/random.ts";
import type { Conn, Listener } from "../transport/transport.ts";
import { perAddress } from "./per_address.ts";
import { createRooms, type Rooms, type RoomsOptions } from "./rooms.ts";
import { serveStream } from "./server_stream.ts";
import {
  type HelperCounts,
  type HelperGuest,
  type HelperWorld,
  hostOf,
} from "./server_world.ts";
import type { RelayHost } from "./types.ts";

/** How a helper is run. */
export interface HelperOptions {
  /** Where peers come in, by {@linkcode HELPER_ALPN}. */
  readonly listener: Listener;
  /** What rooms allow. @default {DEFAULT_ROOMS_OPTIONS} */
  readonly rooms?: RoomsOptions;
  /** Connections in all. @default {20000} */
  readonly maxConnections?: number;
  /** Connections of one address. @default {64} */
  readonly maxConnectionsPerAddress?: number;
  /** Requests of one address in a minute, in the long run. @default {60} */
  readonly requestsPerMinute?: number;
  /** Wrong guesses of one address in an hour. @default {12} */
  readonly burnsPerHour?: number;
  /** Passes on what two peers cannot say directly; nothing is passed on without. */
  readonly relay?: RelayHost;
  readonly metrics?: Metrics;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly randomBytes?: RandomBytes;
}

/** See {@linkcode HelperOptions}. */
export const DEFAULT_HELPER_OPTIONS = Object.freeze({
  maxConnections: 20_000,
  maxConnectionsPerAddress: 64,
  requestsPerMinute: 60,
  burnsPerHour: 12,
});

/** How often those are looked for who have waited too long, ms. */
const SWEEP_MS = 5000;
/** How long the last words may take, ms. */
const FAREWELL_MS = 1000;
/** A connection that asks nothing for this long is closed, ms. */
const IDLE_MS = 30_000;

/** Serves until `signal` aborts; then says so to whoever waits, and closes. */
export async function runHelper(
  options: HelperOptions,
  signal: AbortSignal,
): Promise<void> {
  const { listener, clock = systemClock, log = nullLog } = options;
  const settings = { ...DEFAULT_HELPER_OPTIONS, ...options };
  const { randomBytes = systemRandomBytes, metrics = createMetrics() } =
    settings;
  const rooms = createRooms<HelperGuest>(randomBytes, options.rooms);
  const limits = limitsOf(settings, clock);
  const world: HelperWorld = {
    rooms,
    relay: options.relay,
    clock,
    log,
    randomBytes,
    counts: countsOf(metrics, rooms),
    ...limits,
    signal,
  };
  const connections = metrics.gauge(
    "sftpx_helper_connections",
    "Connections that are open",
  );
  const perHost = new Map<string, number>();
  const open = new Set<Conn>();
  const running = new Set<Promise<void>>();

  const admit = (conn: Conn): boolean => {
    const hostname = hostOf(conn);
    const there = perHost.get(hostname) ?? 0;
    const reason = open.size >= settings.maxConnections
      ? "full"
      : there >= settings.maxConnectionsPerAddress
      ? "limited"
      : undefined;
    if (reason !== undefined) {
      world.counts.refused(reason);
      log.event("helper.connection-refused", { hostname, reason });
      conn.close("peer-busy", `Cannot take more connections: ${reason}`);
      return false;
    }
    perHost.set(hostname, there + 1);
    open.add(conn);
    connections.set(open.size);
    const gone = (): void => {
      open.delete(conn);
      connections.set(open.size);
      const left = (perHost.get(hostname) ?? 1) - 1;
      if (left > 0) perHost.set(hostname, left);
      else perHost.delete(hostname);
    };
    conn.closed.then(gone, gone);
    return true;
  };

  const sweep = async (): Promise<void> => {
    while (!signal.aborted) {
      await clock.delay(SWEEP_MS, signal).catch(() => {});
      for (const guest of rooms.expire(clock.now())) guest.end("expired");
      world.counts.rooms();
    }
  };
  const stop = (): void => listener.close();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  const sweeping = sweep();
  log.event("helper.up", { address: listener.address });
  for (;;) {
    const conn = await listener.accept();
    if (conn === undefined) break;
    if (!admit(conn)) continue;
    const task = serveConn(conn, world);
    running.add(task);
    task.then(() => running.delete(task));
  }
  await sweeping;
  const done = new AbortController();
  await Promise.race([
    Promise.all(running),
    clock.delay(FAREWELL_MS, done.signal).catch(() => {}),
  ]);
  done.abort();
  for (const conn of open) conn.close(undefined, "the helper stops");
  options.relay?.close();
  log.event("helper.down");
}

/** Serves the streams of one connection, until it is gone. Never rejects. */
async function serveConn(conn: Conn, world: HelperWorld): Promise<void> {
  const { clock, log, signal } = world;
  const gone = new AbortController();
  const either = AbortSignal.any([signal, gone.signal]);
  const end = (): void => gone.abort();
  conn.closed.then(end, end);
  const streams = new Set<Promise<void>>();
  let usedAt = clock.now();
  const idle = (async (): Promise<void> => {
    while (!either.aborted) {
      await clock.delay(IDLE_MS, either).catch(() => {});
      const isIdle = streams.size === 0 && clock.now() - usedAt >= IDLE_MS;
      if (isIdle && !either.aborted) conn.close(undefined, "nothing is asked");
    }
  })();
  const stopped = new Promise<undefined>((resolve) =>
    signal.addEventListener("abort", () => resolve(undefined), { once: true })
  );
  try {
    while (!signal.aborted) {
      const accepting = conn.acceptBidi();
      accepting.catch(() => {}); // one that is not waited for any more
      const stream = await Promise.race([accepting, stopped]);
      if (stream === undefined) break;
      const task = serveStream(conn, stream, world, either).catch((error) => {
        const code = codeOf(error);
        if (code === "connection-lost") return; // that is how most end
        log.event("helper.request-failed", { remote: conn.remote, code });
        if (code === "protocol") {
          conn.close(code, error instanceof SftpxError ? error.message : "");
        }
      }).finally(() => {
        streams.delete(task);
        usedAt = clock.now();
      });
      streams.add(task);
    }
  } catch { // lost: those who are on its streams see it too
  }
  await Promise.all(streams);
  gone.abort();
  await idle;
}

function limitsOf(
  settings: {
    readonly requestsPerMinute: number;
    readonly burnsPerHour: number;
  },
  clock: Clock,
): Pick<HelperWorld, "mayAsk" | "mayGuess" | "guessed"> {
  const asked = perAddress({
    perSecond: settings.requestsPerMinute / 60,
    burst: settings.requestsPerMinute,
  }, clock);
  const burnt = perAddress({
    perSecond: settings.burnsPerHour / 3600,
    burst: settings.burnsPerHour,
  }, clock);
  return {
    mayAsk: (hostname) => asked.take(hostname),
    mayGuess: (hostname) => burnt.has(hostname),
    guessed(...hostnames) {
      for (const hostname of hostnames) burnt.take(hostname);
    },
  };
}

function countsOf(
  metrics: Metrics,
  rooms: Rooms<HelperGuest>,
): HelperCounts {
  const count = (name: string, help: string) =>
    metrics.counter(`sftpx_helper_${name}_total`, help);
  const paired = count("pairs", "Pairs that were introduced");
  const burnt = count("burnt", "Codes that a wrong guess has burnt");
  const bytes = count("words_bytes", "Bytes passed on between two peers");
  const waiting = metrics.gauge(
    "sftpx_helper_waiting",
    "Peers that wait for another",
  );
  return {
    paired: () => paired.add(),
    burnt: () => burnt.add(),
    refused: (reason) =>
      metrics.counter(
        "sftpx_helper_refused_total",
        "Requests and connections that were refused",
        { reason },
      ).add(),
    passedOn: (amount) => bytes.add(amount),
    rooms: () => waiting.set(rooms.size),
  };
}
