/**
 * The ways to one receiver: QUIC, and TLS over TCP on the same port number.
 *
 * @module
 */
import type { EventSink } from "../core/events.ts";
import { carrierDialer, type CarrierMode } from "../transport/carrier.ts";
import { lateDialer } from "../transport/late_dialer.ts";
import { quicDialer } from "../transport/quic_dialer.ts";
import type { EndpointPool } from "../transport/quic_endpoint.ts";
import type { Congestion, QuicOptions } from "../transport/quic_options.ts";
import type { KnownPeer, TlsDialerOptions } from "../transport/tls_dialer.ts";
import type { TlsOptions } from "../transport/tls_options.ts";
import type { Dialer } from "../transport/transport.ts";
import type { HostAndPort } from "../protocol/address.ts";
import type { SendParts } from "./send_parts.ts";
import type { World } from "./send_session.ts";
import type { SideDialer } from "./side_dials.ts";
import { ALPN } from "./world.ts";

/** Where the receiver is, and what may be used. */
export interface DialersOptions {
  readonly hostname: string;
  readonly port: number;
  /** Where it is over TCP. @default the same port */
  readonly tcpPort?: number;
  /** Whether it has other ports for TCP at that host. @default {if its port is the same} */
  readonly tcpSide?: boolean;
  readonly fingerprint: Uint8Array;
  readonly carrier: CarrierMode;
  readonly endpoints: EndpointPool;
  /** There is little to send: sockets are left as small as they are. @default {false} */
  readonly isLittle?: boolean;
  readonly quic?: QuicOptions;
  readonly tls?: TlsOptions;
  /** Loads what dials over TCP. */
  readonly tlsDialer: SendParts["tlsDialer"];
  readonly world: World;
  /** Told when UDP does not pass, and when it does again. */
  readonly emit: EventSink;
}

/** Dialers of one receiver. */
export interface Dialers {
  /** By CUBIC, or over TCP where UDP does not pass. */
  readonly cubic: Dialer;
  /** By BBR, or over TCP where UDP does not pass. */
  readonly bbr: Dialer;
  /** Over TCP, for a connection beside one by QUIC: for so many streams of ours. */
  readonly bulk: (streams: number) => Dialer;
  /** Over TCP, to another port of the receiver; `undefined` where that is another machine's. */
  readonly bulkSide:
    | ((place: HostAndPort, streams: number) => Dialer)
    | undefined;
  /** Takes what the receiver says its certificate is, DER: it is checked before it is used. */
  readonly shown: (certificate: Uint8Array) => void;
  /** By QUIC, to another port of the receiver; `undefined` where QUIC is not wanted. */
  readonly side: SideDialer | undefined;
}

/** Makes the dialers of one receiver. */
export function peerDialers(options: DialersOptions): Dialers {
  const { hostname, port, fingerprint, world, emit } = options;
  const peer = { hostname, port, fingerprint, alpn: ALPN };
  const { clock, randomBytes } = world;
  const known: KnownPeer = {};
  const byTcp = (more: Partial<TlsDialerOptions>): Dialer =>
    lateDialer(async () => {
      const { tlsDialer } = await options.tlsDialer();
      return tlsDialer({
        ...peer,
        clock,
        randomBytes,
        known,
        ...options.tls,
        ...more,
      });
    });
  const tcp = byTcp({ port: options.tcpPort ?? port });
  const quic = (
    congestion: Congestion,
    place: { readonly hostname: string; readonly port: number } = peer,
  ): Dialer =>
    quicDialer({
      ...peer,
      hostname: place.hostname,
      port: place.port,
      endpoint: options.endpoints,
      isLittle: options.isLittle ?? false,
      clock,
      congestion,
      ...options.quic,
    });
  const by = (congestion: Congestion): Dialer =>
    carrierDialer({
      quic: quic(congestion),
      tls: tcp,
      mode: options.carrier,
      clock,
      onChange(carrier) {
        const message = carrier === "tcp"
          ? "UDP does not pass, using TCP"
          : "UDP passes again";
        emit({ type: "warning", message });
      },
    });
  const side: SideDialer = (place, congestion) => quic(congestion, place);
  return {
    cubic: by("cubic"),
    bbr: by("bbr"),
    // What comes in beside another begins no streams.
    bulk: (streams) =>
      byTcp({ port: options.tcpPort ?? port, streams, lent: 0 }),
    shown: (certificate) => void (known.shown = certificate.slice()),
    bulkSide: options.tcpSide ?? options.tcpPort === undefined
      ? (place, streams) => byTcp({ ...place, streams, lent: 0 })
      : undefined,
    side: options.carrier === "tcp" ? undefined : side,
  };
}
