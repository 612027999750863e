/**
 * The hellos of XFTP, as both sides write and read them.
 *
 * 1. The client says hello with an empty body, or (as programs in browsers do,
 *    who cannot see the TLS session) with a block that holds a challenge.
 * 2. The router answers with a block: versions, session id, its certificates,
 *    a key for authenticators, and a signature over challenge and session id.
 * 3. The client answers with a block: the version, and whom it takes the router
 *    to be.
 * 4. The router answers with nothing.
 *
 * | hello of the router | bytes                                                        |
 * | ------------------- | ------------------------------------------------------------ |
 * | versions            | 2 and 2: the least and the most                              |
 * | session id          | short string                                                 |
 * | certificates        | list of large strings, DER: leaf, identity, up to two others |
 * | signed key          | large string, DER                                            |
 * | proof               | short string, empty when there was no challenge              |
 *
 * What stands after these is ignored in every hello: it is of a later version.
 *
 * @module
 */
import { concatBytes, equalBytes } from "../core/bytes.ts";
import { padBlock, unpadBlock } from "./block.ts";
import { DER, readSequence, writeDer } from "./der.ts";
import {
  type Bytes,
  createReader,
  large,
  maybe,
  nonEmpty,
  shortString,
  unreadable,
  word16,
} from "./encoding.ts";
import {
  type KeyKind,
  type PrivateKey,
  type PublicKey,
  readPublicKey,
  sign,
} from "./keys.ts";

/** A range of versions of the protocol. */
export interface VersionRange {
  /** The least. */
  readonly min: number;
  /** The most. */
  readonly max: number;
}

/** The versions that we speak: 2 has authenticators, 3 has BLOCKED. */
export const OUR_VERSIONS: VersionRange = Object.freeze({ min: 1, max: 3 });

/** The version of those who shake no hands. */
export const LEGACY_VERSION = 1;

/** Bytes of a challenge. */
export const CHALLENGE_BYTES = 32;

/** Bytes of the hash that a router is known by. */
export const KEY_HASH_BYTES = 32;

/** The header that marks a hello of a program in a browser. */
export const WEB_HELLO_HEADER = "xftp-web-hello";

/** The header that marks the client's second block. */
export const HANDSHAKE_HEADER = "xftp-handshake";

/** What the router says of itself. */
export interface RouterHello {
  /** The versions that it speaks. */
  readonly versions: VersionRange;
  /** What every transmission is bound to. */
  readonly sessionId: Uint8Array;
  /** DER: leaf, identity, and up to two others. */
  readonly certificates: readonly Uint8Array[];
  /** Its key for authenticators, signed by the leaf. */
  readonly signedKey: Uint8Array;
  /** The leaf's signature over challenge and session id, or empty. */
  readonly proof: Uint8Array;
}

/** What the client answers. */
export interface ClientHandshake {
  /** The version from now on. */
  readonly version: number;
  /** SHA-256 of the identity certificate that it expects. */
  readonly keyHash: Uint8Array;
}

/** A key that another key has signed. */
export interface SignedKey {
  /** The key. */
  readonly key: PublicKey;
  /** What the signature is over. */
  readonly signed: Uint8Array;
  /** What kind of key has signed. */
  readonly kind: KeyKind;
  /** The signature. */
  readonly signature: Uint8Array;
}

/** Writes the client's first block, with the challenge if there is one. */
export function encodeWebHello(challenge?: Uint8Array): Bytes {
  return padBlock(
    maybe(challenge === undefined ? undefined : shortString(challenge)),
  );
}

/**
 * Reads the client's first block.
 *
 * @returns The challenge, if there is one.
 * @throws {SftpxError} `protocol`, also when it has not 32 bytes.
 */
export function decodeWebHello(block: Uint8Array): Uint8Array | undefined {
  const reader = createReader(unpadBlock(block), "hello");
  return reader.maybe(() => {
    const challenge = reader.shortString();
    if (challenge.length !== CHALLENGE_BYTES) {
      throw unreadable("hello", `its challenge has ${challenge.length} bytes`);
    }
    return challenge;
  });
}

