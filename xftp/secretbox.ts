/**
 * The cipher of XFTP: XSalsa20-Poly1305 as NaCl's `crypto_box` has it, that is
 * with one HSalsa20 more than `crypto_secretbox`, streamed, and with the tag
 * wherever the caller wants it (at the end of files and downloads, in front of
 * an authenticator).
 *
 * What `decrypt()` gives is not proven until `finish()` has been compared, with
 * `isTag()`: nothing of it may be used before.
 *
 * It is our own because no package streams this cipher, and because it is on
 * the path of every byte: docs/xftp.md has what was measured.
 *
 * @module
 */
import { poly1305, TAG_LENGTH } from "./poly1305.ts";
import { BLOCK_WORDS, hsalsa20, salsa20State, xorBlocks } from "./salsa20.ts";

export { TAG_LENGTH } from "./poly1305.ts";

/** Bytes of a key. */
export const KEY_LENGTH = 32;

/** Bytes of a nonce. */
export const NONCE_LENGTH = 24;

/** One message on its way through the cipher, in one direction only. */
export interface SecretBox {
  /** Encrypts what comes next, into an array of the caller's or a new one. */
  encrypt(
    bytes: Uint8Array,
    into?: Uint8Array<ArrayBuffer>,
  ): Uint8Array<ArrayBuffer>;
  /** Decrypts what comes next, into an array of the caller's or a new one. */
  decrypt(
    bytes: Uint8Array,
    into?: Uint8Array<ArrayBuffer>,
  ): Uint8Array<ArrayBuffer>;
  /** The tag of all that came; nothing may come after it. */
  finish(): Uint8Array<ArrayBuffer>;
}

const BLOCK_BYTES = BLOCK_WORDS * 4;

/** Starts a message. @param key 32 bytes. @param nonce 24 bytes. */
export function secretbox(key: Uint8Array, nonce: Uint8Array): SecretBox {
  const first = hsalsa20(key, new Uint8Array(16));
  const second = hsalsa20(first, nonce.subarray(0, 16));
  const state = salsa20State(second, nonce.subarray(16));
  // The keystream's first 32 bytes are the key of the tag.
  const stream = new Uint32Array(BLOCK_WORDS);
  const streamBytes = new Uint8Array(stream.buffer);
  xorBlocks(state, stream, 0, 1);
  const tag = poly1305(streamBytes.slice(0, 32));
  let used = 32;
  let counter = 1;

  /** Lays the keystream over `bytes`, in place; it begins at a whole word. */
  const cover = (bytes: Uint8Array<ArrayBuffer>): void => {
    let at = 0;
    for (; used < BLOCK_BYTES && at < bytes.length; used++, at++) {
      bytes[at] = (bytes[at] ?? 0) ^ (streamBytes[used] ?? 0);
    }
    const blocks = Math.floor((bytes.length - at) / BLOCK_BYTES);
    if (blocks > 0) {
      const start = bytes.byteOffset + at;
      const whole = blocks * BLOCK_BYTES;
      if (start % 4 === 0) {
        const words = new Uint32Array(bytes.buffer, start, whole / 4);
        xorBlocks(state, words, 0, blocks, counter);
      } else {
        const words = new Uint32Array(bytes.slice(at, at + whole).buffer);
        xorBlocks(state, words, 0, blocks, counter);
        bytes.set(new Uint8Array(words.buffer), at);
      }
      counter += blocks;
      at += whole;
    }
    if (at < bytes.length) {
      stream.fill(0);
      xorBlocks(state, stream, 0, 1, counter++);
      for (used = 0; at < bytes.length; used++, at++) {
        bytes[at] = (bytes[at] ?? 0) ^ (streamBytes[used] ?? 0);
      }
    }
  };

  return {
    encrypt(bytes, into) {
      const out = targetOf(bytes, into);
      out.set(bytes);
      cover(out);
      tag.update(out);
      return out;
    },
    decrypt(bytes, into) {
      tag.update(bytes); // before, as `into` may be `bytes`
      const out = targetOf(bytes, into);
      out.set(bytes);
      cover(out);
      return out;
    },
    finish: tag.finish,
  };
}

/** Encrypts a short message: its tag, then as many bytes as it has. */
export function seal(
  key: Uint8Array,
  nonce: Uint8Array,
  message: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const box = secretbox(key, nonce);
  const sealed = new Uint8Array(TAG_LENGTH + message.length);
  sealed.set(box.encrypt(message), TAG_LENGTH);
  sealed.set(box.finish());
  return sealed;
}

/** Opens what `seal()` made; `undefined` when it is not of this key and nonce. */
export function open(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
): Uint8Array<ArrayBuffer> | undefined {
  if (sealed.length < TAG_LENGTH) return undefined;
  const box = secretbox(key, nonce);
  const message = box.decrypt(sealed.subarray(TAG_LENGTH));
  return isTag(box.finish(), sealed.subarray(0, TAG_LENGTH))
    ? message
    : undefined;
}

/** Compares two tags in a time that does not tell where they differ. */
export function isTag(made: Uint8Array, given: Uint8Array): boolean {
  if (made.length !== TAG_LENGTH || given.length !== TAG_LENGTH) return false;
  let difference = 0;
  for (let i = 0; i < TAG_LENGTH; i++) {
    difference |= (made[i] ?? 0) ^ (given[i] ?? 0);
  }
  return difference === 0;
}

function targetOf(
  bytes: Uint8Array,
  into: Uint8Array<ArrayBuffer> | undefined,
): Uint8Array<ArrayBuffer> {
  if (into === undefined) return new Uint8Array(bytes.length);
  if (into.length < bytes.length) {
    throw new RangeError(
      `Cannot encrypt as the target must have ${bytes.length} bytes: current length is ${into.length}`,
    );
  }
  return into.subarray(0, bytes.length);
}
