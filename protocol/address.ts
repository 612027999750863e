/**
 * Where a receiver is: a host and a port, as people write them.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { printableJson } from "../core/escape.ts";

/** A host and a port. */
export interface HostAndPort {
  /** A DNS name or an IPv4 address in lower case, or an IPv6 address without brackets. */
  readonly hostname: string;
  /** 1 to 65535. */
  readonly port: number;
}

/** Longer than any name with any port. */
const LONGEST = 300;

/**
 * Reads `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address.
 *
 * @param text What a person wrote.
 * @param defaultPort The port when there is none; without it, there must be one.
 * @throws {SftpxError} `usage`, when it is none of these.
 */
export function parseAddress(text: string, defaultPort?: number): HostAndPort {
  return readAddress(text, defaultPort, 1);
}

/**
 * Reads an address to listen on, as {@linkcode parseAddress} does; port 0 is any
 * that is free.
 *
 * @throws {SftpxError} `usage`, when it is no address.
 */
export function parseBind(text: string, defaultPort?: number): HostAndPort {
  return readAddress(text, defaultPort, 0);
}

function readAddress(
  text: string,
  defaultPort: number | undefined,
  leastPort: 0 | 1,
): HostAndPort {
  const fail = (reason: string): SftpxError =>
    new SftpxError(
      "usage",
      `Cannot read address ${printableJson(text)}: ${reason}`,
    );
  if (text.length > LONGEST) {
    throw new SftpxError("usage", "Cannot read address: it is too long");
  }
  const { host, port, v6 } = split(text);
  const hostname = host.toLowerCase();
  const problem = v6 ? problemOfV6(hostname) : problemOfHost(hostname);
  if (problem !== undefined) throw fail(problem);
  if (port === undefined) {
    if (defaultPort === undefined) throw fail("it has no port");
    return { hostname, port: defaultPort };
  }
  const number = /^(0|[1-9][0-9]{0,4})$/.test(port) ? Number(port) : -1;
  if (number < leastPort || number > 65_535) {
    throw fail(`the port must be a number in ${leastPort}..65535`);
  }
  return { hostname, port: number };
}

/** Writes an address as `parseAddress` reads it, the port always there. */
export function formatAddress({ hostname, port }: HostAndPort): string {
  return hostname.includes(":")
    ? `[${hostname}]:${port}`
    : `${hostname}:${port}`;
}

function split(
  text: string,
): { host: string; port: string | undefined; v6: boolean } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed !== null) {
    return { host: bracketed[1] ?? "", port: bracketed[2], v6: true };
  }
  const colon = text.indexOf(":");
  if (colon === -1) return { host: text, port: undefined, v6: false };
  if (text.indexOf(":", colon + 1) !== -1) {
    return { host: text, port: undefined, v6: true };
  }
  return {
    host: text.slice(0, colon),
    port: text.slice(colon + 1),
    v6: false,
  };
}

/** What is wrong with a DNS name or IPv4 address, if anything is. */
function problemOfHost(host: string): string | undefined {
  if (host === "") return "it has no host";
  if (/\P{ASCII}/u.test(host)) {
    return "the host has letters other than ASCII; write it in its xn-- form";
  }
  const labels = host.replace(/\.$/, "").split(".");
  // A name whose last part is a number would be read as an IPv4 address.
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "")) {
    return isV4(host) ? undefined : "the host is no IPv4 address";
  }
  const good = host.length <= 253 &&
    labels.every((label) =>
      /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label)
    );
  return good ? undefined : "the host is no name and no IP address";
}

/** What is wrong with an IPv6 address, if anything is. */
function problemOfV6(host: string): string | undefined {
  if (host.includes("%")) return "the IPv6 address has a zone";
  return isV6(host) ? undefined : "the host is no IPv6 address";
}

function isV4(host: string): boolean {
  return /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/
    .test(host) && !/(^|\.)0\d/.test(host);
}

function isV6(host: string): boolean {
  // An IPv4 address may stand for the last two groups.
  const tail = /^(.*:)([^:]*\.[^:]*)$/.exec(host);
  if (tail !== null && !isV4(tail[2] ?? "")) return false;
  const groups = tail === null ? host : `${tail[1]}0:0`;
  const halves = groups.split("::");
  const parts = halves.flatMap((half) => half === "" ? [] : half.split(":"));
  const full = halves.length === 1 ? parts.length === 8 : parts.length < 8;
  return halves.length <= 2 && full &&
    parts.every((part) => /^[0-9a-f]{1,4}$/.test(part));
}
