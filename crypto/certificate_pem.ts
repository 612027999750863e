/**
 * A certificate's text, and the fingerprint that a peer is known by. This is all
 * that a sender needs of certificates; the rest of them takes 20 ms to load.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";

/** A certificate and its key are a few hundred bytes; a chain is a few thousand. */
const LARGEST_PEM = 65_536;

/** A certificate block; what stands around it is nobody's business. */
const CERTIFICATE_BLOCK =
  /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g;

/**
 * The DER of the one certificate in `pem`. Of what it says nothing is looked at
 * but that it is whole.
 *
 * @param pem What a person or a file gave.
 * @param what What errors are to call it: `certificate "certs/cert.pem"`.
 * @throws {SftpxError} `config`, when it is not one certificate, whole.
 */
export function certificateDer(
  pem: string,
  what = "certificate",
): Uint8Array<ArrayBuffer> {
  const fail = (reason: string, cause?: unknown): SftpxError =>
    new SftpxError("config", `Cannot read ${what}: ${reason}`, cause);
  if (pem.length > LARGEST_PEM) throw fail("it is larger than 64 KiB");
  const blocks = [...pem.matchAll(CERTIFICATE_BLOCK)];
  const [block] = blocks;
  if (block === undefined) {
    throw fail(
      /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)
        ? "it is a private key, not a certificate"
        : "it holds no certificate in PEM form",
    );
  }
  if (blocks.length > 1) {
    throw fail(`it holds ${blocks.length} certificates and must hold one`);
  }
  try {
    const der = Uint8Array.fromBase64(block[1] ?? "", {
      lastChunkHandling: "strict",
    });
    checkShape(der);
    return der;
  } catch (cause) {
    throw fail("it is damaged", cause);
  }
}

/**
 * What the certificate in `pem` is known by: SHA-256 of it, 32 bytes.
 *
 * @throws {SftpxError} As {@linkcode certificateDer} does.
 */
export async function certificateFingerprint(
  pem: string,
  what?: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const der = certificateDer(pem, what);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", der));
}

const SEQUENCE = 0x30;
const BIT_STRING = 0x03;

/** What it says, how that is signed, and the signature; nothing after it, which a handshake would refuse. */
function checkShape(der: Uint8Array): void {
  const [whole, ...others] = valuesOf(der);
  if (whole?.tag !== SEQUENCE || others.length > 0) {
    throw new Error("it is not one sequence");
  }
  const tags = valuesOf(whole.content).map(({ tag }) => tag);
  if (tags.join() !== [SEQUENCE, SEQUENCE, BIT_STRING].join()) {
    throw new Error("it is no certificate");
  }
}

/** The values that fill `bytes`, one after the other. */
function valuesOf(
  bytes: Uint8Array,
): { readonly tag: number; readonly content: Uint8Array }[] {
  const values = [];
  for (let at = 0; at < bytes.length;) {
    const [tag = 0, first = 0] = bytes.subarray(at);
    const more = first < 0x80 ? 0 : first & 0x7f;
    const start = at + 2 + more;
    const length = more === 0
      ? first
      : bytes.subarray(at + 2, start).reduce((sum, it) => sum * 256 + it, 0);
    at = start + length;
    if (at > bytes.length) throw new Error("it ends early");
    values.push({ tag, content: bytes.subarray(start, at) });
  }
  return values;
}
