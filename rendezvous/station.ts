/**
 * The sockets of one peer: they listen and dial at once, so that what goes out
 * opens the way for what comes in. What comes over them is handed on when it has
 * proved to be the peer.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Secret } from "../core/secret.ts";
import type { RandomBytes } from "../crypto/random.ts";
import { familyOf, formatAddress } from "../transport/address.ts";
import {
  type Congestion,
  createEndpoint,
  type EndpointPool,
  quicDialer,
  quicListener,
  type QuicOptions,
} from "../transport/quic.ts";
import { bindSamePort } from "../transport/same_port.ts";
import { tlsDialer, tlsListener, type TlsOptions } from "../transport/tls.ts";
import type { Conn, Dialer, Listener } from "../transport/transport.ts";
import { kindOfAddress } from "./candidates.ts";
import type { MeetingKeys } from "./keys.ts";
import { PATH_ALPN, proveAccepted, proveDialed } from "./path_proof.ts";
import type { Candidate, CandidateKind, GatherContext, Role } from "./types.ts";

/** What a station needs. */
export interface StationOptions {
  readonly role: Role;
  /** What the peer will pin. */
  readonly certificate: { readonly cert: string; readonly key: Secret };
  /** SHA-256 of it. */
  readonly fingerprint: Uint8Array;
  /** The keys to know the peer by; several while a receiver serves many. */
  readonly keys: () => MeetingKeys | undefined;
  /** Addresses of this machine. */
  readonly addresses: () => readonly string[];
  /** What is bound. @default {any address and port} */
  readonly bind?: { readonly hostname?: string; readonly port?: number };
  /** Told of a peer that came and proved itself. It owns the connection. */
  readonly arrived: (arrival: Arrival) => void;
  readonly quic?: QuicOptions;
  readonly tls?: TlsOptions;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: RandomBytes;
}

/** A connection over which the peer has proved itself, and where it leads. */
export interface Arrival {
  readonly conn: Conn;
  readonly candidate: Candidate;
}

/** Open sockets. */
export interface Station {
  /** The sockets, to dial others from as well. */
  readonly pool: EndpointPool;
  readonly context: GatherContext;
  /**
   * Dials `candidate`, and proves the path. The connection comes too late when
   * `signal` aborts, and is closed.
   */
  dial(
    candidate: Candidate,
    peer: { readonly fingerprint: Uint8Array; readonly keys: MeetingKeys },
    signal: AbortSignal,
    congestion?: Congestion,
  ): Promise<Arrival>;
  /** Takes note of what an address is, for when somebody comes from there. */
  note(candidate: Candidate): void;
  close(): void;
}

/** Addresses that are remembered for what they are. */
const MAX_NOTES = 1024;
/** How long one address may take, ms: a hole needs some tries of both sides. */
const DIAL_MS = 10_000;
/** Peers that may be proving themselves at a time. */
const MAX_PROVING = 64;

/**
 * Opens the sockets, and begins to listen.
 *
 * @throws {SftpxError} `config` when they cannot be had.
 */
