/**
 * Questions to a router, in datagrams.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { HostPort } from "../transport/address.ts";
import type { Gateway } from "./port_map_gateway.ts";
import { bindDatagrams, type DatagramSocket } from "./stun_socket.ts";

/** The waits for an answer, ms. */
const WAITS_MS = [250, 500, 1000];

/** Asks by datagram, three times, until `read` makes something of an answer. */
export async function converse<T>(
  { local, gateway }: Gateway,
  to: HostPort,
  bytes: Uint8Array,
  read: (bytes: Uint8Array) => T | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<T | undefined> {
  const socket: DatagramSocket = bindDatagrams({ hostname: local, port: 0 });
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const ask = async (): Promise<undefined> => {
    for (const ms of WAITS_MS) {
      await socket.send(bytes, to);
      await clock.delay(ms, either);
    }
  };
  const hear = async (): Promise<T | undefined> => {
    for (;;) {
      const datagram = await socket.receive();
      if (datagram === undefined) return undefined;
      if (
        datagram.from.hostname !== gateway || datagram.from.port !== to.port
      ) {
        continue;
      }
      const answer = read(datagram.bytes);
      if (answer !== undefined) return answer;
    }
  };
  try {
    return await Promise.race([hear(), ask().catch(() => undefined)]);
  } finally {
    over.abort();
    socket.close();
  }
}
