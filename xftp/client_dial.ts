/**
 * Dials a router and makes sure that it is the one of its address.
 *
 * An address pins the router's *identity* certificate by its SHA-256; the one
 * that it shows in TLS (the leaf) is another, which the identity has signed and
 * which changes. So, as `transport/tls_pin.ts` does for a leaf:
 *
 * 1. The chain is fetched once, over a connection that nothing is written to,
 *    and is only used if the SHA-256 of its second certificate is the pinned
 *    one. So it need not matter who gave it.
 * 2. The handshake of each connection has that identity as its root: the
 *    platform checks dates, and that the router holds the leaf's key. But it
 *    would also take a certificate that any root of this machine vouches for.
 * 3. So the leaf that was used is read back, and must be one that the identity
 *    has signed, before the first byte is written.
 *
 * No server name is sent (an IP address is none), as programs of XFTP do that
 * mean the router's own certificate and not the one of its web page.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { formatAddress } from "../transport/address.ts";
import { addressesOf, systemLookup } from "../transport/happy_eyeballs.ts";
import { tlsDialError } from "../transport/tls_errors.ts";
import { peerCertificate } from "../transport/tls_pin.ts";
import type { Clock } from "../core/clock.ts";
import type { RouterAddress } from "./address.ts";
import { within } from "./client_deadline.ts";
import { checkRouterChain, fingerprintOf } from "./router_proof.ts";
import { equalBytes } from "../core/bytes.ts";

/** A connection to a router that is the one of its address. */
export interface DialledRouter {
  readonly conn: Deno.TlsConn;
  /** The certificate that it showed. */
  readonly leaf: Uint8Array;
  /** The one that the address pins. */
  readonly identity: Uint8Array;
}

/** What a dial needs. */
export interface DialDeps {
  readonly clock: Clock;
  /** The addresses of a name. @default the system's */
  readonly lookup?: (hostname: string) => Promise<readonly string[]>;
}

/** Names no server: what is an IP address is not sent. */
const NO_SERVER_NAME = "127.0.0.1";

/** What programs of XFTP offer. */
const ALPN = "xftp/1";

/** How long one address may take; then the next one is tried. */
const ADDRESS_MS = 15_000;

/** Makes a dialler, which keeps the router's identity from dial to dial. */
export function routerDialler(
  router: RouterAddress,
  { clock, lookup = systemLookup }: DialDeps,
): (signal: AbortSignal) => Promise<DialledRouter> {
  let identity: Uint8Array | undefined;

  const dialOne = async (
    hostname: string,
    signal: AbortSignal,
  ): Promise<DialledRouter> => {
    const { port } = router;
    const remote = formatAddress({ hostname, port });
    identity ??= await fetchIdentity(router, hostname, remote, clock, signal);
    const conn = await secured(hostname, port, identity, remote, signal);
    try {
      const leaf = peerCertificate(conn);
      checkRouterChain([leaf, identity], {
        keyHash: router.keyHash,
        now: new Date(clock.wallMs()),
      });
      return { conn, leaf, identity };
    } catch (error) {
      conn.close();
      throw error;
    }
  };

  return async (signal) => {
    let failure: unknown;
    for (const host of router.hosts) {
      for (const address of await addressesOf(host, lookup)) {
        try {
          return await within(
            clock,
            ADDRESS_MS,
            signal,
            () =>
              new SftpxError(
                "unreachable",
                `Cannot reach router "${
                  formatAddress({ hostname: address, port: router.port })
                }": no answer`,
              ),
            (signal) => dialOne(address, signal),
          );
        } catch (error) {
          signal.throwIfAborted();
          failure ??= error;
        }
      }
    }
    throw failure ??
      new SftpxError("unreachable", "Cannot reach router: it has no address");
  };
}

/** Asks for the chain; what comes is trusted for its hash alone. */
async function fetchIdentity(
  router: RouterAddress,
  hostname: string,
  remote: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { connect } = await import("node:tls"); // large, and seldom needed
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array[]>();
  const socket = connect({
    host: hostname,
    port: router.port,
    ALPNProtocols: [ALPN],
    rejectUnauthorized: false,
  }, () => {
    const leaf = socket.getPeerCertificate(true);
    const issuer = leaf.issuerCertificate;
    resolve([leaf, issuer].map((one) => new Uint8Array(one?.raw ?? [])));
  });
  socket.on("error", reject);
  socket.on("close", () => reject(new Error("unexpected end of file")));
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  let chain: Uint8Array[];
  try {
    chain = await promise;
  } catch (error) {
    signal.throwIfAborted();
    throw tlsDialError(remote, error);
  } finally {
    signal.removeEventListener("abort", abort);
    socket.destroy();
  }
  const identity = chain.find((one) =>
    equalBytes(fingerprintOf(one), router.keyHash)
  );
  if (identity === undefined) {
    throw new SftpxError(
      "unauthorized",
      `Cannot trust router "${remote}": it is not the one of the address`,
    );
  }
  checkRouterChain(chain, {
    keyHash: router.keyHash,
    now: new Date(clock.wallMs()),
  });
  return identity;
}

/** Opens a connection whose peer holds the key of a leaf of `identity`, or of some root. */
async function secured(
  hostname: string,
  port: number,
  identity: Uint8Array,
  remote: string,
  signal: AbortSignal,
): Promise<Deno.TlsConn> {
  let open: Deno.Conn | undefined;
  const abort = (): void => {
    try {
      open?.close();
    } catch {
      // in between: what comes of it is closed below
    }
  };
  signal.throwIfAborted();
  signal.addEventListener("abort", abort, { once: true });
  try {
    const tcp = await Deno.connect({ hostname, port });
    open = tcp;
    signal.throwIfAborted();
    tcp.setNoDelay(true);
    tcp.setKeepAlive(true);
    const text = identity.toBase64().replace(/.{64}/g, "$&\n");
    const tls = await Deno.startTls(tcp, {
      hostname: NO_SERVER_NAME,
      caCerts: [
        `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`,
      ],
      alpnProtocols: [ALPN],
      unsafelyDisableHostnameVerification: true, // the pin alone decides
    });
    open = tls;
    signal.throwIfAborted();
    await tls.handshake();
    signal.throwIfAborted();
    return tls;
  } catch (error) {
    abort();
    signal.throwIfAborted();
    throw tlsDialError(remote, error);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
