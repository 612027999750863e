/**
 * Keeps what a TCP socket has taken and not sent yet little.
 *
 * The kernel takes megabytes when the peer does not keep up. They are cold by the
 * time that they go, the writer is told so late that it then fills all of it at
 * once, and at the end all of it has still to go, by one stream. The window stays
 * as large as the path wants it: only what waits for the window is meant
 * (`TCP_NOTSENT_LOWAT`). There is no call of the platform for it, so it is done
 * by FFI, best effort.
 *
 * @module
 */
import type { HostPort } from "./address.ts";
import { withSocket } from "./system_socket.ts";

/** Some frames' worth, so that the socket never runs dry, bytes. */
export const UNSENT_BYTES = 512 * 1024;

/**
 * Limits what the TCP socket that is bound to `address` takes ahead of what it
 * sends.
 *
 * @returns The limit that it has now, bytes; `undefined` where there is none.
 */
export function limitUnsent(
  address: HostPort,
  bytes: number = UNSENT_BYTES,
): number | undefined {
  const name = NAMES[Deno.build.os];
  if (name === undefined) return undefined;
  return withSocket({ kind: "tcp", address }, ({ get, set }) => {
    set(IPPROTO_TCP, name, bytes);
    return get(IPPROTO_TCP, name);
  });
}

const IPPROTO_TCP = 6;
/** How a system calls `TCP_NOTSENT_LOWAT`. */
const NAMES: { readonly [os: string]: number } = { linux: 25, darwin: 0x201 };
