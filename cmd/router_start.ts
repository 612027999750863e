/**
 * `sftpx router start`: stores and gives until it is stopped.
 *
 * @module
 */
import { systemClock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { systemRandomBytes } from "../crypto/random.ts";
import { ioError } from "../store/io_error.ts";
import { quoted } from "../store/paths.ts";
import { formatRouterAddress } from "../xftp/address.ts";
import type { TlsCredentials } from "../xftp/router/front.ts";
import { loadIdentity } from "../xftp/router/identity.ts";
import { routerPage } from "../xftp/router/page.ts";
import { type RouterOptions, startRouter } from "../xftp/router/service.ts";
import type { RouterSettings } from "../xftp/router/settings.ts";
import { createLog } from "./create_output.ts";
import { wasToldToStop } from "./exit.ts";
import {
  filesDirOf,
  readRouterSettings,
  type RouterPlaces,
  routerPlaces,
} from "./router_files.ts";
import type { ROUTER_START } from "./router_tables.ts";
import { defined } from "./defined.ts";
import type { Values } from "./settings.ts";
import type { Surroundings } from "./main.ts";
import { formatSize } from "./units.ts";
import { VERSION } from "./version.ts";

/** Starts the router, says what it is, and serves. */
export async function routerStart(
  flags: Values<typeof ROUTER_START>,
  { io, output, signal, log }: Surroundings,
): Promise<number> {
  const places = routerPlaces(flags.routerDir);
  const settings = await readRouterSettings(places);
  const identity = await loadIdentity(places.dir, io.date());
  const web = await webCredentials(settings);
  const address = addressOf(settings, identity.keyHash);
  const logged = log ?? await serviceLog(io);
  const router = await startRouter({
    ...optionsOf(settings, places),
    identity,
    ...(web === undefined ? {} : { web }),
    site: {
      page: routerPage(settings, address, VERSION),
      ...(settings.pagesDir === undefined ? {} : { dir: settings.pagesDir }),
    },
    version: VERSION,
    clock: systemClock,
    random: systemRandomBytes,
    log: logged,
  });
  try {
    for (const line of described(settings)) output.note(line);
    output.note(
      `holds ${router.store.records.stored} chunks, ${
        formatSize(router.store.usedBytes)
      }`,
    );
    output.note(`listens on ${settings.bind} port ${router.port}`);
    output.data(address, { type: "router", address });
    await aborted(signal);
  } finally {
    await router.stop();
  }
  if (!wasToldToStop(signal)) throw signal.reason;
  return 0;
}

/** The address of a router, without its password. */
export function addressOf(
  settings: RouterSettings,
  keyHash: Uint8Array<ArrayBuffer>,
): string {
  const [first = "localhost", ...others] = settings.hosts;
  return formatRouterAddress({
    keyHash,
    hosts: [first, ...others],
    port: settings.port,
  });
}

/** What a router's settings come to, in words. */
export function described(settings: RouterSettings): string[] {
  const { ttlS, quotaBytes, inactiveS, newFiles, createPassword } = settings;
  return [
    settings.storeLog
      ? "store log: on"
      : "store log: off, all is forgotten when it stops",
    ttlS === undefined
      ? "keeps chunks for ever"
      : `keeps chunks for ${ttlS / 3600} h`,
    quotaBytes === undefined
      ? "quota: none"
      : `quota: ${formatSize(quotaBytes)}`,
    !newFiles
      ? "stores nothing new"
      : createPassword === undefined
      ? "stores for anyone"
      : "stores for those who know the password",
    inactiveS === undefined
      ? "clients may be silent for ever"
      : `clients may be silent for ${inactiveS / 60} min`,
  ];
}

type Ready = Omit<
  RouterOptions,
  "identity" | "web" | "site" | "version" | "clock" | "random" | "log"
>;

function optionsOf(settings: RouterSettings, places: RouterPlaces): Ready {
  const { inactiveS, controlPort, prometheusPort, prometheusS } = settings;
  return {
    hostname: settings.bind,
    port: settings.port,
    filesDir: filesDirOf(places, settings),
    lock: places.lock,
    ...(settings.storeLog ? { storeLog: places.storeLog } : {}),
    policy: {
      newFiles: settings.newFiles,
      ...defined({ password: settings.createPassword }),
    },
    ...defined({
      quotaBytes: settings.quotaBytes,
      ttlS: settings.ttlS,
      maxClients: settings.maxClients,
      idleMs: inactiveS === undefined ? undefined : inactiveS * 1000,
      plainPort: settings.plainPort,
    }),
    logTlsErrors: settings.logTlsErrors,
    stats: {
      backup: places.backup,
      ...(settings.logStats ? { rows: places.rows } : {}),
    },
    metrics: {
      ...(prometheusS === undefined
        ? {}
        : { path: places.metrics, everyMs: prometheusS * 1000 }),
      ...defined({ port: prometheusPort }),
    },
    ...(controlPort === undefined ? {} : {
      control: {
        port: controlPort,
        ...defined({
          adminPassword: settings.adminPassword,
          userPassword: settings.userPassword,
        }),
      },
    }),
  };
}

async function webCredentials(
  { webCert, webKey }: RouterSettings,
): Promise<TlsCredentials | undefined> {
  if (webCert === undefined && webKey === undefined) return undefined;
  if (webCert === undefined || webKey === undefined) {
    throw new SftpxError(
      "config",
      "Cannot use certificate of [WEB]: cert and key must both be there",
    );
  }
  const read = async (path: string): Promise<string> => {
    try {
      return await Deno.readTextFile(path);
    } catch (error) {
      const { message } = ioError(`read ${quoted(path)}`, error);
      throw new SftpxError("config", message, error);
    }
  };
  return { cert: await read(webCert), key: await read(webKey) };
}

/** A service says what happens, also when nobody has asked it to. */
async function serviceLog(io: Surroundings["io"]): Promise<Log> {
  const log = await createLog(io, {
    json: false,
    quiet: false,
    verbose: true,
    logFormat: "text",
  });
  if (log === undefined) throw new Error("no log"); // verbose has one
  return log;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
