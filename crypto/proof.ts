/**
 * How a sender proves in its hello that it holds the access token, without
 * saying it.
 *
 * ```text
 * proof = HMAC-SHA-256(token, "sftpx/1 hello" ‖ fingerprint[32] ‖ session[32] ‖
 *         life[16] ‖ nonce[16] ‖ u64 attempt ‖ u64 connection)
 * ```
 *
 * All but the first part have a fixed length, so no two hellos run together. The
 * fingerprint is of the certificate that the sender has met: a proof that
 * somebody lured out of a sender is of no use with the receiver.
 *
 * @module
 */
import { equalBytes } from "../core/bytes.ts";

/** Bytes of an access token. */
export const TOKEN_LENGTH = 32;

/** Bytes of a proof. */
export const PROOF_LENGTH = 32;

/** What a hello says, and to whom. */
export interface ProvenHello {
  /** SHA-256 of the receiver's certificate, 32 bytes. */
  readonly fingerprint: Uint8Array;
  /** 32 bytes. */
  readonly session: Uint8Array;
  /** 16 bytes. */
  readonly life: Uint8Array;
  /** 16 bytes. */
  readonly nonce: Uint8Array;
  /** The number of the dial within the session. */
  readonly attempt: number;
  /** The number of the connection within the session. */
  readonly connection: number;
}

/**
 * The proof that goes with `hello`.
 *
 * @param token 32 bytes; none for a receiver that takes anyone, which does not look at the proof.
 */
export async function helloProof(
  token: Uint8Array,
  hello: ProvenHello,
): Promise<Uint8Array<ArrayBuffer>> {
  checkLength("token", token, token.length === 0 ? 0 : TOKEN_LENGTH);
  // HMAC fills a key up with zeros, so this is the key of no bytes: an empty one is refused.
  const secret = token.length === 0
    ? new Uint8Array(TOKEN_LENGTH)
    : new Uint8Array(token);
  const key = await crypto.subtle.importKey(
    "raw",
    secret,
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const proof = await crypto.subtle.sign("HMAC", key, proven(hello));
  return new Uint8Array(proof);
}

/**
 * Tells whether `proof` shows that who said `hello` holds `token`. It takes as
 * long for a wrong proof as for a right one.
 *
 * @throws {RangeError} When there is no token: nothing proves what all can make.
 */
export async function verifyProof(
  token: Uint8Array,
  hello: ProvenHello,
  proof: Uint8Array,
): Promise<boolean> {
  checkLength("token", token, TOKEN_LENGTH);
  if (proof.length !== PROOF_LENGTH) return false;
  return equalBytes(await helloProof(token, hello), proof);
}

const LABEL = new TextEncoder().encode("sftpx/1 hello");

function proven(hello: ProvenHello): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(LABEL.length + 32 + 32 + 16 + 16 + 8 + 8);
  bytes.set(LABEL);
  let at = LABEL.length;
  for (
    const [field, length] of [
      ["fingerprint", 32],
      ["session", 32],
      ["life", 16],
      ["nonce", 16],
    ] as const
  ) {
    checkLength(field, hello[field], length);
    bytes.set(hello[field], at);
    at += length;
  }
  const view = new DataView(bytes.buffer);
  view.setBigUint64(at, number("attempt", hello.attempt));
  view.setBigUint64(at + 8, number("connection", hello.connection));
  return bytes;
}

function checkLength(field: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) {
    throw new RangeError(
      `Cannot prove hello as ${field} must have ${length} bytes: current length is ${bytes.length}`,
    );
  }
}

function number(field: string, value: number): bigint {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(
      `Cannot prove hello as ${field} must be an integer in 0..2^53-1: current value is ${value}`,
    );
  }
  return BigInt(value);
}