/** Writes the router's hello as a block. */
export function encodeRouterHello(hello: RouterHello): Bytes {
  return padBlock(concatBytes(
    word16(hello.versions.min),
    word16(hello.versions.max),
    shortString(hello.sessionId),
    nonEmpty(hello.certificates.map((certificate) => large(certificate))),
    large(hello.signedKey),
    shortString(hello.proof),
  ));
}

/**
 * Reads the router's hello. Nothing of it is proven: `checkRouterHello()`.
 *
 * @throws {SftpxError} `protocol`, when it is none.
 */
export function decodeRouterHello(block: Uint8Array): RouterHello {
  const reader = createReader(unpadBlock(block), "router hello");
  const versions = { min: reader.word16(), max: reader.word16() };
  if (versions.min > versions.max) {
    throw unreadable("router hello", "its least version is above its most");
  }
  return {
    versions,
    sessionId: reader.shortString(),
    certificates: reader.nonEmpty(() => reader.large()),
    signedKey: reader.large(),
    proof: reader.shortString(),
  };
}

/** Writes the client's second block. */
export function encodeClientHandshake(handshake: ClientHandshake): Bytes {
  return padBlock(
    concatBytes(word16(handshake.version), shortString(handshake.keyHash)),
  );
}

/**
 * Reads the client's second block.
 *
 * @throws {SftpxError} `protocol`, when it is none.
 */
export function decodeClientHandshake(block: Uint8Array): ClientHandshake {
  const reader = createReader(unpadBlock(block), "client handshake");
  return { version: reader.word16(), keyHash: reader.shortString() };
}

/** The latest version that both speak; `undefined` if there is none. */
export function commonVersion(
  ours: VersionRange,
  theirs: VersionRange,
): number | undefined {
  const version = Math.min(ours.max, theirs.max);
  return version >= Math.max(ours.min, theirs.min) ? version : undefined;
}

/**
 * Signs a key. It is wrapped in one sequence more than X.509 has it: that is
 * how the routers that are out there sign it, and what is signed.
 */
export function signKey(key: PublicKey, signer: PrivateKey): Bytes {
  const signed = writeDer(DER.sequence, key.der);
  return writeDer(
    DER.sequence,
    signed,
    algorithm(signer.kind),
    writeDer(DER.bitString, Uint8Array.of(0), sign(signer, signed)),
  );
}

/**
 * Reads a signed key, wrapped or plain.
 *
 * @throws {SftpxError} `protocol`, when it is none.
 */
export function readSignedKey(der: Uint8Array): SignedKey {
  const what = "signed key";
  const [object, signer, bits, ...others] = readSequence(der, what);
  if (
    object === undefined || signer === undefined || bits === undefined ||
    others.length > 0 || bits.tag !== DER.bitString || bits.content[0] !== 0
  ) {
    throw unreadable(what, "it is not a key, an algorithm and a signature");
  }
  const kind = (["ed25519", "ed448"] as const).find((name) =>
    equalBytes(signer.whole, algorithm(name))
  );
  if (kind === undefined) {
    throw unreadable(what, "its algorithm is neither Ed25519 nor Ed448");
  }
  const inner = readSequence(object.whole, what);
  const isWrapped = inner.length === 1;
  const key = readPublicKey(isWrapped ? object.content : object.whole);
  if (key.kind !== "x25519") {
    throw unreadable(what, `it is ${key.kind} and must be x25519`);
  }
  return {
    key,
    signed: object.whole,
    kind,
    signature: bits.content.subarray(1),
  };
}

function algorithm(kind: KeyKind): Bytes {
  const last = kind === "ed448" ? 0x71 : 0x70;
  return writeDer(
    DER.sequence,
    writeDer(DER.oid, Uint8Array.of(0x2b, 0x65, last)),
  );
}
