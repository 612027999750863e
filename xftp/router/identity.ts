/**
 * Who a router is, on disk: a certificate that signs (its SHA-256 is what the
 * router is known by) and one that it signs, which TLS shows. The key of the
 * first is needed only to make another of the second: it is best kept elsewhere.
 *
 * | file          | holds                                  |
 * | ------------- | -------------------------------------- |
 * | `ca.crt`      | the identity certificate               |
 * | `ca.key`      | its key: a secret                      |
 * | `server.crt`  | the certificate of TLS                 |
 * | `server.key`  | its key: a secret                      |
 * | `fingerprint` | SHA-256 of the identity certificate    |
 *
 * @module
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { SftpxError } from "../../core/errors.ts";
import { type RandomBytes, systemRandomBytes } from "../../crypto/random.ts";
import { ioError } from "../../store/io_error.ts";
import { fileIn } from "../../store/own_path.ts";
import { readSecret, writeSecret } from "../../store/secrets.ts";
import { type PrivateKey, readPrivateKey } from "../keys.ts";
import { checkRouterChain, fingerprintOf } from "../router_proof.ts";
import type { TlsCredentials } from "./front.ts";
import { makeIdentityPair, makeLeaf } from "./identity_make.ts";
import type { RouterIdentity } from "./shake.ts";
import { base64 } from "./store_line.ts";

/** An identity, ready for use. */
export interface LoadedIdentity extends RouterIdentity {
  /** What TLS shows. */
  readonly tls: TlsCredentials;
  /** The key of the certificate of TLS. */
  readonly leafKey: PrivateKey;
  /** When that certificate ends. */
  readonly notAfter: Date;
}

/** What certificates are to say. */
export interface IdentityOptions {
  /** Names of the router, DNS and IP. */
  readonly hosts: readonly string[];
  readonly now: Date;
  /** @default {systemRandomBytes} */
  readonly random?: RandomBytes;
}

const FILES = Object.freeze({
  caCert: "ca.crt",
  caKey: "ca.key",
  cert: "server.crt",
  key: "server.key",
  fingerprint: "fingerprint",
});

/** All that an identity is made of. */
export const IDENTITY_FILES: readonly string[] = Object.values(FILES);

/**
 * Makes an identity in `dir`.
 *
 * @returns What it is known by.
 * @throws {SftpxError} `config`, when there is one already; `local-io`.
 */
export async function createIdentity(
  dir: string,
  options: IdentityOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const made = await makeIdentityPair({
    random: systemRandomBytes,
    ...options,
  });
  // In this order: what was cut off has no fingerprint, and is no identity.
  for (
    const [name, content] of [
      [FILES.caKey, made.caKey],
      [FILES.caCert, made.caCert],
      [FILES.key, made.key],
      [FILES.cert, made.cert],
      [FILES.fingerprint, `${base64(made.keyHash)}\n`],
    ] as const
  ) {
    const place = fileIn(dir, name);
    if (await writeSecret(place, content) === "kept") {
      throw new SftpxError(
        "config",
        `Cannot make identity: "${place}" is there already`,
      );
    }
  }
  return made.keyHash;
}

/**
 * Makes another certificate of TLS, with a key of its own, signed by the
 * identity in `dir`.
 *
 * @throws {SftpxError} `config`, when the identity's key is not there.
 */
export async function renewLeaf(
  dir: string,
  options: IdentityOptions,
): Promise<void> {
  const caCert = await readText(fileIn(dir, FILES.caCert));
  const caKey = new TextDecoder().decode(
    await readSecret(fileIn(dir, FILES.caKey), "key"),
  );
  const made = await makeLeaf({ caCert, caKey }, {
    random: systemRandomBytes,
    ...options,
  });
  await writeSecret(fileIn(dir, FILES.key), made.key, { force: true });
  await writeSecret(fileIn(dir, FILES.cert), made.cert, { force: true });
}

/**
 * Reads the identity in `dir`, and makes sure that it is whole.
 *
 * @throws {SftpxError} `config`.
 */
export async function loadIdentity(
  dir: string,
  now: Date,
): Promise<LoadedIdentity> {
  const fail = (reason: string, cause?: unknown): SftpxError =>
    new SftpxError(
      "config",
      `Cannot use router's identity in "${dir}": ${reason}`,
      cause,
    );
  const caCert = await readText(fileIn(dir, FILES.caCert));
  const cert = await readText(fileIn(dir, FILES.cert));
  const said = (await readText(fileIn(dir, FILES.fingerprint))).trim();
  const key = new TextDecoder().decode(
    await readSecret(fileIn(dir, FILES.key), "key"),
  );
  const [leaf, identity] = [derOf(cert), derOf(caCert)];
  if (leaf === undefined || identity === undefined) {
    throw fail("a certificate is not in PEM form");
  }
  const keyHash = fingerprintOf(identity);
  if (said.replace(/=+$/, "") !== base64(keyHash).replace(/=+$/, "")) {
    throw fail("the fingerprint is of another certificate");
  }
  try {
    const leafKey = readPrivateKey(derOf(key) ?? new Uint8Array(0));
    checkRouterChain([leaf, identity], { keyHash, now });
    const certificate = new X509Certificate(leaf);
    if (!certificate.checkPrivateKey(createPrivateKey(key))) {
      throw fail("the key does not belong to the certificate");
    }
    if (leafKey.kind !== "ed25519") {
      throw fail("its key must be Ed25519, as the platform's TLS has no other");
    }
    return {
      certificates: [leaf, identity],
      keyHash,
      leafKey,
      tls: { cert: `${cert.trim()}\n${caCert.trim()}\n`, key },
      notAfter: new Date(certificate.validTo),
    };
  } catch (error) {
    if (!(error instanceof SftpxError) || error.code === "config") throw error;
    throw fail(error.message.replace(/^Cannot /, "cannot "), error);
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    const { message } = ioError(`read "${path}"`, error);
    throw new SftpxError("config", message, error);
  }
}

/** The bytes of the first block of a PEM text. */
function derOf(pem: string): Uint8Array<ArrayBuffer> | undefined {
  const [, body] = /-----BEGIN [A-Z ]+-----([A-Za-z0-9+/=\s]+)-----END/
    .exec(pem) ?? [];
  if (body === undefined) return undefined;
  try {
    return Uint8Array.fromBase64(body);
  } catch {
    return undefined; // the caller says what was to be there
  }
}
