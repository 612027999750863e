/**
 * A UDP socket for datagrams other than QUIC's, and the real one.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { formatAddress, type HostPort } from "../transport/address.ts";

/** A datagram, and whose it is. */
export interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: HostPort;
}

/** A UDP socket. */
export interface DatagramSocket {
  readonly address: HostPort;
  /** Sends; what the network makes of it is not known, and an error of it is no error. */
  send(bytes: Uint8Array, to: HostPort): Promise<void>;
  /** The next datagram; `undefined` once closed. */
  receive(): Promise<Datagram | undefined>;
  close(): void;
}

/**
 * Binds a socket.
 *
 * @throws {SftpxError} "config" when the address cannot be had.
 */
export function bindDatagrams(
  address: HostPort,
  options: { readonly shared?: boolean } = {},
): DatagramSocket {
  let socket: Deno.DatagramConn;
  try {
    socket = Deno.listenDatagram({
      transport: "udp",
      ...address,
      ...(options.shared && { reuseAddress: true }),
    });
  } catch (error) {
    throw new SftpxError(
      "config",
      `Cannot bind "${formatAddress(address)}": ${
        error instanceof Error ? error.message : error
      }`,
      error,
    );
  }
  return datagramSocket(socket);
}

/** A socket of the platform as one of ours. */
export function datagramSocket(socket: Deno.DatagramConn): DatagramSocket {
  const bound = socket.addr as Deno.NetAddr;
  let isOpen = true;
  return {
    address: { hostname: bound.hostname, port: bound.port },
    async send(bytes, to) {
      try {
        await socket.send(bytes, { transport: "udp", ...to });
      } catch {
        // No route, nobody there: the same as a datagram that was lost.
      }
    },
    async receive() {
      while (isOpen) {
        try {
          const [bytes, from] = await socket.receive(
            new Uint8Array(MAX_DATAGRAM_BYTES),
          );
          const { hostname, port } = from as Deno.NetAddr;
          return { bytes, from: { hostname, port } };
        } catch (error) {
          // A port that was told to be unreachable is no end of ours.
          if (error instanceof Deno.errors.ConnectionRefused) continue;
          if (error instanceof Deno.errors.ConnectionReset) continue;
          return undefined;
        }
      }
      return undefined;
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      socket.close();
    },
  };
}

/** Longer ones are cut; no network carries them whole. */
const MAX_DATAGRAM_BYTES = 2048;