export function openStation(options: StationOptions): Station {
  const { role, certificate, fingerprint, clock, log, random, bind = {} } =
    options;
  const stop = new AbortController();
  const own = {
    cert: certificate.cert,
    key: new TextDecoder().decode(certificate.key.reveal()),
    alpn: PATH_ALPN,
    clock,
    log,
  };
  const { hostname = "0.0.0.0", port = 0 } = bind;
  const { endpoint, tcp, noTcp } = bindSamePort(
    { hostname, port },
    (port) => tlsListener({ ...own, hostname, port, ...options.tls }),
  );
  if (noTcp !== undefined) { // another program has the port: UDP will do
    log.event("station.no-tcp", { error: noTcp.message });
  }
  const endpoints = [endpoint];
  if (bind.hostname === undefined && hasIpv6(options.addresses())) {
    endpoints.push(createEndpoint({ hostname: "::" }));
  }
  const listeners: Listener[] = endpoints.map((endpoint) =>
    quicListener({ ...own, endpoint, ...options.quic })
  );
  if (tcp !== undefined) listeners.push(tcp);

  const notes = new Map<string, CandidateKind>(); // the oldest first
  /** Where a connection that came leads, as far as that can be seen. */
  const candidateOf = ({ remote, carrier = "quic" }: Conn): Candidate => {
    const at = remote.lastIndexOf(":");
    const hostname = remote.slice(0, at).replace(/^\[|\]$/g, "");
    const port = Number(remote.slice(at + 1));
    const kind = notes.get(`${hostname} ${port}`) ??
      // Over TCP the port is any.
      (carrier === "tcp" ? notes.get(hostname) : undefined) ??
      // There is no hole in TCP: who came over it had an address to dial.
      (carrier === "tcp" && kindOfAddress(hostname) === "reflexive"
        ? "host"
        : kindOfAddress(hostname));
    return { kind, carrier, hostname, port };
  };

  const proving = new Set<Conn>(); // the oldest first
  const prove = async (conn: Conn): Promise<void> => {
    const keys = options.keys();
    if (keys === undefined) return conn.close("peer-busy");
    const [oldest] = proving;
    if (proving.size >= MAX_PROVING) oldest?.close("peer-busy");
    proving.add(conn);
    try {
      const proof = { role, keys, fingerprint, random, clock };
      await proveAccepted(conn, proof, stop.signal);
      options.arrived({ conn, candidate: candidateOf(conn) });
    } catch (error) {
      log.event("station.refused", {
        remote: conn.remote,
        error: error instanceof Error ? error.message : String(error),
      });
      conn.close("unauthorized", "this is not the peer");
    } finally {
      proving.delete(conn);
    }
  };
  const accept = async (listener: Listener): Promise<void> => {
    for (;;) {
      const conn = await listener.accept();
      if (conn === undefined) return;
      prove(conn); // never rejects
    }
  };
  for (const listener of listeners) {
    accept(listener).catch((error) =>
      log.event("station.failed", { error: String(error) })
    );
  }

  const pool: EndpointPool = {
    take(family) {
      const found = endpoints.find((each) =>
        each.family === family && !each.closed
      );
      if (found !== undefined) return found;
      throw new SftpxError(
        "unreachable",
        `Cannot dial as this machine has no IPv${family}`,
      );
    },
    close() {
      for (const endpoint of endpoints) endpoint.close();
    },
  };

  return {
    pool,
    context: {
      role,
      endpoints,
      tcpPort: tcp && endpoint.port,
      clock,
      log,
      randomBytes: random,
    },
    async dial(candidate, peer, signal, congestion = "cubic") {
      const either = AbortSignal.any([signal, stop.signal]);
      const { hostname, port, carrier } = candidate;
      const to = {
        hostname,
        port,
        fingerprint: peer.fingerprint,
        alpn: PATH_ALPN,
        clock,
        dialTimeoutMs: DIAL_MS,
      };
      const dialer: Dialer = carrier === "quic"
        ? quicDialer({ ...to, endpoint: pool, congestion, ...options.quic })
        : tlsDialer({ ...to, randomBytes: random, ...options.tls });
      const conn = await dialer.dial(either);
      try {
        await proveDialed(conn, {
          role,
          keys: peer.keys,
          fingerprint: peer.fingerprint,
          random,
          clock,
        }, either);
        return { conn, candidate };
      } catch (error) {
        conn.close();
        throw error;
      }
    },
    note({ kind, hostname, port }) {
      for (const key of [`${hostname} ${port}`, hostname]) {
        if (!notes.has(key)) notes.set(key, kind);
        const [oldest] = notes.keys();
        if (notes.size > MAX_NOTES && oldest !== undefined) {
          notes.delete(oldest);
        }
      }
    },
    close() {
      stop.abort();
      for (const listener of listeners) listener.close();
      pool.close();
    },
  };
}

/** Whether one of the addresses leads somewhere by IPv6. */
function hasIpv6(addresses: readonly string[]): boolean {
  return addresses.some((address) =>
    familyOf(address) === 6 && !/^(::1$|fe80:)/i.test(address)
  );
}

/** For the log: where a candidate leads. */
export function describe({ kind, carrier, ...where }: Candidate): string {
  return `${kind} ${carrier} ${formatAddress(where)}`;
}
