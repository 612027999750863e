/**
 * Ends connections that the platform does not.
 *
 * It keeps a TLS connection that was closed open until its handshake is over and
 * the peer has taken what was written: a peer that says nothing, or reads
 * nothing, would hold it for ever. So the system is told to end it; many at a
 * time, as that takes a look at all sockets.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { HostPort } from "./address.ts";
import { shutDownPeers } from "./system_socket.ts";

/** Ends connections of peers to one port. */
export interface Evictions {
  /** Ends the connections of `peers`, soon. Where the system does not let us, nothing happens. */
  evict(...peers: readonly HostPort[]): void;
  /** Gathers no more: those that wait are ended now, later ones at once. */
  close(): void;
}

/** How long peers are gathered, ms. */
const GATHER_MS = 100;

/** Makes the evictions of our port `port`. */
export function createEvictions(port: number, clock: Clock): Evictions {
  const over = new AbortController();
  let peers: HostPort[] = [];
  const run = (): void => {
    const all = peers;
    peers = [];
    if (all.length > 0) shutDownPeers(port, all);
  };
  return {
    evict(...more) {
      const isFirst = peers.length === 0;
      peers.push(...more);
      if (over.signal.aborted) run();
      else if (isFirst) clock.delay(GATHER_MS, over.signal).then(run, () => {});
    },
    close() {
      over.abort();
      run();
    },
  };
}
