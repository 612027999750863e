/**
 * The ticket: one line that is all a sender on another machine needs.
 *
 * ```text
 * sftpx://HOST:PORT/#KEY
 * sftpx+helper://HOST:PORT/#KEY
 * ```
 *
 * The second form names a helper, at which the receiver is to be found.
 *
 * KEY is base64url without padding of
 *
 * | bytes   | what                                                    |
 * | ------- | ------------------------------------------------------- |
 * | 1       | version, 1                                              |
 * | 32      | SHA-256 of the receiver's certificate                   |
 * | 0 or 32 | access token; none when the receiver takes anyone       |
 * | 4       | CRC-32 of all before it, big-endian                     |
 *
 * The checksum tells a mistyped or cut KEY from a wrong one: CRC-32 sees every
 * change of one character, and of any five in a row. It does not cover host and
 * port, which may well be changed by hand: the receiver that answers there must
 * still have the certificate.
 *
 * A ticket holds a secret, so no error says what was in it.
 *
 * @module
 */
import { concatBytes, fromBase64Url, toBase64Url } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";
import { formatAddress, type HostAndPort, parseAddress } from "./address.ts";

/** What a ticket says. */
export interface Ticket extends HostAndPort {
  /** SHA-256 of the receiver's certificate, 32 bytes. */
  readonly fingerprint: Uint8Array;
  /** The access token, 32 bytes; none when the receiver takes anyone. */
  readonly token?: Uint8Array;
  /** True when host and port are those of a helper that knows where the receiver is. */
  readonly viaHelper?: boolean;
}

const VERSION = 1;
const FINGERPRINT_LENGTH = 32;
const TOKEN_LENGTH = 32;
const CHECKSUM_LENGTH = 4;
const OPEN_LENGTH = 1 + FINGERPRINT_LENGTH + CHECKSUM_LENGTH;
const FULL_LENGTH = OPEN_LENGTH + TOKEN_LENGTH;

/** Tells whether `text` is meant as a ticket, good or bad. */
export function looksLikeTicket(text: string): boolean {
  return /^\s*sftpx(\+helper)?:/i.test(text);
}

/** Writes a ticket. */
export function formatTicket(ticket: Ticket): string {
  const { fingerprint, token = new Uint8Array(0) } = ticket;
  checkLength("fingerprint", fingerprint, FINGERPRINT_LENGTH);
  checkLength("token", token, ticket.token ? TOKEN_LENGTH : 0);
  const address = formatAddress(ticket);
  parseAddress(address); // what could not be read back must not be written
  const body = concatBytes(Uint8Array.of(VERSION), fingerprint, token);
  const key = toBase64Url(concatBytes(body, checksum(body)));
  const scheme = ticket.viaHelper ? "sftpx+helper" : "sftpx";
  return `${scheme}://${address}/#${key}`;
}

/**
 * Reads a ticket. Space around it is ignored.
 *
 * @throws {SftpxError} `usage`, saying what is wrong but not what was read.
 */
export function parseTicket(text: string): Ticket {
  const match = /^sftpx(\+helper)?:\/\/([^/#?]*)\/#(.*)$/is.exec(text.trim());
  if (match === null) throw bad("it must read sftpx://HOST:PORT/#KEY");
  const [, helper, address = "", key = ""] = match;
  const where = parseTicketAddress(address);
  const ticket = { ...where, ...parseKey(key) };
  return helper === undefined ? ticket : { ...ticket, viaHelper: true };
}

function parseTicketAddress(address: string): HostAndPort {
  if (address.includes("@")) throw bad("there must be no @ in it");
  return parseAddress(address);
}

function parseKey(key: string): Pick<Ticket, "fingerprint" | "token"> {
  const odd = /[^\w-]/.test(key);
  if (odd) throw bad("there is a character in its key that does not belong");
  const bytes = fromBase64Url(key);
  const version = fromBase64Url(key.slice(0, 4))?.[0];
  if (version !== undefined && version !== VERSION) {
    throw bad(`its version is ${version} and this program knows ${VERSION}`);
  }
  if (
    key.length !== keyLength(OPEN_LENGTH) &&
    key.length !== keyLength(FULL_LENGTH)
  ) {
    throw bad(
      `its key has ${key.length} characters and must have ${
        keyLength(FULL_LENGTH)
      }, or ${keyLength(OPEN_LENGTH)} for an open receiver`,
    );
  }
  const body = bytes?.subarray(0, -CHECKSUM_LENGTH);
  if (
    body === undefined ||
    checksum(body).some((byte, at) => byte !== bytes?.[body.length + at])
  ) {
    throw bad("its key is mistyped or not complete");
  }
  const fingerprint = body.slice(1, 1 + FINGERPRINT_LENGTH);
  return body.length > 1 + FINGERPRINT_LENGTH
    ? { fingerprint, token: body.slice(1 + FINGERPRINT_LENGTH) }
    : { fingerprint };
}

/** How many characters of base64url `bytes` bytes take. */
function keyLength(bytes: number): number {
  return Math.ceil(bytes * 4 / 3);
}

/** CRC-32 as in ISO 3309, big-endian. */
function checksum(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc >>> 1) ^ (crc & 1 ? 0xedb8_8320 : 0);
    }
  }
  const sum = new Uint8Array(CHECKSUM_LENGTH);
  new DataView(sum.buffer).setUint32(0, ~crc >>> 0);
  return sum;
}

function checkLength(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) {
    throw new RangeError(
      `Cannot format ticket as ${what} must have ${length} bytes: current length is ${bytes.length}`,
    );
  }
}

function bad(reason: string): SftpxError {
  return new SftpxError("usage", `Cannot read ticket: ${reason}`);
}
