/**
 * Makes sure that the one at the other end of a TCP connection is the one whose
 * certificate is pinned, by the SHA-256 of its DER.
 *
 * The platform has no call for that, so three checks stand together:
 *
 * 1. The certificate is fetched once, over a connection that nothing is written
 *    to, or was said over another carrier, and is only used if its SHA-256 is the
 *    pinned one. So it need not matter who gave it.
 * 2. Each connection's handshake has that certificate as its root: the platform
 *    checks dates, and that the peer holds the key. But it would also take a
 *    certificate that any root of this machine vouches for, of any name.
 * 3. So what was used is read back from the connection, and compared, before the
 *    first byte is written. Where it cannot be read, nothing is sent.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { tlsDialError, untrusted } from "./tls_errors.ts";

/** What is known of the peer. */
export interface Pins {
  /** SHA-256 of the peer's certificate, DER; any of several. */
  readonly fingerprints: readonly Uint8Array[];
  /** The protocol that is spoken, such as `sftpx/1`. */
  readonly alpn: string;
}

/** Where a peer is. */
export interface Peer {
  readonly hostname: string;
  readonly port: number;
  /** For people. */
  readonly remote: string;
}

/** What goes in clear in the first packet; the pin alone decides, so it tells nothing. */
const SERVER_NAME = "sftpx";

/**
 * Checks what pins there are.
 *
 * @throws {RangeError} if there is none, or it is no SHA-256.
 */
export function checkPins(
  fingerprint: Uint8Array | readonly Uint8Array[],
): readonly Uint8Array[] {
  const all = fingerprint instanceof Uint8Array ? [fingerprint] : fingerprint;
  if (all.length === 0 || all.some((value) => value.length !== 32)) {
    throw new RangeError(
      "Cannot dial as each fingerprint must have 32 bytes, and there must be one",
    );
  }
  return all.map((value) => value.slice());
}

/**
 * Asks a peer for its certificate.
 *
 * @returns The certificate, PEM.
 * @throws {SftpxError} `unauthorized` if it is not the pinned one.
 */
export async function fetchCertificate(
  peer: Peer,
  { fingerprints, alpn }: Pins,
  signal: AbortSignal,
): Promise<string> {
  const der = await shownCertificate(peer, alpn, signal);
  const pem = await pemIfPinned(der, { fingerprints });
  if (pem === undefined) throw untrusted(peer.remote);
  return pem;
}

/** What is said to be a certificate, DER, as PEM if it is a pinned one. */
export async function pemIfPinned(
  der: Uint8Array,
  { fingerprints }: Pick<Pins, "fingerprints">,
): Promise<string | undefined> {
  if (!await isPinned(der, fingerprints)) return undefined;
  const text = der.toBase64().replace(/.{64}/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
}

/**
 * The certificate that a peer shows, DER, whoever it may be: whether that is the
 * right one is for the caller to know.
 */
export async function shownCertificate(
  { hostname, port, remote }: Peer,
  alpn: string,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { connect } = await import("node:tls"); // large, and seldom needed
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const socket = connect({
    host: hostname,
    port,
    servername: SERVER_NAME,
    ALPNProtocols: [alpn],
    rejectUnauthorized: false, // what comes is trusted for its hash alone
  }, () => resolve(new Uint8Array(socket.getPeerCertificate(true).raw ?? [])));
  socket.on("error", reject);
  socket.on("close", () => reject(new Error("unexpected end of file")));
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await promise;
  } catch (error) {
    signal.throwIfAborted();
    throw tlsDialError(remote, error);
  } finally {
    signal.removeEventListener("abort", abort);
    socket.destroy();
  }
}

/**
 * Makes a TCP connection one of TLS to the pinned peer. Frees it on failure.
 *
 * @param certificate What `fetchCertificate` gave.
 * @throws {SftpxError} `unauthorized` if the peer is another one.
 */
export async function secure(
  tcp: Deno.TcpConn,
  certificate: string,
  { fingerprints, alpn }: Pins,
  remote: string,
  signal: AbortSignal,
): Promise<Deno.TlsConn> {
  let conn: Deno.Conn = tcp;
  const abort = (): void => {
    try {
      conn.close();
    } catch {
      // in between, or gone already: what comes of it is closed below
    }
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    const tls = await Deno.startTls(tcp, {
      hostname: SERVER_NAME,
      caCerts: [certificate],
      alpnProtocols: [alpn],
      // The pin alone decides: see below.
      unsafelyDisableHostnameVerification: true,
    });
    conn = tls;
    signal.throwIfAborted();
    const { alpnProtocol } = await tls.handshake();
    signal.throwIfAborted();
    if (!await isPinned(peerCertificate(tls), fingerprints)) {
      throw untrusted(remote);
    }
    if (alpnProtocol !== alpn) {
      throw new SftpxError(
        "protocol",
        `Cannot talk to "${remote}": it does not speak this version of the protocol`,
      );
    }
    return tls;
  } catch (error) {
    abort();
    signal.throwIfAborted();
    throw tlsDialError(remote, error);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/**
 * The certificate that the peer of `conn` used, DER. The platform has it, for its
 * own Node module, under a name that only it knows.
 *
 * @throws {SftpxError} `config` if this platform does not tell.
 */
export function peerCertificate(conn: Deno.TlsConn): Uint8Array {
  const methods = Object.getPrototypeOf(conn);
  const name = Object.getOwnPropertySymbols(methods)
    .find(({ description }) => description === "getPeerCertificate");
  const answer: unknown = name && methods[name].call(conn, true);
  const der = (answer as { readonly raw?: unknown } | undefined)?.raw;
  if (der instanceof Uint8Array && der.length > 0) return der;
  throw new SftpxError(
    "config",
    "Cannot use TCP: this platform does not say which certificate a peer has used",
  );
}

async function isPinned(
  der: Uint8Array,
  fingerprints: readonly Uint8Array[],
): Promise<boolean> {
  const digest = new Uint8Array(
    await crypto.subtle.digest("SHA-256", new Uint8Array(der)),
  );
  return fingerprints.some((pin) =>
    pin.length === digest.length && pin.every((byte, i) => byte === digest[i])
  );
}
