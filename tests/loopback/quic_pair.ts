/**
 * Two ends of a QUIC connection on loopback, for tests.
 *
 * @module
 */
import { assert } from "@std/assert";
import {
  type MadeCertificate,
  makeCertificate,
} from "../../crypto/certificate.ts";
import {
  createEndpoint,
  type Endpoint,
  quicDialer,
  type QuicDialerOptions,
  quicListener,
  type QuicListenerOptions,
} from "../../transport/quic.ts";
import type { Conn, Dialer, Listener } from "../../transport/transport.ts";
import { type FaultProxy, faultProxy } from "../testutil/fault_proxy.ts";

/** The protocol that tests speak. */
export const ALPN = "sftpx/1";

/** A signal that never aborts. */
export const NEVER: AbortSignal = new AbortController().signal;

/** A certificate for all tests of a file: making one takes a while. */
export const CERTIFICATE: MadeCertificate = await makeCertificate({
  now: new Date(),
});

/** A listener and a dialer of it, each on a socket of its own. */
export interface QuicSide {
  readonly server: Endpoint;
  readonly client: Endpoint;
  readonly listener: Listener;
  readonly dialer: Dialer;
  /** A dialer that is different. */
  dialerWith(options: Partial<QuicDialerOptions>): Dialer;
  stop(): Promise<void>;
}

/** Listens and is ready to dial. */
export function quicSides(
  listen: Partial<QuicListenerOptions> = {},
  dial: Partial<QuicDialerOptions> = {},
): QuicSide {
  const server = createEndpoint({ hostname: "127.0.0.1" });
  const client = createEndpoint({ hostname: "127.0.0.1" });
  const listener = quicListener({
    endpoint: server,
    cert: CERTIFICATE.cert,
    key: CERTIFICATE.key,
    alpn: ALPN,
    ...listen,
  });
  const dialerWith = (options: Partial<QuicDialerOptions>): Dialer =>
    quicDialer({
      endpoint: client,
      hostname: "127.0.0.1",
      port: server.port,
      fingerprint: CERTIFICATE.fingerprint,
      alpn: ALPN,
      ...dial,
      ...options,
    });
  return {
    server,
    client,
    listener,
    dialer: dialerWith({}),
    dialerWith,
    async stop() {
      listener.close();
      client.close();
      server.close();
      await new Promise((resolve) => setTimeout(resolve, 50));
    },
  };
}

/** A connection, both ends. */
export interface QuicPair extends QuicSide {
  readonly near: Conn;
  readonly far: Conn;
}

/** Connects, through `proxy` if there is one. */
export async function quicPair(
  sides: QuicSide,
  proxy?: FaultProxy,
): Promise<QuicPair> {
  const dialer = proxy === undefined
    ? sides.dialer
    : sides.dialerWith({ hostname: proxy.hostname, port: proxy.port });
  const [near, far] = await Promise.all([
    dialer.dial(NEVER),
    sides.listener.accept(),
  ]);
  assert(far !== undefined);
  return { ...sides, near, far };
}

/** A pair behind a proxy, and the proxy. */
export async function proxiedPair(
  listen: Partial<QuicListenerOptions> = {},
  dial: Partial<QuicDialerOptions> = {},
): Promise<QuicPair & { readonly proxy: FaultProxy }> {
  const sides = quicSides(listen, dial);
  const proxy = await faultProxy({
    target: { hostname: "127.0.0.1", port: sides.server.port },
  });
  const pair = await quicPair(sides, proxy);
  return {
    ...pair,
    proxy,
    async stop() {
      await pair.stop();
      await proxy.close();
    },
  };
}
