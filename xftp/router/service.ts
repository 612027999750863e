/**
 * A router that runs: the store read and opened, the door, and all that is kept
 * up beside them, until it is stopped.
 *
 * @module
 */
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import type { RandomBytes } from "../../crypto/random.ts";
import { createAuthorize } from "./authorize.ts";
import { openChunkFiles } from "./chunk_files.ts";
import { type ControlPort, openControlPort } from "./control_port.ts";
import { createControlSession } from "./control.ts";
import { createRouter } from "./core.ts";
import type { RouterPolicy } from "./execute.ts";
import { expireChunks, keepExpiring } from "./expiry.ts";
import { openFront, type TlsCredentials } from "./front.ts";
import type { LoadedIdentity } from "./identity.ts";
import { lockRouter } from "./lock.ts";
import { openLogFile } from "./log_file.ts";
import { type MetricsPort, openMetricsPort } from "./metrics_port.ts";
import { createRecords } from "./records.ts";
import { openSite, type Site } from "./site.ts";
import { createStats } from "./stats.ts";
import {
  keepMetrics,
  keepRows,
  restoreStats,
  saveStats,
} from "./stats_files.ts";
import { formatMetrics } from "./stats_text.ts";
import { createStore, type Store } from "./store.ts";
import { openRecords } from "./store_open.ts";

/** How a router is run. */
export interface RouterOptions {
  readonly identity: LoadedIdentity;
  /** What to bind. */
  readonly hostname: string;
  /** What to bind; 0 for any. */
  readonly port: number;
  /** The folder of the chunks. */
  readonly filesDir: string;
  /** A file that keeps other routers away from these places. */
  readonly lock?: string;
  /** The store's log; without, all is forgotten when the router stops. */
  readonly storeLog?: string;
  /** The most bytes that may be stored. */
  readonly quotaBytes?: number;
  readonly policy?: RouterPolicy;
  /** How long chunks are kept, in seconds; without, for ever. */
  readonly ttlS?: number;
  /** Where statistics go. */
  readonly stats?: {
    /** A row a day is added to it. */
    readonly rows?: string;
    /** What is counted is kept in it while the router does not run. */
    readonly backup: string;
  };
  /** What Prometheus reads. */
  readonly metrics?: {
    readonly path?: string;
    readonly everyMs?: number;
    /** On the loopback; 0 for any. */
    readonly port?: number;
  };
  readonly control?: {
    readonly port: number;
    readonly adminPassword?: string;
    readonly userPassword?: string;
  };
  /** What those who name a host see of TLS. */
  readonly web?: TlsCredentials;
  /** The router's page, HTML, and files beside it. */
  readonly site: { readonly page: string; readonly dir?: string };
  /** The page without TLS. */
  readonly plainPort?: number;
  readonly maxClients?: number;
  /** How long a client may say nothing; without, for ever. */
  readonly idleMs?: number;
  readonly logTlsErrors?: boolean;
  readonly version: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
}

/** A router that runs. */
export interface RunningRouter {
  readonly port: number;
  /** Of the server behind the door. */
  readonly innerPort: number;
  readonly controlPort: number | undefined;
  readonly metricsPort: number | undefined;
  readonly plainPort: number | undefined;
  readonly store: Store;
  /** Lets nobody in any more, ends what is under way, and closes all. */
  stop(): Promise<void>;
}

/** How long answers that are under way may take when the router stops, ms. */
export const STOP_MS = 10_000;

/**
 * Starts a router.
 *
 * @throws {SftpxError} `config` or `local-io`.
 */
