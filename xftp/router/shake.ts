/**
 * The router's side of the handshake, as a machine that is given what a client
 * says and tells what to answer. It does nothing itself.
 *
 * | state    | `xftp-web-hello`     | `xftp-handshake`   | neither                                   |
 * | -------- | -------------------- | ------------------ | ----------------------------------------- |
 * | none     | hello                | SESSION            | with SNI SESSION; else hello, or HANDSHAKE when there is a body |
 * | sent     | hello, the same key  | client's handshake | client's handshake                        |
 * | accepted | hello, the same key  | client's handshake | a command                                 |
 *
 * A hello takes an accepted session back to "sent" under the same session id:
 * a page that was loaded again shares the connection with the one before it.
 *
 * @module
 */
import { concatBytes, equalBytes } from "../../core/bytes.ts";
import { SftpxError } from "../../core/errors.ts";
import { ascii, type Bytes } from "../encoding.ts";
import { BLOCK_BYTES, padBlock } from "../block.ts";
import {
  decodeClientHandshake,
  decodeWebHello,
  encodeRouterHello,
  OUR_VERSIONS,
  signKey,
} from "../handshake.ts";
import { type KeyPair, makeKeyPair, type PrivateKey, sign } from "../keys.ts";
import type { RouterSession } from "./session.ts";

/** Who the router is. */
export interface RouterIdentity {
  /** DER: leaf, identity, and up to two others. */
  readonly certificates: readonly Uint8Array[];
  /** SHA-256 of the identity certificate. */
  readonly keyHash: Uint8Array<ArrayBuffer>;
  /** The leaf's key. */
  readonly leafKey: PrivateKey;
}

/** What a client says, before it is known to be a command. */
export interface Said {
  /** Whether the header of a browser's hello is there. */
  readonly webHello: boolean;
  /** Whether the header of a browser's handshake is there. */
  readonly handshake: boolean;
  /** The first 16384 bytes of the body, or as many as there are. */
  readonly head: Uint8Array;
}

/**
 * Takes a step.
 *
 * @returns What to answer; `undefined` when what was said is a command.
 */
export function shake(
  session: RouterSession,
  said: Said,
  identity: RouterIdentity,
): Bytes | undefined {
  if (session.legacy) return undefined;
  const { handshake } = session;
  if (said.webHello) return hello(session, said.head, identity);
  if (handshake.state === "none") {
    if (said.handshake || session.sni) return refusal("SESSION");
    return said.head.length === 0
      ? hello(session, said.head, identity)
      : refusal("HANDSHAKE");
  }
  if (handshake.state === "accepted" && !said.handshake) return undefined;
  return accept(session, handshake.key, said.head, identity);
}

/** A refusal during the handshake: a word in a block. */
export function refusal(word: "SESSION" | "HANDSHAKE"): Bytes {
  return padBlock(ascii(word));
}

function hello(
  session: RouterSession,
  head: Uint8Array,
  identity: RouterIdentity,
): Bytes {
  let challenge: Uint8Array | undefined;
  try {
    challenge = head.length === 0 ? undefined : decodeWebHello(head);
  } catch (error) {
    if (error instanceof SftpxError) return refusal("HANDSHAKE");
    throw error;
  }
  const key = session.handshake.state === "none"
    ? makeKeyPair("x25519")
    : session.handshake.key;
  session.handshake = { state: "sent", key };
  return encodeRouterHello({
    versions: OUR_VERSIONS,
    sessionId: session.id,
    certificates: identity.certificates,
    signedKey: signKey(key.publicKey, identity.leafKey),
    proof: challenge === undefined
      ? new Uint8Array(0)
      : sign(identity.leafKey, concatBytes(challenge, session.id)),
  });
}

function accept(
  session: RouterSession,
  key: KeyPair,
  head: Uint8Array,
  identity: RouterIdentity,
): Bytes {
  if (head.length !== BLOCK_BYTES) return refusal("HANDSHAKE");
  try {
    const { version, keyHash } = decodeClientHandshake(head);
    const isOurs = equalBytes(keyHash, identity.keyHash);
    const isSpoken = version >= OUR_VERSIONS.min && version <= OUR_VERSIONS.max;
    if (!isOurs || !isSpoken) return refusal("HANDSHAKE");
    session.handshake = { state: "accepted", key, version };
    return new Uint8Array(0);
  } catch (error) {
    if (error instanceof SftpxError) return refusal("HANDSHAKE");
    throw error;
  }
}
