/**
 * Statistics as files have them: a row of CSV a day, and lines that a router
 * that stops leaves for the one that starts.
 *
 * @module
 */
import { unreadable } from "../encoding.ts";
import { createStats, type StatsRow, type StatsSnapshot } from "./stats.ts";

/** How much the store holds. */
export interface StoredAmount {
  /** Chunks. */
  readonly count: number;
  /** Bytes. */
  readonly bytes: number;
}

/**
 * Writes a row: fromDay, created, recipients, uploaded, deleted, day, week,
 * month, downloads, acks, count, size, expired.
 */
export function formatRow(row: StatsRow, stored: StoredAmount): string {
  return [
    new Date(row.fromMs).toISOString().slice(0, 10),
    row.created,
    row.recipients,
    row.uploaded,
    row.deleted,
    row.day,
    row.week ?? "",
    row.month ?? "",
    row.downloads,
    row.acks,
    stored.count,
    stored.bytes,
    row.expired,
  ].join(",");
}

/** Writes all that is counted, to go on from. */
export function formatBackup(
  snapshot: StatsSnapshot,
  stored: StoredAmount,
): string {
  const { periods } = snapshot;
  const lines = [
    `fromTime=${new Date(snapshot.fromMs).toISOString()}`,
    `filesCreated=${snapshot.created}`,
    `fileRecipients=${snapshot.recipients}`,
    `filesUploaded=${snapshot.uploaded}`,
    `filesExpired=${snapshot.expired}`,
    `filesDeleted=${snapshot.deleted}`,
    `filesBlocked=${snapshot.blocked}`,
    "filesDownloaded:",
    `dayHashes=${[...periods.day].join(",")}`,
    `weekHashes=${[...periods.week].join(",")}`,
    `monthHashes=${[...periods.month].join(",")}`,
    `fileDownloads=${snapshot.downloads}`,
    `fileDownloadAcks=${snapshot.acks}`,
    `filesCount=${stored.count}`,
    `filesSize=${stored.bytes}`,
  ];
  return `${lines.join("\n")}\n`;
}

/**
 * Reads what `formatBackup()` wrote. What is missing is 0, as older routers
 * counted less. How much is stored is not taken from it: the store knows.
 *
 * @throws {SftpxError} `protocol`, when it is something else.
 */
export function parseBackup(text: string): StatsSnapshot {
  const fields = new Map<string, string>();
  for (const line of text.split("\n")) {
    if (line === "" || line === "filesDownloaded:") continue;
    const at = line.indexOf("=");
    const name = line.slice(0, at);
    if (at < 0 || !NAMES.has(name) || fields.has(name)) {
      throw unreadable(WHAT, "a line of it is not known");
    }
    fields.set(name, line.slice(at + 1));
  }
  const fromMs = Date.parse(fields.get("fromTime") ?? "");
  if (Number.isNaN(fromMs)) throw unreadable(WHAT, "it says no time");
  const number = (name: string): number => {
    const value = fields.get(name) ?? "0";
    if (!/^\d{1,15}$/.test(value)) {
      throw unreadable(WHAT, `${name} is no number`);
    }
    return Number(value);
  };
  const set = (name: string): Set<number> => {
    const value = fields.get(name) ?? "";
    // Hashes of other routers may have 64 bits and a sign: only told apart.
    if (!/^(-?\d{1,20}(,-?\d{1,20})*)?$/.test(value)) {
      throw unreadable(WHAT, `${name} are no numbers`);
    }
    return new Set(value === "" ? [] : value.split(",").map(Number));
  };
  return {
    fromMs,
    created: number("filesCreated"),
    recipients: number("fileRecipients"),
    uploaded: number("filesUploaded"),
    expired: number("filesExpired"),
    deleted: number("filesDeleted"),
    blocked: number("filesBlocked"),
    downloads: number("fileDownloads"),
    acks: number("fileDownloadAcks"),
    periods: {
      day: set("dayHashes"),
      week: set("weekHashes"),
      month: set("monthHashes"),
    },
  };
}

const WHAT = "backup of statistics";
const NAMES = new Set([
  "fromTime",
  ...formatBackup(createStats(0).snapshot(), { count: 0, bytes: 0 })
    .matchAll(/^(\w+)=/gm).map(([, name = ""]) => name),
]);

/** What Prometheus is to know of each: its name, kind and words. */
const METRICS = [
  ["files_created", "counter", "Chunks that were made", "created"],
  ["files_recipients", "counter", "Recipients that were added", "recipients"],
  ["files_uploaded", "counter", "Chunks that were uploaded", "uploaded"],
  ["files_expired", "counter", "Chunks whose time was over", "expired"],
  ["files_deleted", "counter", "Chunks that were deleted", "deleted"],
  ["files_blocked", "counter", "Chunks that were blocked", "blocked"],
  ["file_downloads", "counter", "Chunks that were fetched", "downloads"],
  ["file_download_acks", "counter", "Chunks that were acknowledged", "acks"],
] as const;

/** What else Prometheus is told. */
export interface MetricsOptions {
  readonly version: string;
  readonly nowMs: number;
  /** Connections that there are. */
  readonly clients: number;
  /** The most that may be stored, if there is a limit. */
  readonly quotaBytes?: number | undefined;
}

/**
 * Writes all that is counted as Prometheus reads it.
 *
 * Counters begin anew at midnight, as the rows of the statistics do; Prometheus
 * knows what to make of that.
 */
export function formatMetrics(
  snapshot: StatsSnapshot,
  stored: StoredAmount,
  options: MetricsOptions,
): string {
  const { version, nowMs, clients, quotaBytes } = options;
  const lines = [
    `# Recorded at: ${new Date(nowMs).toISOString()}`,
    `# Stats from: ${new Date(snapshot.fromMs).toISOString()}`,
    "",
  ];
  const metric = (
    name: string,
    kind: string,
    help: string,
    value: number,
    labels = "",
  ): void => {
    const full = `simplex_xftp_${name}`;
    lines.push(
      `# HELP ${full} ${help}`,
      `# TYPE ${full} ${kind}`,
      `${full}${labels} ${value} ${nowMs}`,
      "",
    );
  };
  metric(
    "info",
    "gauge",
    "The router",
    1,
    `{version="${version}",rts_options=""}`,
  );
  for (const [name, kind, help, field] of METRICS) {
    metric(name, kind, help, snapshot[field]);
  }
  const { day, week, month } = snapshot.periods;
  metric(
    "files_count_daily",
    "gauge",
    "Distinct chunks fetched since midnight",
    day.size,
  );
  metric(
    "files_count_weekly",
    "gauge",
    "Distinct chunks fetched since Monday",
    week.size,
  );
  metric(
    "files_count_monthly",
    "gauge",
    "Distinct chunks fetched since the 1st",
    month.size,
  );
  metric("files_count_total", "gauge", "Chunks that are stored", stored.count);
  metric("files_size", "gauge", "Bytes that are stored", stored.bytes);
  metric("clients", "gauge", "Connections that there are", clients);
  if (quotaBytes !== undefined) {
    metric("quota", "gauge", "Bytes that may be stored", quotaBytes);
  }
  return lines.join("\n");
}
