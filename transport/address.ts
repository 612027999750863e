/**
 * Addresses as text: `127.0.0.1:80`, `[::1]:80`.
 *
 * @module
 */

/** A version of the Internet Protocol. */
export type Family = 4 | 6;

/** A host and a port. */
export interface HostPort {
  readonly hostname: string;
  readonly port: number;
}

/** `host:port`, with brackets around IPv6; IPv4 inside of IPv6 is shown as IPv4. */
export function formatAddress({ hostname, port }: HostPort): string {
  const host = unmapped(hostname);
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The family of a literal address; `undefined` for a name. */
export function familyOf(hostname: string): Family | undefined {
  if (IPV4.test(hostname)) return 4;
  if (!hostname.includes(":")) return undefined;
  const [address = ""] = hostname.split("%"); // a zone is not the URL's business
  return URL.canParse(`http://[${address}]`) ? 6 : undefined;
}

/** `hostname` without the brackets that people put around IPv6. */
export function withoutBrackets(hostname: string): string {
  return /^\[.*\]$/.test(hostname) ? hostname.slice(1, -1) : hostname;
}

/** IPv4 that came in by an IPv6 socket, as IPv4. */
function unmapped(hostname: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(hostname)?.[1] ?? hostname;
}

const OCTET = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = new RegExp(`^${OCTET}(\\.${OCTET}){3}$`);
