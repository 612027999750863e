/**
 * What an operator can set: `file-server.ini`, in the sections and with the keys
 * that other routers of this protocol have, and some of our own.
 *
 * @module
 */
import { SftpxError } from "../../core/errors.ts";
import { isPassword } from "../address.ts";
import { type Ini, parseIni } from "./ini.ts";

/** What the router's page says of it. */
export interface RouterInformation {
  readonly [key: string]: string | undefined;
}

/** What an operator has set. */
export interface RouterSettings {
  /** What is said of the router; keys of [INFORMATION]. */
  readonly information: RouterInformation;
  readonly storeLog: boolean;
  /** Seconds; without, chunks are kept for ever. */
  readonly ttlS: number | undefined;
  readonly logStats: boolean;
  /** Seconds between two writings of the file for Prometheus. */
  readonly prometheusS: number | undefined;
  /** Port on the loopback for Prometheus. */
  readonly prometheusPort: number | undefined;
  readonly newFiles: boolean;
  readonly createPassword: string | undefined;
  readonly adminPassword: string | undefined;
  readonly userPassword: string | undefined;
  /** Names of the router, the one for its address in front. */
  readonly hosts: readonly string[];
  readonly port: number;
  /** What to bind. */
  readonly bind: string;
  readonly logTlsErrors: boolean;
  readonly controlPort: number | undefined;
  readonly maxClients: number | undefined;
  readonly filesDir: string | undefined;
  readonly quotaBytes: number | undefined;
  /** Seconds; without, nobody is sent away. */
  readonly inactiveS: number | undefined;
  readonly pagesDir: string | undefined;
  readonly plainPort: number | undefined;
  readonly webCert: string | undefined;
  readonly webKey: string | undefined;
}

/** Keys of [INFORMATION], in the order in which a page has them. */
export const INFORMATION_KEYS: readonly string[] = [
  "source_code",
  "usage_conditions",
  "condition_amendments",
  "server_country",
  "operator",
  "operator_country",
  "website",
  "admin_simplex",
  "admin_email",
  "admin_pgp",
  "admin_pgp_fingerprint",
  "complaints_simplex",
  "complaints_email",
  "complaints_pgp",
  "complaints_pgp_fingerprint",
  "hosting",
  "hosting_country",
  "hosting_type",
];

/**
 * Reads settings.
 *
 * @param what What errors are to call the file.
 * @throws {SftpxError} `config`, with the line, also for keys that are not known.
 */
export function readSettings(text: string, what: string): RouterSettings {
  const ini = parseIni(text, what);
  for (const [name, { line }] of ini) {
    if (!KNOWN.has(name)) {
      const [section, key] = name.split(".");
      throw failure(what, line, `[${section}] has no ${key}`);
    }
  }
  const get = getters(ini, what);
  const store = ini.get("STORE_LOG.store_files");
  if (store !== undefined && store.value !== "memory") {
    throw failure(
      what,
      store.line,
      "store_files must be memory: the log is the store",
    );
  }
  for (
    const key of ["db_connection", "db_schema", "db_pool_size", "db_store_log"]
  ) {
    const given = ini.get(`STORE_LOG.${key}`);
    if (given !== undefined) {
      throw failure(
        what,
        given.line,
        `${key} is of a database, which there is none`,
      );
    }
  }
  const disconnects = get.switch("INACTIVE_CLIENTS.disconnect", true);
  const hours = get.number("STORE_LOG.expire_files_hours", 1, 1_000_000);
  return {
    information: Object.fromEntries(
      INFORMATION_KEYS.map((key) => [key, get.text(`INFORMATION.${key}`)]),
    ),
    storeLog: get.switch("STORE_LOG.enable", true),
    ttlS: (hours ?? DEFAULT_HOURS) * 3600,
    logStats: get.switch("STORE_LOG.log_stats", false),
    prometheusS: get.number("STORE_LOG.prometheus_interval", 1, 86_400),
    prometheusPort: get.number("STORE_LOG.prometheus_port", 1, 65_535),
    newFiles: get.switch("AUTH.new_files", true),
    createPassword: get.password("AUTH.create_password"),
    adminPassword: get.password("AUTH.control_port_admin_password"),
    userPassword: get.password("AUTH.control_port_user_password"),
    hosts: (get.text("TRANSPORT.host") ?? "localhost").split(",")
      .map((host) => host.trim()),
    port: get.number("TRANSPORT.port", 1, 65_535) ?? 443,
    bind: get.text("TRANSPORT.bind") ?? "0.0.0.0",
    logTlsErrors: get.switch("TRANSPORT.log_tls_errors", false),
    controlPort: get.number("TRANSPORT.control_port", 1, 65_535),
    maxClients: get.number("TRANSPORT.max_clients", 1, 100_000),
    filesDir: get.text("FILES.path"),
    quotaBytes: get.size("FILES.storage_quota"),
    inactiveS: disconnects
      ? get.number("INACTIVE_CLIENTS.ttl", 1, 86_400 * 365) ?? 21_600
      : undefined,
    pagesDir: get.text("WEB.static_path"),
    plainPort: get.number("WEB.http", 1, 65_535),
    webCert: get.text("WEB.cert"),
    webKey: get.text("WEB.key"),
  };
}

