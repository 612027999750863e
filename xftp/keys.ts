/**
 * Keys of XFTP: their DER forms, signatures and authenticators.
 *
 * | key     | public (SPKI)                      | private (PKCS #8)                       |
 * | ------- | ---------------------------------- | --------------------------------------- |
 * | Ed25519 | `302a300506032b6570032100`, 32     | `302e020100300506032b657004220420`, 32  |
 * | X25519  | `302a300506032b656e032100`, 32     | `302e020100300506032b656e04220420`, 32  |
 * | Ed448   | `3043300506032b6571033a00`, 57     | `3047020100300506032b6571043b0439`, 57  |
 *
 * Only these forms are taken, byte for byte. Ed448 is what the certificates of
 * other routers are signed with; WebCrypto has none, `node:crypto` has.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  sign as signWith,
  verify as verifyWith,
} from "node:crypto";
import { equalBytes, fromHex } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";
import { type Bytes, unreadable } from "./encoding.ts";
import { seal } from "./secretbox.ts";

/** A kind of key. */
export type KeyKind = "ed25519" | "ed448" | "x25519";

/** A public key. */
export interface PublicKey {
  /** What it can do. */
  readonly kind: KeyKind;
  /** Its SPKI form, as it goes over the line. */
  readonly der: Bytes;
}

/** A private key. */
export interface PrivateKey {
  /** What it can do. */
  readonly kind: KeyKind;
  /** Its PKCS #8 form, as descriptions have it: a secret. */
  readonly der: Bytes;
}

/** Both halves. */
export interface KeyPair {
  /** What others may know. */
  readonly publicKey: PublicKey;
  /** What they must not. */
  readonly privateKey: PrivateKey;
}

/** Bytes of a shared secret. */
export const SECRET_BYTES = 32;

/** Bytes of an authenticator: the tag and 64 bytes. */
export const AUTHENTICATOR_BYTES = 80;

/** Bytes of a nonce. */
export const NONCE_BYTES = 24;

/** Bytes of the signatures of a kind; `undefined` for keys that do not sign. */
export function signatureBytes(kind: KeyKind): number | undefined {
  return FORMS[kind].signature;
}

/** Makes a key pair. */
export function makeKeyPair(kind: KeyKind): KeyPair {
  // One overload a kind, and all three give the same.
  const { publicKey, privateKey } = generateKeyPairSync(kind as "ed25519");
  return {
    publicKey: {
      kind,
      der: ownBytes(publicKey.export({ format: "der", type: "spki" })),
    },
    privateKey: {
      kind,
      der: ownBytes(privateKey.export({ format: "der", type: "pkcs8" })),
    },
  };
}

/**
 * Reads a public key.
 *
 * @throws {SftpxError} `protocol`, when it is none of the forms above.
 */
export function readPublicKey(der: Uint8Array): PublicKey {
  return { kind: kindOf(der, "spki", "public key"), der: ownBytes(der) };
}

/**
 * Reads a private key.
 *
 * @throws {SftpxError} `protocol`, when it is none of the forms above.
 */
export function readPrivateKey(der: Uint8Array): PrivateKey {
  return { kind: kindOf(der, "pkcs8", "private key"), der: ownBytes(der) };
}

/** The bytes of a public key without what stands around them. */
export function rawPublicKey(key: PublicKey): Uint8Array {
  return key.der.subarray(FORMS[key.kind].spki.length);
}

/** The public half of a private key. */
export function publicOf(key: PrivateKey): PublicKey {
  const half = createPublicKey(privateObject(key));
  const der = half.export({ format: "der", type: "spki" });
  return { kind: key.kind, der: ownBytes(der) };
}

/**
 * Signs `message`.
 *
 * @throws {RangeError} when the key does not sign.
 */
export function sign(key: PrivateKey, message: Uint8Array): Bytes {
  if (signatureBytes(key.kind) === undefined) {
    throw new RangeError(`Cannot sign: ${key.kind} keys do not`);
  }
  return ownBytes(signWith(null, message, privateObject(key)));
}

