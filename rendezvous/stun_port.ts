/**
 * A UDP port of ours, and where it is outside: asked for by a plain socket,
 * which then makes way for the one that speaks QUIC on the same port.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { RandomBytes } from "../crypto/random.ts";
import type { HostPort } from "../transport/address.ts";
import { stunClient } from "./stun_client.ts";
import { bindDatagrams } from "./stun_socket.ts";
import type { Candidate } from "./types.ts";

/** A port, and where it is outside. */
export interface StunPort {
  readonly port: number;
  /** As the server sees it. */
  readonly mapped: HostPort;
}

/** What asking needs. */
export interface StunPortDeps {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly signal: AbortSignal;
}

/**
 * Finds a port, and asks `server` for its mapping.
 *
 * @throws {SftpxError} "unreachable" when no answer came.
 */
export async function stunPort(
  server: HostPort,
  { clock, randomBytes, signal }: StunPortDeps,
): Promise<StunPort> {
  const socket = bindDatagrams({ hostname: "0.0.0.0", port: 0 });
  const client = stunClient({ socket, clock, randomBytes });
  try {
    const { mapped } = await client.ask(server, { signal });
    return { port: socket.address.port, mapped };
  } finally {
    await client.close();
  }
}

/** Where we are outside, as an address for the peer. */
export function reflexiveOf({ mapped }: StunPort): Candidate {
  return { kind: "reflexive", carrier: "quic", ...mapped };
}
