/**
 * Makes the buffers of one of our UDP sockets larger.
 *
 * The platform leaves them as they are, some 200 KB: bursts of a fast path do
 * not fit, and congestion control takes what is dropped for a full network.
 * There is no call for it but the system's own, so it is done by FFI, best
 * effort: where that is not possible or not permitted, nothing happens.
 *
 * @module
 */
import type { HostPort } from "./address.ts";
import { withSocket } from "./system_socket.ts";

/** What a socket holds, in bytes as the kernel counts them. */
export interface SocketBuffers {
  readonly receiveBytes: number;
  readonly sendBytes: number;
}

/**
 * Raises the buffers of the UDP socket that is bound to `address` to `bytes`,
 * or to what the kernel allows. It never makes them smaller.
 *
 * @returns What the socket holds now; `undefined` where that cannot be known.
 */
export function raiseSocketBuffers(
  address: HostPort,
  bytes: number,
): SocketBuffers | undefined {
  const names = NAMES[Deno.build.os];
  if (names === undefined) return undefined;
  return withSocket({ kind: "udp", address }, ({ get, set }) => {
    const grow = (options: readonly number[]): number => {
      const read = options.at(-1) ?? 0;
      const held = (): number => get(names.level, read) ?? 0;
      for (const option of options) {
        for (let size = bytes; size >= MIN_BYTES && held() < bytes; size /= 2) {
          if (held() < size) set(names.level, option, size);
        }
      }
      return held();
    };
    return { receiveBytes: grow(names.receive), sendBytes: grow(names.send) };
  });
}

/** How a system calls the buffers. */
interface Names {
  readonly level: number;
  readonly receive: readonly number[];
  readonly send: readonly number[];
}

const NAMES: { readonly [os: string]: Names } = {
  linux: {
    level: 1,
    receive: [33, 8], // SO_RCVBUFFORCE, for root, then SO_RCVBUF
    send: [32, 7],
  },
  darwin: { level: 0xffff, receive: [0x1002], send: [0x1001] },
};

/** Below this a refused size is not tried again. */
const MIN_BYTES = 256 * 1024;
