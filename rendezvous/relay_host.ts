/**
 * The helper's half of the relay: off unless the operator says so.
 *
 * Two peers that were introduced get a port of the helper each, and a cookie
 * each; see `relay_udp.ts` and `relay_tcp.ts` for what passes there. The helper
 * sees who, when and how much, and ciphertext.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { type Family, familyOf, type HostPort } from "../transport/address.ts";
import {
  DEFAULT_RELAY_LIMITS,
  relayBudget,
  type RelayLimits,
} from "./relay_budget.ts";
import { COOKIE_BYTES, type RelayTcp, relayTcp } from "./relay_tcp.ts";
import { relayUdp } from "./relay_udp.ts";
import { bindDatagrams, type DatagramSocket } from "./stun_socket.ts";
import type {
  RelayGrant,
  RelayHost,
  RelayHostContext,
  RelaySide,
} from "./types.ts";

/** How a helper relays. */
export interface RelayHostOptions extends RelayLimits {
  /** The helper's own address: its ports are bound there. */
  readonly hostname: string;
  /** Where TCP connections are joined, or another if it is taken; 0 is any, `undefined` none. @default {0} */
  readonly tcpPort?: number | undefined;
  /** UDP ports to use, for a firewall's sake; two for each pair. @default any that are free */
  readonly udpPorts?: { readonly first: number; readonly last: number };
  /** Pairs at once. @default {100} */
  readonly maxPairs?: number;
}

/** See {@linkcode RelayHostOptions}. */
export const DEFAULT_RELAY_HOST_OPTIONS = Object.freeze({
  ...DEFAULT_RELAY_LIMITS,
  tcpPort: 0,
  maxPairs: 100,
});

/**
 * Starts to relay.
 *
 * @throws {SftpxError} "config" when the TCP port cannot be had.
 */
export function relayHost(
  options: RelayHostOptions,
  context: RelayHostContext,
): RelayHost {
  const { clock, log, metrics, randomBytes } = context;
  const o = { ...DEFAULT_RELAY_HOST_OPTIONS, ...options };
  const tcp = o.tcpPort === undefined ? undefined : listenTcp(o, o.tcpPort);
  const joiner: RelayTcp | undefined = tcp &&
    relayTcp({ listener: tcp, clock });
  const pairs = new Set<AbortController>();
  const open = metrics.gauge("sftpx_relay_pairs", "Pairs that are relayed");
  const passed = metrics.counter(
    "sftpx_relay_bytes_total",
    "Bytes that were passed on",
  );
  const dropped = metrics.counter(
    "sftpx_relay_dropped_total",
    "Datagrams that were not passed on",
  );
  const binder = binderOf(o);

  return {
    open(pair, signal) {
      signal.throwIfAborted();
      if (pairs.size >= o.maxPairs) {
        log.event("relay.refused", { pairs: pairs.size });
        return Promise.resolve(undefined);
      }
      const hosts = [hostOf(pair.sender), hostOf(pair.receiver)] as const;
      const sockets = binder.bindPair(hosts);
      const over = new AbortController();
      const either = AbortSignal.any([signal, over.signal]);
      const budget = relayBudget(o, clock, either);
      const onPassed = (bytes: number): void => passed.add(bytes);
      pairs.add(over);
      open.set(pairs.size);
      if (sockets !== undefined) {
        relayUdp({
          sockets,
          hosts,
          budget,
          clock,
          onPassed,
          onDropped: () => dropped.add(),
        });
      }
      const cookies = [
        randomBytes(COOKIE_BYTES),
        randomBytes(COOKIE_BYTES),
      ] as [
        Uint8Array,
        Uint8Array,
      ];
      joiner?.admit({
        senderCookie: cookies[0],
        receiverCookie: cookies[1],
        budget,
        bytesPerSecond: o.bytesPerSecond,
        onPassed,
      }, either);
      budget.ended.then((why) => {
        over.abort();
        for (const socket of sockets ?? []) socket.close();
        pairs.delete(over);
        open.set(pairs.size);
        log.event("relay.closed", { why, bytes: budget.used });
      });
      log.event("relay.opened", { pairs: pairs.size });
      const grant = (side: 0 | 1): RelayGrant => ({
        udpPort: sockets?.[side].address.port,
        tcpPort: joiner?.port,
        cookie: cookies[side],
      });
      return Promise.resolve({ sender: grant(0), receiver: grant(1) });
    },
    close() {
      joiner?.close();
      for (const over of pairs) over.abort();
    },
  };
}

/** The address of `host:port`, without the port. */
function hostOf({ remote }: RelaySide): string {
  return remote.slice(0, remote.lastIndexOf(":")).replace(/^\[(.*)\]$/, "$1");
}

type Full = RelayHostOptions;

interface Binder {
  /** Two sockets that face `hosts`; `undefined` when there are no ports left. */
  bindPair(
    hosts: readonly [string, string],
  ): [DatagramSocket, DatagramSocket] | undefined;
}

function binderOf({ hostname, udpPorts }: Full): Binder {
  const range = udpPorts ?? { first: 0, last: 0 };
  const count = range.last - range.first + 1;
  let next = 0;
  const bind = (host: string): DatagramSocket | undefined => {
    const family = familyOf(host) ?? 4;
    for (let turn = 0; turn < count; turn++) {
      const port = range.first + next++ % count;
      try {
        return bindDatagrams({ hostname: facing(hostname, family), port });
      } catch {
        // taken: the next one
      }
    }
    return undefined;
  };
  return {
    bindPair(hosts) {
      const one = bind(hosts[0]);
      const two = one && bind(hosts[1]);
      if (one === undefined || two === undefined) {
        one?.close();
        return undefined;
      }
      return [one, two];
    },
  };
}

/** Our address for peers of a family. */
function facing(hostname: string, family: Family): string {
  const isOurs = familyOf(hostname) === family && hostname !== "::";
  return isOurs ? hostname : family === 4 ? "0.0.0.0" : "::";
}

function listenTcp(
  { hostname }: Pick<Full, "hostname">,
  port: number,
): Deno.TcpListener {
  const address: HostPort = { hostname, port };
  try {
    return Deno.listen({ transport: "tcp", ...address });
  } catch (error) {
    if (port !== 0 && error instanceof Deno.errors.AddrInUse) {
      return listenTcp({ hostname }, 0); // peers are told which it is
    }
    throw new SftpxError(
      "config",
      `Cannot relay: TCP port ${port} of "${hostname}" cannot be had: ${
        error instanceof Error ? error.message : error
      }`,
      error,
    );
  }
}
