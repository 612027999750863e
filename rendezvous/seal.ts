/**
 * Encrypts what one side says to the other through the helper: AES-256-GCM, with
 * the number of the message as nonce. A key serves one direction of one meeting,
 * so no nonce comes twice; what is dropped, repeated or moved does not open.
 *
 * @module
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { concatBytes } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";

/** Bytes by which a sealed message is longer. */
export const SEAL_LENGTH = 16;

/** Seals messages, in order. */
export type Seal = (plain: Uint8Array) => Uint8Array<ArrayBuffer>;

/**
 * Opens messages, in order.
 *
 * @throws {SftpxError} `unauthorized` when it is not the next message of the one
 * who has the key.
 */
export type Open = (sealed: Uint8Array) => Uint8Array<ArrayBuffer>;

/** Makes a seal; a key must be used for one only. */
export function createSeal(key: Uint8Array): Seal {
  const next = counter();
  return (plain) => {
    const cipher = createCipheriv("aes-256-gcm", key, next());
    const body = concatBytes(cipher.update(plain), cipher.final());
    return concatBytes(body, cipher.getAuthTag());
  };
}

/** Makes what opens it. */
export function createOpen(key: Uint8Array): Open {
  const next = counter();
  return (sealed) => {
    const end = sealed.length - SEAL_LENGTH;
    try {
      if (end < 0) throw new RangeError("too short");
      const cipher = createDecipheriv("aes-256-gcm", key, next(), {
        authTagLength: SEAL_LENGTH,
      });
      cipher.setAuthTag(sealed.subarray(end));
      return concatBytes(
        cipher.update(sealed.subarray(0, end)),
        cipher.final(),
      );
    } catch { // which of both it was is nobody's business
      throw new SftpxError(
        "unauthorized",
        "Cannot read what the peer says: it was changed on the way, or is not from the peer",
      );
    }
  };
}

function counter(): () => Uint8Array {
  let count = 0;
  return () => {
    const nonce = new Uint8Array(12);
    new DataView(nonce.buffer).setUint32(8, count++);
    return nonce;
  };
}
