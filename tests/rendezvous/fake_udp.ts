/**
 * A UDP network in memory, with NATs of a chosen kind: for tests of what is
 * found out about them.
 *
 * @module
 */
import type { Datagram, DatagramSocket } from "../../rendezvous/stun_socket.ts";
import { formatAddress, type HostPort } from "../../transport/address.ts";

/** What a NAT tells apart: nothing, addresses, or addresses and ports. */
export type Apart = "none" | "address" | "port";

/** A network. */
export interface FakeUdp {
  /** Datagrams that were sent, to whom. */
  readonly sent: HostPort[];
  /** A socket with an address that all reach. */
  open(address: HostPort): DatagramSocket;
  /** A socket behind a NAT of its own, seen as `outside`. */
  behindNat(
    address: HostPort,
    outside: string,
    nat: { readonly mapping: Apart; readonly filtering: Apart },
  ): DatagramSocket;
  /** Loses the next `count` datagrams. */
  lose(count: number): void;
}

/** Makes an empty network. */
export function fakeUdp(): FakeUdp {
  const places = new Map<string, (datagram: Datagram) => void>();
  const sent: HostPort[] = [];
  let losses = 0;
  const carry = (bytes: Uint8Array, from: HostPort, to: HostPort): void => {
    sent.push(to);
    if (losses > 0) return void losses--;
    places.get(formatAddress(to))?.({ bytes: bytes.slice(), from });
  };
  const socket = (
    address: HostPort,
    send: (bytes: Uint8Array, to: HostPort) => void,
  ): { socket: DatagramSocket; put: (datagram: Datagram) => void } => {
    const waiting: Datagram[] = [];
    const takers: ((datagram: Datagram | undefined) => void)[] = [];
    let isOpen = true;
    return {
      put(datagram) {
        const taker = takers.shift();
        if (taker) taker(datagram);
        else waiting.push(datagram);
      },
      socket: {
        address,
        send(bytes, to) {
          if (isOpen) send(bytes, to);
          return Promise.resolve();
        },
        receive() {
          const next = waiting.shift();
          if (next || !isOpen) return Promise.resolve(next);
          return new Promise((resolve) => takers.push(resolve));
        },
        close() {
          isOpen = false;
          for (const taker of takers.splice(0)) taker(undefined);
        },
      },
    };
  };
  return {
    sent,
    open(address) {
      const made = socket(address, (bytes, to) => carry(bytes, address, to));
      places.set(formatAddress(address), made.put);
      return made.socket;
    },
    behindNat(address, outside, { mapping, filtering }) {
      const key = (apart: Apart, { hostname, port }: HostPort): string =>
        apart === "none"
          ? ""
          : apart === "address"
          ? hostname
          : `${hostname} ${port}`;
      const ports = new Map<string, { port: number; heard: Set<string> }>();
      const made = socket(address, (bytes, to) => {
        const id = key(mapping, to);
        let hole = ports.get(id);
        if (hole === undefined) {
          const opened = {
            port: 20_000 + ports.size,
            heard: new Set<string>(),
          };
          ports.set(id, hole = opened);
          places.set(
            formatAddress({ hostname: outside, port: opened.port }),
            (datagram) => {
              if (opened.heard.has(key(filtering, datagram.from))) {
                made.put(datagram);
              }
            },
          );
        }
        hole.heard.add(key(filtering, to));
        carry(bytes, { hostname: outside, port: hole.port }, to);
      });
      return made.socket;
    },
    lose(count) {
      losses = count;
    },
  };
}
