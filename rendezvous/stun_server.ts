/**
 * Answers STUN's Binding requests: tells whoever asks where it seems to be.
 *
 * With two ports, or two addresses as well, it is also what RFC 5780 needs to
 * find out how a NAT maps and filters. Nothing is remembered of who asks but how
 * often. An answer has at most three times the bytes of its question, and an
 * address gets so many a second and no more, so that nobody gains by asking in
 * another's name.
 *
 * @module
 */
import { type Clock, systemClock } from "../core/clock.ts";
import type { Metrics } from "../core/metrics.ts";
import type { HostPort } from "../transport/address.ts";
import { perAddress } from "./per_address.ts";
import {
  BINDING,
  decodeStun,
  encodeStun,
  looksLikeStun,
  STUN,
  type StunAttribute,
  stunAttribute,
  type StunMessage,
} from "./stun.ts";
import type { Datagram, DatagramSocket } from "./stun_socket.ts";
import {
  encodeStunAddress,
  encodeStunError,
  encodeXorAddress,
} from "./stun_values.ts";

/** Where and how it answers. */
export interface StunServerOptions {
  readonly socket: DatagramSocket;
  /** Another port of the same address. */
  readonly otherPort?: DatagramSocket;
  /** Another address, with the ports of the two before. */
  readonly otherAddress?: readonly [DatagramSocket, DatagramSocket];
  /** Answers that an address gets a second, and at once. @default {{ perSecond: 10, burst: 40 }} */
  readonly limit?: { readonly perSecond: number; readonly burst: number };
  /** Answers a second to all. @default {5000} */
  readonly totalPerSecond?: number;
  readonly clock?: Clock;
  readonly metrics?: Metrics;
}

/** See {@linkcode StunServerOptions}. */
export const DEFAULT_STUN_SERVER_OPTIONS = Object.freeze({
  limit: Object.freeze({ perSecond: 10, burst: 40 }),
  totalPerSecond: 5000,
});

/** A server that answers. */
export interface StunServer {
  /** Ends once all its sockets are closed. */
  readonly finished: Promise<void>;
  close(): void;
}

/** Starts to answer on the sockets, which are the server's own from here on. */
export function stunServer(options: StunServerOptions): StunServer {
  const { clock = systemClock, metrics } = options;
  const { limit, totalPerSecond } = {
    ...DEFAULT_STUN_SERVER_OPTIONS,
    ...options,
  };
  const answered = metrics?.counter(
    "sftpx_stun_answers_total",
    "STUN requests that were answered",
  );
  const dropped = metrics?.counter(
    "sftpx_stun_dropped_total",
    "Datagrams to the STUN port that were not answered",
  );
  const each = perAddress(limit, clock);
  const all = perAddress(
    { perSecond: totalPerSecond, burst: totalPerSecond, maxAddresses: 1 },
    clock,
  );
  const grid = gridOf(options);

  const answer = (place: Place, { bytes, from }: Datagram): boolean => {
    if (!looksLikeStun(bytes)) return false;
    let request: StunMessage;
    try {
      request = decodeStun(bytes);
    } catch {
      return false;
    }
    if (request.class !== "request") return false;
    if (!each.take(from.hostname) || !all.take("all")) return false;
    const { reply, via } = replyTo(request, place, from, grid);
    via.send(reply, from); // never rejects
    return true;
  };
  const serve = async (place: Place): Promise<void> => {
    for (;;) {
      const datagram = await place.socket.receive();
      if (datagram === undefined) return;
      (answer(place, datagram) ? answered : dropped)?.add();
    }
  };
  return {
    finished: Promise.all(grid.map(serve)).then(() => {}),
    close() {
      for (const { socket } of grid) socket.close();
    },
  };
}

/** One of up to four sockets: of which address, and of which port. */
interface Place {
  readonly address: 0 | 1;
  readonly port: 0 | 1;
  readonly socket: DatagramSocket;
}

function gridOf(options: StunServerOptions): readonly Place[] {
  const { socket, otherPort, otherAddress } = options;
  const grid: Place[] = [{ address: 0, port: 0, socket }];
  if (otherPort) grid.push({ address: 0, port: 1, socket: otherPort });
  if (otherAddress) {
    grid.push({ address: 1, port: 0, socket: otherAddress[0] });
    grid.push({ address: 1, port: 1, socket: otherAddress[1] });
  }
  return grid;
}

interface Reply {
  readonly reply: Uint8Array;
  readonly via: DatagramSocket;
}

function replyTo(
  request: StunMessage,
  place: Place,
  from: HostPort,
  grid: readonly Place[],
): Reply {
  const { transaction } = request;
  const fail = (code: number, text: string, more: StunAttribute[] = []) => ({
    via: place.socket,
    reply: encodeStun({
      method: request.method,
      class: "error",
      transaction,
      attributes: [
        { type: STUN.errorCode, value: encodeStunError(code, text) },
        ...more,
      ],
    }),
  });
  if (request.method !== BINDING) return fail(400, "no");
  const unknown = request.attributes.map(({ type }) => type)
    .filter((type) => type < 0x8000 && !UNDERSTOOD.has(type)).slice(0, 4);
  if (unknown.length > 0) {
    const value = Uint8Array.from(unknown.flatMap((type) => [type >> 8, type]));
    return fail(420, "no", [{ type: STUN.unknownAttributes, value }]);
  }
  const flags = stunAttribute(request, STUN.changeRequest)?.[3] ?? 0;
  const wanted = {
    address: flags & 4 ? 1 - place.address : place.address,
    port: flags & 2 ? 1 - place.port : place.port,
  };
  const via = grid.find(({ address, port }) =>
    address === wanted.address && port === wanted.port
  );
  if (via === undefined) return fail(420, "no");
  return {
    via: via.socket,
    reply: encodeStun({
      method: BINDING,
      class: "success",
      transaction,
      attributes: [
        {
          type: STUN.xorMappedAddress,
          value: encodeXorAddress(from, transaction),
        },
        ...otherOf(place, grid),
      ],
    }),
  };
}

/** Attributes below 0x8000 that must be understood, and are. USERNAME and the like mean nothing here. */
const UNDERSTOOD: ReadonlySet<number> = new Set([
  STUN.changeRequest,
  0x0006, // USERNAME
  STUN.messageIntegrity,
  0x001c, // MESSAGE-INTEGRITY-SHA256
]);

/** OTHER-ADDRESS: our other address where there is one, and our other port. */
function otherOf(place: Place, grid: readonly Place[]): StunAttribute[] {
  const hasAddress = grid.some(({ address }) => address === 1);
  const other = grid.find(({ address, port }) =>
    address === (hasAddress ? 1 - place.address : place.address) &&
    port === 1 - place.port
  );
  // A wildcard has no address that could be told: the port is what counts.
  return other === undefined ? [] : [{
    type: STUN.otherAddress,
    value: encodeStunAddress(other.socket.address),
  }];
}
