/**
 * Who a receiver is: certificate, key and token in one folder.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { type Secret, secret } from "../core/secret.ts";
import {
  checkCertificateDates,
  checkKeyPair,
  type MadeCertificate,
  makeCertificate,
  readCertificate,
} from "../crypto/certificate.ts";
import { TOKEN_LENGTH } from "../crypto/proof.ts";
import { systemRandomBytes } from "../crypto/random.ts";
import { ioError } from "../store/io_error.ts";
import { quoted } from "../store/paths.ts";
import { formatToken, writeSecret } from "../store/secrets.ts";
import { hinted } from "./hint.ts";
import {
  certificateNamed,
  DEFAULT_CERTS,
  filesOf,
  readToken,
} from "./identity_files.ts";
import { readIfThere, readSecretIfThere } from "./own_files.ts";

export { DEFAULT_CERTS };

/** What a receiver shows, and what it keeps. */
export interface Identity {
  /** PEM. */
  readonly cert: string;
  /** PEM: a secret. */
  readonly key: Secret;
  /** SHA-256 of the certificate, 32 bytes. */
  readonly fingerprint: Uint8Array<ArrayBuffer>;
  /** None in a folder without one. */
  readonly token: Secret | undefined;
}

/** What a new identity says. */
export interface IdentityOptions {
  readonly ips: readonly string[];
  readonly dns: readonly string[];
  readonly days?: number | undefined;
  /** Replaces what is there. */
  readonly force: boolean;
  readonly now: Date;
}

/**
 * Reads the identity in `certs`; `undefined` when there is neither certificate
 * nor key.
 *
 * @throws {SftpxError} "config" when it is not usable.
 */
export async function readIdentity(
  certs: string,
  now: Date,
): Promise<Identity | undefined> {
  const files = filesOf(certs);
  const cert = await readIfThere(files.cert);
  const key = await readSecretIfThere(files.key, "key");
  if (cert === undefined && key === undefined) {
    return undefined;
  }
  if (cert === undefined || key === undefined) {
    const [there, missing] = cert === undefined
      ? [files.key, files.cert]
      : [files.cert, files.key];
    throw hinted(
      new SftpxError(
        "config",
        `Cannot use ${quoted(there)}: there is no ${quoted(missing)}`,
      ),
      "sftpx init --force makes both anew",
    );
  }
  const certificate = readCertificate(cert, now, certificateNamed(files.cert));
  checkCertificateDates(certificate, now, certificateNamed(files.cert));
  checkKeyPair(
    certificate,
    new TextDecoder().decode(key),
    `key ${quoted(files.key)}`,
  );
  return {
    cert,
    key: secret(key),
    fingerprint: certificate.fingerprint,
    token: await readToken(files.token),
  };
}

/**
 * Makes what is missing in `certs`, or with `force` everything.
 *
 * @returns The identity, and the files that are new.
 */
export async function makeIdentity(
  certs: string,
  options: IdentityOptions,
): Promise<{ readonly identity: Identity; readonly made: readonly string[] }> {
  const { force, now } = options;
  const files = filesOf(certs);
  const made: string[] = [];
  const before = force ? undefined : await readIdentity(certs, now);
  if (before === undefined) {
    const fresh = await freshCertificate(options);
    await writeSecret(files.key, fresh.key, { force });
    await writePublic(files.cert, fresh.cert);
    made.push(files.cert, files.key);
  }
  if (force || await readToken(files.token) === undefined) {
    const token = formatToken(systemRandomBytes(TOKEN_LENGTH));
    await writeSecret(files.token, token, { force });
    made.push(files.token);
  }
  const identity = await readIdentity(certs, now);
  if (identity === undefined) {
    throw new SftpxError("config", `Cannot use ${quoted(certs)}: it is empty`);
  }
  return { identity, made };
}

/** A name that is none is the fault of who typed it. */
async function freshCertificate(
  { ips, dns, days, now }: IdentityOptions,
): Promise<MadeCertificate> {
  try {
    const options = { ips, dns, now };
    return await makeCertificate(days ? { ...options, days } : options);
  } catch (error) {
    throw error instanceof RangeError
      ? new SftpxError("usage", error.message.replace(" as ", ": "), error)
      : error;
  }
}

async function writePublic(path: string, text: string): Promise<void> {
  try {
    await Deno.writeTextFile(path, text, { mode: 0o644 });
  } catch (error) {
    throw ioError(`write ${quoted(path)}`, error);
  }
}