export async function startRouter(
  options: RouterOptions,
): Promise<RunningRouter> {
  const { clock, log, random } = options;
  const undo: (() => Promise<void>)[] = [];
  try {
    return await start(options, undo);
  } catch (error) {
    for (const close of undo.reverse()) await close();
    throw error;
  }
  async function start(
    options: RouterOptions,
    undo: (() => Promise<void>)[],
  ): Promise<RunningRouter> {
    const lock = options.lock === undefined
      ? undefined
      : await lockRouter(options.lock);
    undo.push(() => Promise.resolve(lock?.release()));
    const store = await openStore(options, undo);
    const stats = createStats(clock.wallMs());
    const stored = (): { count: number; bytes: number } => ({
      count: store.records.stored,
      bytes: store.records.storedBytes,
    });
    const files = { stats, stored, clock, log };
    if (options.stats !== undefined) {
      await restoreStats(options.stats.backup, stats);
    }
    const over = new AbortController();
    const { signal } = over;
    const tasks: Promise<void>[] = [];
    if (options.ttlS !== undefined) {
      const expiry = { store, stats, clock, log, ttlS: options.ttlS };
      await expireChunks(expiry, 0, signal);
      tasks.push(keepExpiring(expiry, signal));
      undo.push(() => Promise.resolve(over.abort()));
    }
    const site = await openSite(options.site.page, options.site.dir);
    const router = createRouter({
      identity: options.identity,
      store,
      stats,
      authorize: createAuthorize(store.records),
      policy: options.policy ?? {},
      random,
      clock,
      log,
    });
    const front = await openFront({
      ...pick(options, "web", "maxClients", "idleMs", "logTlsErrors"),
      hostname: options.hostname,
      port: options.port,
      own: options.identity.tls,
      http: { router, site },
      clock,
      random,
      log,
    });
    undo.push(() => front.close(0));
    const metrics = (): string =>
      formatMetrics(stats.snapshot(), stored(), {
        version: options.version,
        nowMs: clock.wallMs(),
        clients: front.clients,
        quotaBytes: store.quotaBytes,
      });
    const ports = openPorts(options, { site, metrics, undo, store, stats });
    if (options.stats?.rows !== undefined) {
      tasks.push(keepRows(options.stats.rows, files, signal));
    }
    if (options.metrics?.path !== undefined) {
      const everyMs = options.metrics.everyMs ?? METRICS_MS;
      tasks.push(
        keepMetrics(options.metrics.path, metrics, everyMs, files, signal),
      );
    }
    let stopping: Promise<void> | undefined;
    const stop = async (): Promise<void> => {
      over.abort();
      await front.close(STOP_MS);
      await Promise.all(Object.values(ports).map((port) => port?.close()));
      await Promise.all(tasks);
      await store.close();
      if (options.stats !== undefined) {
        await saveStats(options.stats.backup, files);
      }
      lock?.release();
      log.event("router.stopped", {});
    };
    return {
      port: front.port,
      innerPort: front.innerPort,
      controlPort: ports.control?.port,
      metricsPort: ports.metrics?.port,
      plainPort: ports.plain?.port,
      store,
      stop: () => stopping ??= stop(),
    };
  }
}

const METRICS_MS = 60_000;

async function openStore(
  options: RouterOptions,
  undo: (() => Promise<void>)[],
): Promise<Store> {
  const { filesDir, storeLog, quotaBytes, clock, log, random } = options;
  const files = await openChunkFiles(filesDir, random);
  const swept = await files.sweep();
  if (swept > 0) log.event("router.parts-removed", { count: swept });
  const records = storeLog === undefined
    ? createRecords()
    : await openRecords({ path: storeLog, pathOf: files.pathOf, clock, log });
  const store = createStore({
    records,
    files,
    ...(storeLog === undefined ? {} : { log: await openLogFile(storeLog) }),
    ...(quotaBytes === undefined ? {} : { quotaBytes }),
  });
  undo.push(store.close);
  if (quotaBytes !== undefined && store.usedBytes > quotaBytes) {
    log.event("router.over-quota", { used: store.usedBytes, quotaBytes });
  }
  return store;
}

interface Ports {
  readonly control: ControlPort | undefined;
  readonly metrics: MetricsPort | undefined;
  readonly plain: MetricsPort | undefined;
}

function openPorts(
  options: RouterOptions,
  parts: {
    readonly site: Site;
    readonly metrics: () => string;
    readonly undo: (() => Promise<void>)[];
    readonly store: Store;
    readonly stats: ReturnType<typeof createStats>;
  },
): Ports {
  const { clock, log } = options;
  const { control } = options;
  const kept = <T extends { close(): Promise<void> }>(port: T): T => {
    parts.undo.push(() => port.close());
    return port;
  };
  return {
    control: control === undefined ? undefined : kept(openControlPort({
      port: control.port,
      session: () =>
        createControlSession({
          ...pick(control, "adminPassword", "userPassword"),
          store: parts.store,
          stats: parts.stats,
          log,
          clock,
          report: parts.metrics,
        }),
      clock,
      log,
    })),
    metrics: options.metrics?.port === undefined
      ? undefined
      : kept(openMetricsPort({
        hostname: "127.0.0.1",
        port: options.metrics.port,
        answer: () =>
          Promise.resolve(
            new Response(parts.metrics(), { headers: METRICS_HEADERS }),
          ),
      })),
    plain: options.plainPort === undefined ? undefined : kept(openMetricsPort({
      hostname: options.hostname,
      port: options.plainPort,
      answer: parts.site.answer,
    })),
  };
}

const METRICS_HEADERS = { "content-type": "text/plain; version=0.0.4" };

/** What of `from` is there: an option that is undefined is none. */
function pick<T extends object, K extends keyof T>(
  from: T,
  ...names: K[]
): Pick<T, K> {
  const some = names.filter((name) => from[name] !== undefined);
  return Object.fromEntries(some.map((name) => [name, from[name]])) as Pick<
    T,
    K
  >;
}
