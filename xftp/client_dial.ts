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
 * That does not reach every router: many have an identity of Ed448, which the
 * platform's TLS does not speak. They show browsers another certificate, which a
 * public authority has signed for their name, and prove who they are afterwards,
 * in the hello. So where the first way fails and the host is a name, the second
 * is tried: TLS as browsers do it, and then `checkRouterHello()`.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { familyOf, formatAddress } from "../transport/address.ts";
import { addressesOf, systemLookup } from "../transport/happy_eyeballs.ts";
import { tlsDialError } from "../transport/tls_errors.ts";
import { peerCertificate } from "../transport/tls_pin.ts";
import type { Clock } from "../core/clock.ts";
import type { RouterAddress } from "./address.ts";
import { within } from "./client_deadline.ts";
import { checkRouterChain, fingerprintOf } from "./router_proof.ts";
import { equalBytes } from "../core/bytes.ts";

/** A connection to a router. */
export type DialledRouter =
  | {
    /** TLS has proved that it is the one of its address. */
    readonly way: "own";
    readonly conn: Deno.TlsConn;
    /** The certificate that it showed. */
    readonly leaf: Uint8Array;
    /** The one that the address pins. */
    readonly identity: Uint8Array;
  }
  | {
    /** TLS has proved its name; it has yet to prove that it is the one. */
    readonly way: "web";
    readonly conn: Deno.TlsConn;
  };

/** What a dial needs. */
export interface DialDeps {
  readonly clock: Clock;
  /** The addresses of a name. @default the system's */
  readonly lookup?: (hostname: string) => Promise<readonly string[]>;
  /** Authorities that are trusted beside the system's, PEM. @default {[]} */
  readonly webAuthorities?: readonly string[];
}

/** Names no server: what is an IP address is not sent. */
const NO_SERVER_NAME = "127.0.0.1";

/** What programs of XFTP offer, and what browsers do. */
const ALPN = { own: "xftp/1", web: "h2" } as const;

/** How long one address may take; then the next one is tried. */
const ADDRESS_MS = 15_000;

/** Makes a dialler, which keeps the router's identity from dial to dial. */
export function routerDialler(
  router: RouterAddress,
  { clock, lookup = systemLookup, webAuthorities = [] }: DialDeps,
): (signal: AbortSignal) => Promise<DialledRouter> {
  let identity: Uint8Array | undefined;
  let way: DialledRouter["way"] | undefined;

  const dialOwn = async (
    hostname: string,
    signal: AbortSignal,
  ): Promise<DialledRouter> => {
    const { port } = router;
    const remote = formatAddress({ hostname, port });
    identity ??= await fetchIdentity(router, hostname, remote, clock, signal);
    const conn = await secured(hostname, port, remote, signal, {
      hostname: NO_SERVER_NAME,
      caCerts: [pemOf(identity)],
      alpnProtocols: [ALPN.own],
      unsafelyDisableHostnameVerification: true, // the pin alone decides
    });
    try {
      const leaf = peerCertificate(conn);
      checkRouterChain([leaf, identity], {
        keyHash: router.keyHash,
        now: new Date(clock.wallMs()),
      });
      return { way: "own", conn, leaf, identity };
    } catch (error) {
      conn.close();
      throw error;
    }
  };

  const dialWeb = async (
    host: string,
    hostname: string,
    signal: AbortSignal,
  ): Promise<DialledRouter> => {
    const { port } = router;
    const remote = formatAddress({ hostname: host, port });
    const conn = await secured(hostname, port, remote, signal, {
      hostname: host,
      caCerts: [...webAuthorities],
      alpnProtocols: [ALPN.web],
    });
    return { way: "web", conn };
  };

  const dialOne = async (
    host: string,
    hostname: string,
    signal: AbortSignal,
  ): Promise<DialledRouter> => {
    const isName = familyOf(host) === undefined;
    if (way === "web" && isName) return await dialWeb(host, hostname, signal);
    try {
      const dialled = await dialOwn(hostname, signal);
      way = "own";
      return dialled;
    } catch (error) {
      signal.throwIfAborted();
      if (way === "own" || !isName) throw error;
      try {
        const dialled = await dialWeb(host, hostname, signal);
        way = "web";
        return dialled;
      } catch {
        signal.throwIfAborted();
        throw error; // the first way says more of what is wrong
      }
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
            (signal) => dialOne(host, address, signal),
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
    ALPNProtocols: [ALPN.own],
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

/** Opens a connection of TLS. */
async function secured(
  hostname: string,
  port: number,
  remote: string,
  signal: AbortSignal,
  options: Deno.StartTlsOptions,
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
    const tls = await Deno.startTls(tcp, options);
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

function pemOf(der: Uint8Array): string {
  const text = der.toBase64().replace(/.{64}/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
}
