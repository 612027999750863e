/**
 * Asks whether a QUIC server listens at an address, without a handshake: a
 * server answers a version that it does not know with those that it does
 * (RFC 9000, section 6).
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { RandomBytes } from "../crypto/random.ts";
import type { HostPort } from "../transport/address.ts";
import type { DatagramSocket } from "./stun_socket.ts";
import { isSameAddress } from "./stun_values.ts";

/** What asking needs. */
export interface QuicProbeDeps {
  /** Closed in the end. */
  readonly socket: DatagramSocket;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
}

/** The waits for an answer, ms. */
const WAITS_MS = [500, 1000, 2000];
/** A version that nobody has, of the kind that is there for this. */
const VERSION = [0x1a, 0x2a, 0x3a, 0x4a];
const ID_BYTES = 8;

/** Asks three times in 3.5 s. */
export async function answersQuic(
  to: HostPort,
  { socket, clock, randomBytes }: QuicProbeDeps,
): Promise<boolean> {
  const ours = randomBytes(ID_BYTES);
  const probe = new Uint8Array(1200);
  probe.set([0xc0, ...VERSION, ID_BYTES, ...randomBytes(ID_BYTES)]);
  probe.set([ID_BYTES, ...ours], 6 + ID_BYTES);
  const over = new AbortController();
  const hear = async (): Promise<boolean> => {
    for (;;) {
      const datagram = await socket.receive();
      if (datagram === undefined) return false;
      const { bytes, from } = datagram;
      if (isSameAddress(from, to) && isNegotiation(bytes, ours)) return true;
    }
  };
  const ask = async (): Promise<boolean> => {
    for (const ms of WAITS_MS) {
      await socket.send(probe, to);
      await clock.delay(ms, over.signal);
    }
    return false;
  };
  try {
    return await Promise.race([hear(), ask().catch(() => false)]);
  } finally {
    over.abort();
    socket.close();
  }
}

/** A list of versions, to who has our id. */
function isNegotiation(bytes: Uint8Array, ours: Uint8Array): boolean {
  const [first = 0, a, b, c, d, length] = bytes;
  return (first & 0x80) !== 0 && a === 0 && b === 0 && c === 0 && d === 0 &&
    length === ours.length &&
    ours.every((byte, i) => bytes[6 + i] === byte);
}
