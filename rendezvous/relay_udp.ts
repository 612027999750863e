/**
 * Passes datagrams between two introduced peers: a port for each.
 *
 * Only who comes from the address that was introduced, and begins as QUIC does,
 * gets to be a side; what comes for a side that is not there is dropped, and so
 * is what is over the rate. A datagram in is at most one datagram out, of the
 * same bytes, to one who has sent some itself: nothing is made larger, and
 * nobody is sent what he did not ask for.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { HostPort } from "../transport/address.ts";
import type { RelayBudget } from "./relay_budget.ts";
import type { DatagramSocket } from "./stun_socket.ts";
import { isSameAddress, isSameHost } from "./stun_values.ts";

/** What passing on needs. */
export interface RelayUdpDeps {
  /** The sockets that face the one and the other. */
  readonly sockets: readonly [DatagramSocket, DatagramSocket];
  /** The addresses from which they may come. */
  readonly hosts: readonly [string, string];
  readonly budget: RelayBudget;
  readonly clock: Clock;
  readonly onPassed: (bytes: number) => void;
  readonly onDropped: () => void;
}

/** A side may come from another port after so long in silence: its NAT may have forgotten it, ms. */
const REBIND_AFTER_MS = 2000;

/** Passes datagrams until the sockets are closed. */
export async function relayUdp(deps: RelayUdpDeps): Promise<void> {
  const { sockets, hosts, budget, clock, onPassed, onDropped } = deps;
  const sides: [Side | undefined, Side | undefined] = [undefined, undefined];

  const isOf = (side: 0 | 1, bytes: Uint8Array, from: HostPort): boolean => {
    const known = sides[side];
    const now = clock.now();
    if (known !== undefined && isSameAddress(known.at, from)) {
      known.heardAt = now;
      return true;
    }
    if (!isSameHost(from.hostname, hosts[side])) return false;
    const may = known === undefined
      ? beginsQuic(bytes)
      : now - known.heardAt > REBIND_AFTER_MS;
    if (may) sides[side] = { at: from, heardAt: now };
    return may;
  };
  const pass = async (side: 0 | 1): Promise<void> => {
    const [from, to] = [sockets[side], sockets[1 - side]];
    for (;;) {
      const datagram = await from.receive();
      if (datagram === undefined) return;
      const { bytes } = datagram;
      if (!isOf(side, bytes, datagram.from)) {
        onDropped();
        continue;
      }
      const other = sides[1 - side];
      if (other === undefined || !budget.fits(side, bytes.length)) {
        onDropped();
        continue;
      }
      if (!budget.spend(bytes.length)) return;
      await to?.send(bytes, other.at); // never rejects
      onPassed(bytes.length);
    }
  };
  await Promise.all([pass(0), pass(1)]);
}

interface Side {
  readonly at: HostPort;
  heardAt: number;
}

/** A QUIC Initial: a long header, version 1, type 0, padded. */
function beginsQuic(bytes: Uint8Array): boolean {
  return bytes.length >= 1200 && ((bytes[0] ?? 0) & 0xf0) === 0xc0 &&
    bytes[1] === 0 && bytes[2] === 0 && bytes[3] === 0 && bytes[4] === 1;
}