/** Tells whether `signature` is the key's, over `message`. */
export function verify(
  key: PublicKey,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (signature.length !== signatureBytes(key.kind)) return false;
  try {
    return verifyWith(null, message, publicObject(key), signature);
  } catch {
    return false; // 32 bytes that are no point of the curve
  }
}

/**
 * Agrees on a secret.
 *
 * @throws {SftpxError} `protocol`, when the other's key is one that gives
 * everybody the same secret.
 */
export function sharedSecret(ours: PrivateKey, theirs: PublicKey): Bytes {
  if (ours.kind !== "x25519" || theirs.kind !== "x25519") {
    throw new RangeError(
      `Cannot agree on a secret with ${ours.kind} and ${theirs.kind}: both must be x25519`,
    );
  }
  let secret: Bytes;
  try {
    secret = ownBytes(diffieHellman({
      privateKey: privateObject(ours),
      publicKey: publicObject(theirs),
    }));
  } catch (cause) {
    throw weakKey(cause);
  }
  if (equalBytes(secret, new Uint8Array(SECRET_BYTES))) throw weakKey();
  return secret;
}

/**
 * Makes the authenticator of a message: the box of its SHA-512, which both
 * sides of `secret` can make and nobody else.
 *
 * @param corrId Becomes the nonce, cut or filled with zeros.
 */
export function makeAuthenticator(
  secret: Uint8Array,
  corrId: Uint8Array,
  authorized: Uint8Array,
): Bytes {
  const nonce = new Uint8Array(NONCE_BYTES);
  nonce.set(corrId.subarray(0, NONCE_BYTES));
  const hash = createHash("sha512").update(authorized).digest();
  return seal(secret, nonce, ownBytes(hash));
}

/** Tells whether `authenticator` is the one of a message, in equal time. */
export function checkAuthenticator(
  secret: Uint8Array,
  corrId: Uint8Array,
  authorized: Uint8Array,
  authenticator: Uint8Array,
): boolean {
  return equalBytes(
    makeAuthenticator(secret, corrId, authorized),
    authenticator,
  );
}

interface Form {
  readonly spki: Bytes;
  readonly pkcs8: Bytes;
  readonly size: number;
  readonly signature: number | undefined;
}

const FORMS: Readonly<Record<KeyKind, Form>> = {
  ed25519: {
    spki: hex("302a300506032b6570032100"),
    pkcs8: hex("302e020100300506032b657004220420"),
    size: 32,
    signature: 64,
  },
  x25519: {
    spki: hex("302a300506032b656e032100"),
    pkcs8: hex("302e020100300506032b656e04220420"),
    size: 32,
    signature: undefined,
  },
  ed448: {
    spki: hex("3043300506032b6571033a00"),
    pkcs8: hex("3047020100300506032b6571043b0439"),
    size: 57,
    signature: 114,
  },
};

const KINDS = Object.keys(FORMS) as KeyKind[];

function kindOf(
  der: Uint8Array,
  form: "spki" | "pkcs8",
  what: string,
): KeyKind {
  const found = KINDS.find((kind) => {
    const head = FORMS[kind][form];
    return der.length === head.length + FORMS[kind].size &&
      equalBytes(der.subarray(0, head.length), head);
  });
  if (found === undefined) {
    throw unreadable(what, "it is none of Ed25519, X25519 or Ed448");
  }
  return found;
}

function privateObject(key: PrivateKey): KeyObject {
  const der = Buffer.from(key.der);
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

function publicObject(key: PublicKey): KeyObject {
  const der = Buffer.from(key.der);
  return createPublicKey({ key: der, format: "der", type: "spki" });
}

function weakKey(cause?: unknown): SftpxError {
  return new SftpxError(
    "protocol",
    "Cannot agree on a secret: the key of the other side is one that is no secret",
    cause,
  );
}

/** As plain bytes: `node:crypto` gives views of a pool. */
function ownBytes(bytes: Uint8Array): Bytes {
  return new Uint8Array(bytes);
}

function hex(text: string): Bytes {
  const bytes = fromHex(text);
  if (bytes === undefined) throw new RangeError(`Cannot read hex "${text}"`);
  return bytes;
}