const DEFAULT_HOURS = 48;

const KNOWN = new Set([
  ...INFORMATION_KEYS.map((key) => `INFORMATION.${key}`),
  ...[
    "enable",
    "store_files",
    "db_connection",
    "db_schema",
    "db_pool_size",
    "db_store_log",
    "expire_files_hours",
    "log_stats",
    "prometheus_interval",
    "prometheus_port",
  ].map((key) => `STORE_LOG.${key}`),
  "AUTH.new_files",
  "AUTH.create_password",
  "AUTH.control_port_admin_password",
  "AUTH.control_port_user_password",
  "TRANSPORT.host",
  "TRANSPORT.port",
  "TRANSPORT.bind",
  "TRANSPORT.log_tls_errors",
  "TRANSPORT.control_port",
  "TRANSPORT.max_clients",
  "FILES.path",
  "FILES.storage_quota",
  "INACTIVE_CLIENTS.disconnect",
  "INACTIVE_CLIENTS.ttl",
  "INACTIVE_CLIENTS.check_interval",
  "WEB.static_path",
  "WEB.http",
  "WEB.https",
  "WEB.cert",
  "WEB.key",
]);

interface Getters {
  text(name: string): string | undefined;
  password(name: string): string | undefined;
  switch(name: string, fallback: boolean): boolean;
  number(name: string, min: number, max: number): number | undefined;
  size(name: string): number | undefined;
}

function getters(ini: Ini, what: string): Getters {
  const get = <T>(
    name: string,
    read: (value: string) => T | undefined,
    must: string,
  ): T | undefined => {
    const found = ini.get(name);
    if (found === undefined || found.value === "") return undefined;
    const value = read(found.value);
    if (value !== undefined) return value;
    const key = name.slice(name.indexOf(".") + 1);
    throw failure(what, found.line, `${key} must be ${must}`);
  };
  return {
    text: (name) => get(name, (value) => value, "text"),
    password: (name) =>
      get(
        name,
        (value) => isPassword(value) ? value : undefined,
        "printable, without space, @, : and /, and at most 128 characters",
      ),
    switch: (name, fallback) =>
      get(
        name,
        (value) => value === "on" ? true : value === "off" ? false : undefined,
        "on or off",
      ) ?? fallback,
    number: (name, min, max) =>
      get(name, (value) => {
        const number = Number(value);
        const isOne = /^\d{1,9}$/.test(value) && number >= min && number <= max;
        return isOne ? number : undefined;
      }, `a number of ${min} to ${max}`),
    size: (name) =>
      get(name, sizeOf, "a size: bytes, or a number with kb, mb, gb or tb"),
  };
}

/** `10gb`, as this kind of file has it; powers of 1024. */
function sizeOf(text: string): number | undefined {
  const [, digits, unit = ""] =
    /^(\d{1,12})\s*(?:([kmgt])i?b?|b)?$/i.exec(text) ?? [];
  const power = "kmgt".indexOf(unit.toLowerCase() || " ") + 1;
  const bytes = Number(digits) * 1024 ** power;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

function failure(what: string, line: number, reason: string): SftpxError {
  return new SftpxError(
    "config",
    `Cannot read ${what}: line ${line}: ${reason}`,
  );
}
