/**
 * The files that an identity is in, and what a sender reads of them.
 *
 * @module
 */
import { type Secret, secret } from "../core/secret.ts";
import { certificateFingerprint } from "../crypto/certificate_pem.ts";
import { quoted } from "../store/paths.ts";
import { parseToken } from "../store/secrets.ts";
import { readIfThere, readSecretIfThere } from "./own_files.ts";

/** Where they are when nothing else is said. */
export const DEFAULT_CERTS = "certs";

/** The files of the identity in `certs`. */
export function filesOf(
  certs: string,
): Readonly<Record<"cert" | "key" | "token", string>> {
  return {
    cert: `${certs}/cert.pem`,
    key: `${certs}/key.pem`,
    token: `${certs}/token`,
  };
}

/**
 * Reads the certificate of a receiver, to know it by.
 *
 * @throws {SftpxError} "config" when it is not there or no certificate.
 */
export async function readPeerCertificate(
  path: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const pem = await readIfThere(path);
  return pem === undefined
    ? undefined
    : await certificateFingerprint(pem, certificateNamed(path));
}

/**
 * Reads a file that holds a token; `undefined` when there is none.
 *
 * @throws {SftpxError} "config" when it is no token, or others may read it.
 */
export async function readToken(path: string): Promise<Secret | undefined> {
  const text = await readSecretIfThere(path, "token");
  return text && secret(parseToken(text, `token ${quoted(path)}`));
}

/** What errors call the certificate in `path`. */
export function certificateNamed(path: string): string {
  return `certificate ${quoted(path)}`;
}
