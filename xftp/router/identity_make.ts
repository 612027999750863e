/**
 * Makes the certificates of a router: Ed25519, as clients expect it.
 *
 * @module
 */
import { isIP } from "node:net";
import { SftpxError } from "../../core/errors.ts";
import type { RandomBytes } from "../../crypto/random.ts";
import { fingerprintOf } from "../router_proof.ts";

/** What certificates are to say. */
export interface MakeOptions {
  /** Names of the router, DNS and IP. */
  readonly hosts: readonly string[];
  readonly now: Date;
  readonly random: RandomBytes;
}

/** A certificate and its key, PEM. */
export interface MadeLeaf {
  readonly cert: string;
  /** A secret. */
  readonly key: string;
}

/** Both certificates and both keys, PEM. */
export interface MadeIdentity extends MadeLeaf {
  readonly caCert: string;
  /** A secret. */
  readonly caKey: string;
  /** SHA-256 of the identity certificate. */
  readonly keyHash: Uint8Array<ArrayBuffer>;
}

const DAY_MS = 86_400_000;
/** The fingerprint is the trust: an end that comes sooner adds no safety. */
const VALID_DAYS = 36_500;
const ED25519 = { name: "Ed25519" };

/** Makes an identity and a certificate that it has signed. */
export async function makeIdentityPair(
  options: MakeOptions,
): Promise<MadeIdentity> {
  const x509 = await load();
  const keys = await makeKeys();
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(options.random),
    name: "CN=SFTPX router identity, O=SFTPX",
    ...dates(options.now),
    keys,
    signingAlgorithm: ED25519,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const caCert = `${made.toString("pem")}\n`;
  const caKey = await keyPem(keys.privateKey);
  const leaf = await makeLeaf({ caCert, caKey }, options);
  return {
    ...leaf,
    caCert,
    caKey,
    keyHash: fingerprintOf(new Uint8Array(made.rawData)),
  };
}

/**
 * Makes a certificate for TLS.
 *
 * @throws {SftpxError} `config`, when the identity cannot be used.
 */
export async function makeLeaf(
  identity: { readonly caCert: string; readonly caKey: string },
  options: MakeOptions,
): Promise<MadeLeaf> {
  const x509 = await load();
  const keys = await makeKeys();
  let issuer: InstanceType<typeof x509.X509Certificate>;
  let signingKey: CryptoKey;
  try {
    issuer = new x509.X509Certificate(identity.caCert);
    signingKey = await crypto.subtle.importKey(
      "pkcs8",
      x509.PemConverter.decodeFirst(identity.caKey),
      ED25519,
      false,
      ["sign"],
    );
  } catch { // without the cause, which has seen the key
    throw new SftpxError(
      "config",
      "Cannot make certificate: the identity's certificate or key is not Ed25519 in PEM form",
    );
  }
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: serial(options.random),
    subject: "CN=SFTPX router",
    issuer: issuer.subject,
    ...dates(options.now),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: ED25519,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.digitalSignature |
          x509.KeyUsageFlags.nonRepudiation | x509.KeyUsageFlags.keyAgreement,
        true,
      ),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        [...new Set(["localhost", "127.0.0.1", "::1", ...options.hosts])]
          .map((value) => ({
            type: isIP(value) === 0 ? "dns" as const : "ip" as const,
            value,
          })),
      ),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  return {
    cert: `${made.toString("pem")}\n`,
    key: await keyPem(keys.privateKey),
  };
}

/** Loaded when it is needed, as a router's start does not. */
async function load(): Promise<typeof import("@peculiar/x509")> {
  await import("reflect-metadata");
  return await import("@peculiar/x509");
}

async function makeKeys(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(ED25519, true, [
    "sign",
    "verify",
  ]) as CryptoKeyPair;
}

async function keyPem(key: CryptoKey): Promise<string> {
  const der = new Uint8Array(await crypto.subtle.exportKey("pkcs8", key));
  const lines = der.toBase64().match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${
    lines.join("\n")
  }\n-----END PRIVATE KEY-----\n`;
}

function dates(now: Date): { notBefore: Date; notAfter: Date } {
  return {
    notBefore: new Date(now.getTime() - DAY_MS),
    notAfter: new Date(now.getTime() + VALID_DAYS * DAY_MS),
  };
}

/** 16 bytes that read as a positive number and do not begin with zero. */
function serial(random: RandomBytes): string {
  const bytes = random(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f | 0x40;
  return bytes.toHex();
}
