/**
 * What a client says first of all, before anything is encrypted: whom it wants,
 * what it wants to speak, and with which ciphers. The router looks at it to
 * choose how to answer, and changes nothing of it.
 *
 * @module
 */
import { SftpxError } from "../../core/errors.ts";
import { createReader, unreadable } from "../encoding.ts";

/** What is known of a client before TLS begins. */
export interface ClientHello {
  /** The host that it wants, if it says so. */
  readonly host: string | undefined;
  /** The protocols that it offers, the one that it likes most in front. */
  readonly protocols: readonly string[];
  /** The numbers of the ciphers that it offers. */
  readonly ciphers: readonly number[];
}

/** A hello is some hundred bytes, with post-quantum keys a few thousand. */
export const MAX_CLIENT_HELLO = 32_768;

/**
 * Reads a hello; `undefined` when it is not all there yet.
 *
 * @throws {SftpxError} `protocol`, when it is none.
 */
export function readClientHello(bytes: Uint8Array): ClientHello | undefined {
  const message = joinRecords(bytes);
  if (message === undefined) return undefined;
  const reader = createReader(message, WHAT);
  reader.bytes(2 + 32); // version, random
  reader.shortString(); // session
  const ciphers = numbers(reader.large());
  reader.shortString(); // compression
  let host: string | undefined;
  let protocols: string[] = [];
  if (reader.left > 0) {
    const extensions = createReader(reader.large(), WHAT);
    while (extensions.left > 0) {
      const type = extensions.word16();
      const content = createReader(extensions.large(), WHAT);
      if (type === SERVER_NAME) {
        const names = createReader(content.large(), WHAT);
        if (names.left > 0 && names.word8() === 0) host = text(names.large());
      } else if (type === PROTOCOLS) {
        const list = createReader(content.large(), WHAT);
        protocols = [];
        while (list.left > 0) protocols.push(text(list.shortString()));
      }
    }
  }
  return { host, protocols, ciphers };
}

/**
 * Tells whether a client is one of those that bind the handshake to what we
 * cannot see (TLS' "Finished"), and that speak version 1 when no protocol is
 * chosen: they offer `xftp/1` alone, name no host, and know one cipher.
 */
export function isNativeClient(hello: ClientHello): boolean {
  const { host, protocols, ciphers } = hello;
  return host === undefined && protocols.join() === "xftp/1" &&
    ciphers.some((cipher) => CHACHA20.includes(cipher)) &&
    ciphers.every((cipher) => CHACHA20.includes(cipher) || cipher === SIGNAL);
}

const WHAT = "TLS hello";
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const PROTOCOLS = 16;
/** TLS 1.3's ChaCha20, and 1.2's with ECDHE. */
const CHACHA20 = [0x1303, 0xcca8, 0xcca9];
/** No cipher: it says that renegotiation is understood. */
const SIGNAL = 0x00ff;

/** The hello without what TLS puts around it, of one record or several. */
function joinRecords(bytes: Uint8Array): Uint8Array | undefined {
  const message: number[] = [];
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] !== HANDSHAKE) throw unreadable(WHAT, "it is no TLS");
    if (at + 5 > bytes.length) return undefined;
    const length = (bytes[at + 3] ?? 0) << 8 | (bytes[at + 4] ?? 0);
    message.push(...bytes.subarray(at + 5, at + 5 + length));
    if (message.length > 0 && message[0] !== CLIENT_HELLO) {
      throw unreadable(WHAT, "it is another message");
    }
    if (message.length >= 4) {
      const [, high = 0, middle = 0, low = 0] = message;
      const size = high << 16 | middle << 8 | low;
      if (size > MAX_CLIENT_HELLO) throw unreadable(WHAT, "it is too long");
      if (message.length >= 4 + size) {
        return Uint8Array.from(message.slice(4, 4 + size));
      }
    }
    at += 5 + length;
  }
  if (bytes.length > 2 * MAX_CLIENT_HELLO) {
    throw new SftpxError("protocol", `Cannot read ${WHAT}: it is too long`);
  }
  return undefined;
}

function numbers(bytes: Uint8Array): number[] {
  const reader = createReader(bytes, WHAT);
  const found: number[] = [];
  while (reader.left > 0) found.push(reader.word16());
  return found;
}

function text(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
