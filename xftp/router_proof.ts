/**
 * Who a router is: what its certificates and its hello prove, to a client that
 * knows the SHA-256 of its identity certificate. The names in certificates
 * prove nothing here, as the hash is the name.
 *
 * @module
 */
import { createHash, X509Certificate } from "node:crypto";
import { concatBytes, equalBytes } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";
import { DER, readSequence } from "./der.ts";
import { unreadable } from "./encoding.ts";
import {
  commonVersion,
  OUR_VERSIONS,
  readSignedKey,
  type RouterHello,
} from "./handshake.ts";
import { type PublicKey, readPublicKey, verify } from "./keys.ts";

/** What a client knows before, and what it asked. */
export interface RouterExpectation {
  /** SHA-256 of the router's identity certificate. */
  readonly keyHash: Uint8Array;
  /** The challenge of the hello. */
  readonly challenge: Uint8Array;
  /** Judges the certificates' dates. */
  readonly now: Date;
}

/** A router that has proved who it is. */
export interface ProvenRouter {
  /** The latest version that both speak. */
  readonly version: number;
  /** What every transmission is bound to. */
  readonly sessionId: Uint8Array;
  /** The router's key for authenticators, made for this session. */
  readonly key: PublicKey;
}

/**
 * Checks a hello: that the certificates lead to the one that is expected, and
 * that the leaf has signed our challenge and the key.
 *
 * @throws {SftpxError} `unauthorized`, when it is another router; `protocol`.
 */
export function checkRouterHello(
  hello: RouterHello,
  expected: RouterExpectation,
): ProvenRouter {
  const leaf = checkRouterChain(hello.certificates, expected);
  const proven = concatBytes(expected.challenge, hello.sessionId);
  if (!verify(leaf, proven, hello.proof)) {
    throw stranger("it has not signed our challenge");
  }
  const { key, signed, signature } = readSignedKey(hello.signedKey);
  if (!verify(leaf, signed, signature)) {
    throw stranger("it has not signed its key");
  }
  const version = commonVersion(OUR_VERSIONS, hello.versions);
  if (version === undefined) {
    throw new SftpxError(
      "protocol",
      `Cannot speak with router: it has versions ${hello.versions.min} to ${hello.versions.max}, we have ${OUR_VERSIONS.min} to ${OUR_VERSIONS.max}`,
    );
  }
  return { version, sessionId: hello.sessionId, key };
}

/**
 * Checks a chain of DER certificates: the second is the expected one, and has
 * signed the first.
 *
 * @returns The key of the first, if it is one that signs.
 * @throws {SftpxError} `unauthorized` or `protocol`.
 */
export function checkRouterChain(
  chain: readonly Uint8Array[],
  expected: Pick<RouterExpectation, "keyHash" | "now">,
): PublicKey {
  const [leaf, identity] = chain;
  if (leaf === undefined || identity === undefined || chain.length > 4) {
    throw unreadable(
      "certificates of router",
      `there are ${chain.length} and must be 2 to 4`,
    );
  }
  if (!equalBytes(fingerprintOf(identity), expected.keyHash)) {
    throw stranger("its certificate is not the one of the address");
  }
  checkIssued(leaf, identity, expected.now);
  return publicKeyOf(leaf);
}

/** What a certificate is known by. */
export function fingerprintOf(der: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha256").update(der).digest());
}

/**
 * The key of a certificate.
 *
 * @throws {SftpxError} `protocol`, when it is neither Ed25519 nor Ed448.
 */
export function publicKeyOf(der: Uint8Array): PublicKey {
  const [body] = readSequence(der, CERTIFICATE);
  const parts = readSequence(body?.whole ?? EMPTY, CERTIFICATE);
  // version, which may be missing, then serial, algorithm, issuer, dates, subject
  const at = parts[0]?.tag === DER.version ? 6 : 5;
  return readPublicKey(parts[at]?.whole ?? EMPTY);
}

function checkIssued(
  leaf: Uint8Array,
  identity: Uint8Array,
  now: Date,
): void {
  const [body, , bits] = readSequence(leaf, CERTIFICATE);
  const signature = bits?.content.subarray(1) ?? EMPTY;
  const issuer = publicKeyOf(identity);
  if (body === undefined || !verify(issuer, body.whole, signature)) {
    throw stranger("its certificate was not made by the one of the address");
  }
  for (const der of [leaf, identity]) {
    let dates: [Date, Date];
    try {
      const { validFrom, validTo } = new X509Certificate(der);
      dates = [new Date(validFrom), new Date(validTo)];
    } catch (cause) {
      throw unreadable(CERTIFICATE, "it is damaged", cause);
    }
    if (!(dates[0] <= now && now <= dates[1])) {
      throw stranger("its certificate is not valid at this time");
    }
  }
}

function stranger(reason: string): SftpxError {
  return new SftpxError("unauthorized", `Cannot trust router: ${reason}`);
}

const CERTIFICATE = "certificate of router";
const EMPTY = new Uint8Array(0);
