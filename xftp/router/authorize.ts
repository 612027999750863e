/**
 * Whether a command comes from who may give it.
 *
 * An id that is not known and a signature that is wrong look the same from
 * outside, and take the same time: there is one lookup and one verification in
 * either case, with a key of the kind that the signature is of, which is one of
 * our own when there is no other. Nothing is decided before it is done. A chunk
 * that the operator has blocked is the exception: whoever knows its id is told.
 *
 * @module
 */
import {
  AUTHENTICATOR_BYTES,
  checkAuthenticator,
  type KeyKind,
  makeKeyPair,
  type PublicKey,
  sharedSecret,
  verify,
} from "../keys.ts";
import { SftpxError } from "../../core/errors.ts";
import type { ReceivedTransmission } from "../block.ts";
import { FaultError } from "../faults.ts";
import type { ChunkRecord } from "./records.ts";
import type { RouterSession } from "./session.ts";
import type { StoreView } from "./store.ts";

/** Who may give a command. */
export type Party = "sender" | "recipient";

/** Verifies what a transmission says of itself; a test can listen to it. */
export type VerifyTransmission = (
  session: RouterSession,
  key: PublicKey,
  transmission: ReceivedTransmission,
) => boolean;

/** Finds the chunk of a command and proves that its giver may give it. */
export type Authorize = (
  session: RouterSession,
  transmission: ReceivedTransmission,
  party: Party,
) => ChunkRecord;

/** Creates what authorizes commands about chunks that there are. */
export function createAuthorize(
  records: StoreView,
  verifyTransmission: VerifyTransmission = verifyAuth,
): Authorize {
  // Nobody has the other halves of these.
  const dummies: Readonly<Record<KeyKind, PublicKey>> = {
    ed25519: makeKeyPair("ed25519").publicKey,
    ed448: makeKeyPair("ed448").publicKey,
    x25519: makeKeyPair("x25519").publicKey,
  };
  return (session, transmission, party) => {
    const { auth, entityId } = transmission;
    const kind = authKind(auth);
    const found = party === "sender"
      ? ofSender(records, entityId)
      : records.ofRecipient(entityId);
    const status = found?.chunk.status;
    if (status?.type === "blocked") {
      throw new FaultError({ code: "BLOCKED", blocking: status.blocking });
    }
    const isUsable = found?.key.kind === kind && status?.type === "active";
    const key = isUsable ? found.key : dummies[kind];
    const isVerified = verifyTransmission(session, key, transmission);
    if (!isVerified || !isUsable) throw new FaultError({ code: "AUTH" });
    return found.chunk;
  };
}

/**
 * The kind of key that has made `auth`.
 *
 * @throws {FaultError} `BLOCK`, when it has a length that none makes.
 */
export function authKind(auth: Uint8Array): KeyKind {
  switch (auth.length) {
    case 64:
      return "ed25519";
    case 114:
      return "ed448";
    case AUTHENTICATOR_BYTES:
      return "x25519";
    default:
      throw new FaultError({ code: "BLOCK" });
  }
}

/** Verifies a signature or an authenticator. */
export function verifyAuth(
  session: RouterSession,
  key: PublicKey,
  transmission: ReceivedTransmission,
): boolean {
  const { auth, authorized, corrId } = transmission;
  if (key.kind !== "x25519") return verify(key, authorized, auth);
  const { handshake } = session;
  // Version 1 has no authenticators, and without a handshake there is no key.
  if (handshake.state !== "accepted" || handshake.version < 2) return false;
  try {
    const secret = sharedSecret(handshake.key.privateKey, key);
    return checkAuthenticator(secret, corrId, authorized, auth);
  } catch (error) {
    if (error instanceof SftpxError) return false;
    throw error;
  }
}

function ofSender(
  records: StoreView,
  id: Uint8Array,
): { chunk: ChunkRecord; key: PublicKey } | undefined {
  const chunk = records.ofSender(id);
  return chunk === undefined ? undefined : { chunk, key: chunk.senderKey };
}
