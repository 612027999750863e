/**
 * The receiver's certificate. A sender knows the one certificate that it is to
 * meet by its fingerprint, the SHA-256 of the certificate's DER, so nobody signs
 * it but itself. Its names are for other programs; its dates are not: QUIC's
 * handshake refuses a pinned certificate that has expired or is not valid yet.
 *
 * @module
 */
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { SftpxError } from "../core/errors.ts";
import { certificateDer } from "./certificate_pem.ts";
import { type RandomBytes, systemRandomBytes } from "./random.ts";

/** What a certificate is to say. */
export interface CertificateOptions {
  /** IP addresses besides 127.0.0.1 and ::1. @default {[]} */
  readonly ips?: readonly string[];
  /** Names besides localhost; `*.` may lead. @default {[]} */
  readonly dns?: readonly string[];
  /** Days that it is valid from `now`, 1 to 36500. @default {3650} */
  readonly days?: number;
  /** What its dates count from. */
  readonly now: Date;
  /** Gives the serial number; the key comes from the system in any case. @default {systemRandomBytes} */
  readonly random?: RandomBytes;
}

/**
 * What is not said is so. Ten years: the fingerprint is the trust, so an end
 * that comes sooner adds no safety, and is a morning on which nothing works.
 */
export const DEFAULT_CERTIFICATE_OPTIONS: Readonly<
  Required<Omit<CertificateOptions, "now">>
> = Object.freeze({ ips: [], dns: [], days: 3650, random: systemRandomBytes });

/** A new certificate and its key. */
export interface MadeCertificate {
  /** PEM. */
  readonly cert: string;
  /** PEM, PKCS #8: a secret. */
  readonly key: string;
  /** SHA-256 of the certificate, 32 bytes. */
  readonly fingerprint: Uint8Array<ArrayBuffer>;
}

/** What a certificate says. */
export interface Certificate {
  /** What is signed and pinned, byte for byte. */
  readonly der: Uint8Array<ArrayBuffer>;
  /** SHA-256 of the certificate, 32 bytes. */
  readonly fingerprint: Uint8Array<ArrayBuffer>;
  /** The first moment at which it is valid. */
  readonly notBefore: Date;
  /** The last. */
  readonly notAfter: Date;
  /** Whether its time was over at the `now` that it was read with. */
  readonly expired: boolean;
}

const DAY_MS = 86_400_000;

/**
 * Makes a certificate that is signed by itself: ECDSA P-256, no CA, for servers.
 * It is valid from a day before `now`, as the clocks of two machines differ.
 */
export async function makeCertificate(
  options: CertificateOptions,
): Promise<MadeCertificate> {
  const { ips, dns, days, now, random } = {
    ...DEFAULT_CERTIFICATE_OPTIONS,
    ...options,
  };
  checkNames(ips, dns);
  if (!Number.isInteger(days) || days < 1 || days > 36_500) {
    throw new RangeError(
      `Cannot make certificate as days must be an integer in 1..36500: current value is ${days}`,
    );
  }
  // Loaded here, as most runs make no certificate and it takes a tenth of a second.
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const keys = await crypto.subtle.generateKey(
    { name: "ECDSA", namedCurve: "P-256" },
    true,
    ["sign", "verify"],
  );
  const names = [
    ...new Set(["localhost", ...dns].map((name) => name.toLowerCase())),
  ].map((value) => ({ type: "dns" as const, value }));
  const addresses = [...new Set(["127.0.0.1", "::1", ...ips])]
    .map((value) => ({ type: "ip" as const, value }));
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(random),
    name: "CN=SFTPX receiver",
    notBefore: new Date(now.getTime() - DAY_MS),
    notAfter: new Date(now.getTime() + days * DAY_MS),
    keys,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([...names, ...addresses]),
    ],
  });
  const key = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    cert: `${made.toString("pem")}\n`,
    key: `${x509.PemConverter.encode(key, "PRIVATE KEY")}\n`,
    fingerprint: sha256(new Uint8Array(made.rawData)),
  };
}

/**
 * Reads one certificate.
 *
 * @param pem What a person or a file gave.
 * @param now What `expired` is judged by.
 * @param what What errors are to call it: `certificate "certs/cert.pem"`.
 * @throws {SftpxError} `config`, when it is not one certificate, whole.
 */
export function readCertificate(
  pem: string,
  now: Date,
  what = "certificate",
): Certificate {
  const der = certificateDer(pem, what);
  try {
    const { validFrom, validTo } = parse(der);
    return {
      der,
      fingerprint: sha256(der),
      notBefore: validFrom,
      notAfter: validTo,
      expired: now > validTo,
    };
  } catch (cause) {
    throw new SftpxError("config", `Cannot read ${what}: it is damaged`, cause);
  }
}

/**
 * Makes sure that a handshake would accept the dates of `certificate`.
 *
 * @throws {SftpxError} `config`, when its time is over or has not come.
 */
export function checkCertificateDates(
  certificate: Certificate,
  now: Date,
  what = "certificate",
): void {
  const { notBefore, notAfter } = certificate;
  if (now > notAfter) {
    throw new SftpxError(
      "config",
      `Cannot use ${what}: it has expired, on ${day(notAfter)}`,
    );
  }
  if (now < notBefore) {
    throw new SftpxError(
      "config",
      `Cannot use ${what}: it is valid from ${
        day(notBefore)
      } and this machine's clock says ${day(now)}`,
    );
  }
}

/**
 * Makes sure that `keyPem` is the private key of `certificate`: a set-up that
 * was interrupted, or files that were mixed, must not be found by the peers.
 *
 * @throws {SftpxError} `config`, when it is another key or none.
 */
export function checkKeyPair(
  certificate: Certificate,
  keyPem: string,
  what = "key",
): void {
  const fail = (reason: string): SftpxError =>
    new SftpxError("config", `Cannot use ${what}: ${reason}`);
  let matches: boolean;
  try {
    const key = createPrivateKey(keyPem);
    matches = new X509Certificate(certificate.der).checkPrivateKey(key);
  } catch { // without the cause, which has seen the key
    throw fail("it is not a private key in PEM form without a passphrase");
  }
  if (!matches) throw fail("it does not belong to the certificate");
}

/** What may stand in a certificate as a host's name. */
const DNS_NAME =
  /^(?=.{1,253}$)(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/i;

function checkNames(ips: readonly string[], dns: readonly string[]): void {
  for (const ip of ips) {
    if (isIP(ip) === 0 || ip.includes("%")) {
      throw new RangeError(
        `Cannot make certificate as ${JSON.stringify(ip)} is no IP address`,
      );
    }
  }
  for (const name of dns) {
    if (!DNS_NAME.test(name) || isIP(name) !== 0) {
      throw new RangeError(
        `Cannot make certificate as ${JSON.stringify(name)} is no host name`,
      );
    }
  }
}

/** 16 bytes that read as a positive number and do not begin with zero. */
function serialNumber(random: RandomBytes): string {
  const serial = random(16);
  serial[0] = (serial[0] ?? 0) & 0x7f | 0x40;
  return serial.toHex();
}

function parse(der: Uint8Array): { validFrom: Date; validTo: Date } {
  const { validFrom, validTo } = new X509Certificate(der);
  const dates = { validFrom: new Date(validFrom), validTo: new Date(validTo) };
  if (Number.isNaN(dates.validFrom.getTime() + dates.validTo.getTime())) {
    throw new Error("dates that are no dates");
  }
  return dates;
}

function sha256(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}
