/**
 * Two ends of a connection over TLS and TCP on loopback, for tests.
 *
 * @module
 */
import { assert } from "@std/assert";
import { systemRandomBytes } from "../../crypto/random.ts";
import {
  tlsDialer,
  type TlsDialerOptions,
  tlsListener,
  type TlsListenerOptions,
} from "../../transport/tls.ts";
import type { Conn, Dialer, Listener } from "../../transport/transport.ts";
import { type TcpProxy, tcpProxy } from "../testutil/tcp_proxy.ts";
import { ALPN, CERTIFICATE, NEVER } from "./quic_pair.ts";

/** A listener and a dialer of it. */
export interface TlsSide {
  readonly port: number;
  readonly listener: Listener;
  readonly dialer: Dialer;
  /** A dialer that is different. */
  dialerWith(options: Partial<TlsDialerOptions>): Dialer;
  stop(): Promise<void>;
}

/** Listens and is ready to dial. */
export function tlsSides(
  listen: Partial<TlsListenerOptions> = {},
  dial: Partial<TlsDialerOptions> = {},
): TlsSide {
  const listener = tlsListener({
    hostname: "127.0.0.1",
    port: 0,
    cert: CERTIFICATE.cert,
    key: CERTIFICATE.key,
    alpn: ALPN,
    ...listen,
  });
  const port = Number(listener.address.split(":").at(-1));
  const dialerWith = (options: Partial<TlsDialerOptions>): Dialer =>
    tlsDialer({
      hostname: "127.0.0.1",
      port,
      fingerprint: CERTIFICATE.fingerprint,
      alpn: ALPN,
      randomBytes: systemRandomBytes,
      ...dial,
      ...options,
    });
  return {
    port,
    listener,
    dialer: dialerWith({}),
    dialerWith,
    async stop() {
      listener.close();
      await new Promise((resolve) => setTimeout(resolve, 50));
    },
  };
}

/** A connection, both ends. */
export interface TlsPair extends TlsSide {
  readonly near: Conn;
  readonly far: Conn;
}

/** Connects, through `proxy` if there is one. */
export async function tlsPair(
  sides: TlsSide,
  proxy?: TcpProxy,
): Promise<TlsPair> {
  const dialer = proxy === undefined
    ? sides.dialer
    : sides.dialerWith({ hostname: proxy.hostname, port: proxy.port });
  const [near, far] = await Promise.all([
    dialer.dial(NEVER),
    sides.listener.accept(),
  ]);
  assert(far !== undefined);
  return {
    ...sides,
    near,
    far,
    async stop() {
      near.close();
      far.close();
      await Promise.allSettled([near.closed, far.closed]);
      await sides.stop();
    },
  };
}

/** A pair behind a proxy, and the proxy. */
export async function proxiedTlsPair(
  listen: Partial<TlsListenerOptions> = {},
  dial: Partial<TlsDialerOptions> = {},
): Promise<TlsPair & { readonly proxy: TcpProxy }> {
  const sides = tlsSides(listen, dial);
  const proxy = tcpProxy({ hostname: "127.0.0.1", port: sides.port });
  const pair = await tlsPair(sides, proxy);
  return {
    ...pair,
    proxy,
    async stop() {
      await proxy.close();
      await pair.stop();
    },
  };
}
