/**
 * The keys of two peers, all of one secret: the key that CPace gives, or the
 * access token of a ticket.
 *
 * ```text
 * key(label, n) = HKDF-SHA-256(secret, salt, "sftpx rendezvous/1 " label, n)
 * ```
 *
 * @module
 */
import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { concatBytes } from "../core/bytes.ts";
import type { Role } from "./types.ts";

/** Bytes of the name under which two peers meet again. */
export const MEETING_ID_LENGTH = 16;

/** Bytes of a random number that one side says once. */
export const NONCE_LENGTH = 16;

/** What two peers need to find each other, and to know each other by. */
export interface MeetingKeys {
  /** Where they meet at the helper: it tells nothing of the rest. */
  readonly id: Uint8Array<ArrayBuffer>;
  /** What their words through the helper are encrypted with, together with what each says once. */
  readonly words: Uint8Array<ArrayBuffer>;
  /** What proves on a path that the other end is the peer. */
  readonly path: Uint8Array<ArrayBuffer>;
}

/** The keys of a code. */
export interface CodeKeys {
  readonly meeting: MeetingKeys;
  /** What each side confirms the exchange with. */
  readonly confirm: Readonly<Record<Role, Uint8Array<ArrayBuffer>>>;
  /** What is said with the confirmation is encrypted with. */
  readonly first: Readonly<Record<Role, Uint8Array<ArrayBuffer>>>;
  /** The receiver's access token, for this transfer only. */
  readonly token: Uint8Array<ArrayBuffer>;
}

/** Makes the keys of a code out of what CPace gave. */
export function codeKeys(isk: Uint8Array, sid: Uint8Array): CodeKeys {
  const key = deriver(isk, sid);
  return {
    meeting: meetingKeys(key),
    confirm: {
      sender: key("confirm sender", 32),
      receiver: key("confirm receiver", 32),
    },
    first: {
      sender: key("first sender", 32),
      receiver: key("first receiver", 32),
    },
    token: key("token", 32),
  };
}

/**
 * Makes the keys of a ticket: whoever has it can find the receiver, and nobody
 * else can, the helper included.
 */
export function ticketKeys(
  token: Uint8Array,
  fingerprint: Uint8Array,
): MeetingKeys {
  return meetingKeys(deriver(token, fingerprint));
}

/** Keys of one meeting, one for each direction: what was said in another is worth nothing in it. */
export function wordKeys(
  { words }: MeetingKeys,
  nonces: Readonly<Record<Role, Uint8Array>>,
): Readonly<Record<Role, Uint8Array<ArrayBuffer>>> {
  const key = deriver(words, concatBytes(nonces.sender, nonces.receiver));
  return {
    sender: key("words sender", 32),
    receiver: key("words receiver", 32),
  };
}

/** A tag over `parts`, each of a fixed length or the last. */
export function tagOf(
  key: Uint8Array,
  label: string,
  ...parts: readonly Uint8Array[]
): Uint8Array<ArrayBuffer> {
  const mac = createHmac("sha256", key);
  mac.update(`${PREFIX}${label}\0`);
  for (const part of parts) mac.update(part);
  return new Uint8Array(mac.digest());
}

/** Compares in a time that tells nothing of where they differ. */
export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

type Deriver = (label: string, length: number) => Uint8Array<ArrayBuffer>;

const PREFIX = "sftpx rendezvous/1 ";

function deriver(secret: Uint8Array, salt: Uint8Array): Deriver {
  return (label, length) =>
    new Uint8Array(
      hkdfSync("sha256", secret, salt, `${PREFIX}${label}`, length),
    );
}

function meetingKeys(key: Deriver): MeetingKeys {
  return {
    id: key("meeting", MEETING_ID_LENGTH),
    words: key("words", 32),
    path: key("path", 32),
  };
}
