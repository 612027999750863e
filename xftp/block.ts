/**
 * Blocks and transmissions of XFTP.
 *
 * A block has 16384 bytes: the length of what it holds in 2 bytes, that, and
 * `#` for the rest, so that a look at the line tells nothing of commands. What
 * stands after the length is ignored when read. A transmission is what a block
 * holds after the handshake:
 *
 * | part           | bytes                                              |
 * | -------------- | -------------------------------------------------- |
 * | count          | 1, always `01`                                     |
 * | length         | 2, of all that follows                             |
 * | authentication | short string: 0, 64, 80 or 114 bytes; 0 in answers |
 * | session id     | short string                                       |
 * | correlation id | short string, echoed in the answer                 |
 * | entity id      | short string, the id of a chunk or of a recipient  |
 * | command        | the rest                                           |
 *
 * What is signed is everything from the session id's length on.
 *
 * @module
 */
import { concatBytes } from "../core/bytes.ts";
import {
  type Bytes,
  createReader,
  large,
  shortString,
  unreadable,
  word16,
} from "./encoding.ts";

/** The size of every block. */
export const BLOCK_BYTES = 16_384;

/** The most that a block can hold. */
export const MAX_BLOCK_MESSAGE = BLOCK_BYTES - 2;

/** Bytes of the session id that our routers give. */
export const SESSION_ID_BYTES = 32;

/** One command or answer, and what it belongs to. */
export interface Transmission {
  /** Signature or authenticator; empty in answers. */
  readonly auth: Uint8Array;
  /** The connection that it was made for. */
  readonly sessionId: Uint8Array;
  /** What the answer is found by; clients with one request a stream leave it empty. */
  readonly corrId: Uint8Array;
  /** What it is about: a chunk as its sender or a recipient knows it, or empty. */
  readonly entityId: Uint8Array;
  /** The command or answer, of `commands.ts`. */
  readonly command: Uint8Array;
}

/** A transmission that came in. */
export interface ReceivedTransmission extends Transmission {
  /** What `auth` is over. */
  readonly authorized: Uint8Array;
}

/**
 * Puts `message` into a block.
 *
 * @throws {RangeError} when it has more than 16382 bytes.
 */
export function padBlock(message: Uint8Array): Bytes {
  if (message.length > MAX_BLOCK_MESSAGE) {
    throw new RangeError(
      `Cannot write block as a message must have up to ${MAX_BLOCK_MESSAGE} bytes: current length is ${message.length}`,
    );
  }
  const block = new Uint8Array(BLOCK_BYTES).fill(FILL);
  block.set(word16(message.length));
  block.set(message, 2);
  return block;
}

/**
 * Takes the message out of a block.
 *
 * @throws {SftpxError} `protocol`, when it is not a block.
 */
export function unpadBlock(block: Uint8Array): Uint8Array {
  if (block.length !== BLOCK_BYTES) {
    throw unreadable(
      "block",
      `it has ${block.length} bytes and must have ${BLOCK_BYTES}`,
    );
  }
  return createReader(block, "block").large();
}

/** What is signed of a transmission: all but the signature. */
export function authorizedBytes(
  transmission: Omit<Transmission, "auth">,
): Bytes {
  return concatBytes(
    shortString(transmission.sessionId),
    shortString(transmission.corrId),
    shortString(transmission.entityId),
    transmission.command,
  );
}

/**
 * Writes a transmission as a block.
 *
 * @throws {RangeError} when it does not fit.
 */
export function encodeTransmission(transmission: Transmission): Bytes {
  const signed = authorizedBytes(transmission);
  const whole = concatBytes(shortString(transmission.auth), signed);
  return padBlock(concatBytes(Uint8Array.of(1), large(whole)));
}

/**
 * Reads the transmission of a block.
 *
 * @throws {SftpxError} `protocol`, when it is not exactly one.
 */
export function decodeTransmission(block: Uint8Array): ReceivedTransmission {
  const outer = createReader(unpadBlock(block), "transmission");
  const count = outer.word8();
  if (count !== 1) {
    throw unreadable("transmission", `there are ${count} in the block`);
  }
  const whole = outer.large();
  outer.end();
  const inner = createReader(whole, "transmission");
  const auth = inner.shortString();
  return {
    auth,
    authorized: whole.subarray(1 + auth.length),
    sessionId: inner.shortString(),
    corrId: inner.shortString(),
    entityId: inner.shortString(),
    command: inner.rest(),
  };
}

const FILL = 0x23; // "#"
