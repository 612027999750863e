/**
 * The keys of two offers: X25519 between their shares, bound to every byte of
 * both. Who can only read the chat has nothing. Who can change what it carries
 * could stand between the two; then the words that both sides are shown differ.
 *
 * @module
 */
import { createHash, hkdfSync } from "node:crypto";
import { x25519 } from "@noble/curves/ed25519.js";
import { SftpxError } from "../core/errors.ts";
import { secret } from "../core/secret.ts";
import type { RandomBytes } from "../crypto/random.ts";
import type { Met } from "./by_code.ts";
import { ticketKeys } from "./keys.ts";
import { encodeOffer, type Offer } from "./offer.ts";
import { WORDS } from "./words.ts";

/** Our half of the keys, and the share that goes into the offer. */
export interface OfferShare {
  readonly share: Uint8Array;
  /**
   * Makes the keys out of both offers.
   *
   * @throws {SftpxError} "usage" when the two cannot be a pair, "unauthorized"
   * when the other's share is none.
   */
  finish(mine: Offer, theirs: Offer): OfferMet;
}

/** What two offers make. */
export interface OfferMet extends Met {
  /** Three words that are the same on both sides when nobody is between them. */
  readonly words: string;
}

/** Makes a share. */
export function beginOffer(random: RandomBytes): OfferShare {
  const secretKey = random(32);
  return {
    share: x25519.getPublicKey(secretKey),
    finish(mine, theirs) {
      if (mine.role === theirs.role) {
        const isOwn = encodeOffer(mine).toHex() === encodeOffer(theirs).toHex();
        throw new SftpxError(
          "usage",
          isOwn
            ? "Cannot use offer: it is our own; the other side's is needed"
            : `Cannot use offer: the other side is a ${theirs.role}, as we are`,
        );
      }
      let shared: Uint8Array;
      try {
        shared = x25519.getSharedSecret(secretKey, theirs.share);
      } catch (error) { // a point of small order: the secret would be known to all
        throw new SftpxError(
          "unauthorized",
          "Cannot use offer: its key share is none",
          error,
        );
      }
      const [sender, receiver] = mine.role === "sender"
        ? [mine, theirs]
        : [theirs, mine];
      const salt = createHash("sha256").update(encodeOffer(sender))
        .update(encodeOffer(receiver)).digest();
      const key = (label: string): Uint8Array<ArrayBuffer> =>
        new Uint8Array(
          hkdfSync("sha256", shared, salt, `sftpx offer/1 ${label}`, 32),
        );
      return {
        keys: ticketKeys(key("meeting"), salt),
        fingerprint: theirs.fingerprint,
        identity: theirs.identity,
        token: secret(key("token")),
        words: wordsOf(key("words")),
      };
    },
  };
}

/** What goes into an offer for an identity, which is nobody's but the peer's to know. */
export function offeredIdentity(identity: Uint8Array): Uint8Array {
  return new Uint8Array(
    createHash("sha256").update("sftpx offer/1 identity").update(identity)
      .digest(),
  );
}

function wordsOf(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return [0, 1, 2].map((at) => WORDS[view.getUint16(2 * at) % WORDS.length])
    .join("-");
}
