/**
 * Lets small writes of accepted TCP connections go at once.
 *
 * The platform can ask for that on connections that it dials, and not on those
 * that it accepts over TLS; without it every second small write waits some 40 ms
 * for the peer's kernel. An accepted connection takes it over from the socket
 * that listens, so it is set there, by FFI and best effort.
 *
 * @module
 */
import type { HostPort } from "./address.ts";
import { withSocket } from "./system_socket.ts";

/**
 * Sets `TCP_NODELAY` on the TCP socket that listens on `address`.
 *
 * @returns True if it is set now.
 */
export function noDelay(address: HostPort): boolean {
  const isSet = withSocket({ kind: "tcp", address }, ({ get, set }) => {
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    return (get(IPPROTO_TCP, TCP_NODELAY) ?? 0) !== 0;
  });
  return isSet ?? false;
}

const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
