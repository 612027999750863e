/**
 * The configuration that a new router begins with.
 *
 * @module
 */

/** What a new router's configuration says. */
export interface NewSettings {
  readonly hosts: readonly string[];
  readonly port: number;
  readonly filesDir: string;
  readonly quotaBytes: number;
  /** What those who store must know. */
  readonly createPassword?: string;
  readonly adminPassword: string;
  readonly userPassword: string;
}

/** Writes the configuration of a new router. */
export function formatSettings(settings: NewSettings): string {
  const { createPassword } = settings;
  return `[INFORMATION]
# What the router's page says. Nothing of it is needed.
# source_code:
# usage_conditions:
# operator:
# operator_country:
# website:
# admin_email:
# complaints_email:
# server_country:
# hosting:
# hosting_type: virtual

[STORE_LOG]
# Without the log, all chunks are forgotten when the router stops.
enable: on
# How long chunks are kept.
expire_files_hours: 48
# A row of statistics for each day.
log_stats: off
# Seconds between two writings of xftp-server-metrics.txt.
# prometheus_interval: 60
# The same at http://127.0.0.1:PORT/
# prometheus_port: 9095

[AUTH]
# Whether anything new is stored.
new_files: on
# What those who store must know; it goes into their address of the router.
${
    createPassword === undefined
      ? "# create_password:"
      : `create_password: ${createPassword}`
  }
control_port_admin_password: ${settings.adminPassword}
control_port_user_password: ${settings.userPassword}

[TRANSPORT]
# Names, with commas between; the first is the one in the address.
host: ${settings.hosts.join(",")}
port: ${settings.port}
bind: 0.0.0.0
log_tls_errors: off
# A port of this machine for its operator.
# control_port: 5226
# max_clients: 1000

[FILES]
path: ${settings.filesDir}
storage_quota: ${settings.quotaBytes}

[INACTIVE_CLIENTS]
disconnect: on
ttl: 21600

[WEB]
# A certificate that browsers trust, for programs in pages.
# cert: /etc/letsencrypt/live/NAME/fullchain.pem
# key: /etc/letsencrypt/live/NAME/privkey.pem
# Files to show beside the router's own page.
# static_path:
# The page without TLS.
# http: 80
`;
}
