/**
 * Multicast in memory.
 *
 * @module
 */
import type { LanRadio } from "../../rendezvous/lan_radio.ts";
import type { Datagram } from "../../rendezvous/stun_socket.ts";

/** A network. */
export interface Ether {
  /** Opens a radio of it. */
  radio(): LanRadio;
  /** Says something to all, as a stranger. */
  say(bytes: Uint8Array): void;
  /** What the radios have said. */
  readonly heard: Uint8Array[];
}

/** A network in memory: all hear all, as coming from this machine. */
export function ether(): Ether {
  const heard: Uint8Array[] = [];
  const all = new Set<(datagram: Datagram | undefined) => void>();
  const radio = (): LanRadio => {
    const queue: (Datagram | undefined)[] = [];
    let taker: ((datagram: Datagram | undefined) => void) | undefined;
    const put = (datagram: Datagram | undefined): void => {
      if (taker === undefined) return void queue.push(datagram);
      taker(datagram);
      taker = undefined;
    };
    all.add(put);
    return {
      send(bytes) {
        heard.push(bytes.slice());
        say(bytes);
        return Promise.resolve();
      },
      receive: () =>
        queue.length > 0
          ? Promise.resolve(queue.shift())
          : new Promise((resolve) => taker = resolve),
      close() {
        all.delete(put);
        put(undefined);
      },
    };
  };
  const say = (bytes: Uint8Array): void => {
    const from = { hostname: "127.0.0.1", port: 9 };
    for (const put of all) put({ bytes: bytes.slice(), from });
  };
  return { radio, say, heard };
}
