/**
 * The address of a router: who it is, and where.
 *
 * `xftp://FINGERPRINT[:PASSWORD]@HOST[,HOST...][:PORT]`, with the SHA-256 of
 * its identity certificate in base64url, and port 443 if none is said. The
 * password lets its holder store, and never gets into links or descriptions.
 *
 * @module
 */
import { isIP } from "node:net";
import { equalBytes } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";
import { KEY_HASH_BYTES } from "./handshake.ts";

/** The port that is meant when none is said. */
export const DEFAULT_XFTP_PORT = 443;

/** Where a router is, and who. */
export interface RouterAddress {
  /** SHA-256 of its identity certificate. */
  readonly keyHash: Uint8Array<ArrayBuffer>;
  /** What it asks of those who store, if it does. A secret. */
  readonly password?: string;
  /** Names of the same router, the one to try first in front; IPv6 without brackets. */
  readonly hosts: readonly [string, ...string[]];
  /** Its port. */
  readonly port: number;
}

/** How an address is written. */
export interface FormatAddressOptions {
  /** Whether to write the password: for its owner only. @default {false} */
  readonly password?: boolean;
}

/**
 * Reads the address of a router.
 *
 * @param what What errors are to call it. They never hold the text, as it may
 * hold a password.
 * @throws {SftpxError} `usage`, when it is none.
 */
export function parseRouterAddress(
  text: string,
  what = "router address",
): RouterAddress {
  const fail = (reason: string): SftpxError =>
    new SftpxError("usage", `Cannot read ${what}: ${reason}`);
  if (text.length > LONGEST) {
    throw fail(`it has more than ${LONGEST} characters`);
  }
  const [, hash, password, places] =
    /^xftp:\/\/([\w-]+={0,2})(?::([^@:/\s]+))?@([^@/\s]+)\/?$/.exec(text) ?? [];
  if (hash === undefined || places === undefined) {
    throw fail("it must be xftp://FINGERPRINT@HOST[:PORT]");
  }
  const keyHash = readHash(hash);
  if (keyHash === undefined) {
    throw fail("its fingerprint is not 32 bytes of base64url");
  }
  if (password !== undefined && !isPassword(password)) {
    throw fail("its password must be printable, without space, @, : and /");
  }
  const [, list = places, digits] = /^(.*?[^:]):(\d{1,5})$/.exec(places) ?? [];
  const port = digits === undefined ? DEFAULT_XFTP_PORT : Number(digits);
  if (port < 1 || port > 65_535) throw fail("its port must be 1 to 65535");
  const [first, ...others] = list.split(",").map((host) => {
    const name = /^\[(.*)\]$/.exec(host)?.[1];
    if (name !== undefined ? isIP(name) !== 6 : !isHost(host)) {
      throw fail("a host in it is neither a name nor an IP address");
    }
    return (name ?? host).toLowerCase();
  });
  if (first === undefined || others.length >= MAX_HOSTS) {
    throw fail(`it must have 1 to ${MAX_HOSTS} hosts`);
  }
  return {
    keyHash,
    ...(password === undefined ? {} : { password }),
    hosts: [first, ...others],
    port,
  };
}

/** Writes the address of a router: with its port, without its password. */
export function formatRouterAddress(
  address: RouterAddress,
  options: FormatAddressOptions = {},
): string {
  const { keyHash, hosts, port } = address;
  const hash = keyHash.toBase64({ alphabet: "base64url" });
  const password = options.password === true && address.password !== undefined
    ? `:${address.password}`
    : "";
  const names = hosts.map((host) => isIP(host) === 6 ? `[${host}]` : host);
  return `xftp://${hash}${password}@${names.join(",")}:${port}`;
}

/** Tells whether two addresses are of the same router at the same place. */
export function sameRouter(a: RouterAddress, b: RouterAddress): boolean {
  return equalBytes(a.keyHash, b.keyHash) && a.port === b.port &&
    a.hosts.join() === b.hosts.join();
}

/** Tells whether a password can stand in an address. */
export function isPassword(text: string): boolean {
  return /^[\x21-\x7e]{1,128}$/.test(text) && !/[@:/]/.test(text);
}

const LONGEST = 2048;
const MAX_HOSTS = 8;

/** With or without padding, but of one form each. */
function readHash(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[\w-]{43}=?$/.test(text)) return undefined;
  const bytes = Uint8Array.fromBase64(text, { alphabet: "base64url" });
  const isExact = bytes.length === KEY_HASH_BYTES &&
    bytes.toBase64({ alphabet: "base64url", omitPadding: true }) ===
      text.slice(0, 43);
  return isExact ? bytes : undefined;
}

function isHost(host: string): boolean {
  if (isIP(host) === 4) return true;
  // What ends in a number is an IP address in disguise, or none.
  return host.length <= 253 && !/(^|\.)\d+\.?$/.test(host) &&
    host.split(".").every((label) =>
      /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label)
    );
}
