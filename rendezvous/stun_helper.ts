/**
 * The STUN server beside a helper: on the two ports above its own.
 *
 * A socket that speaks QUIC cannot speak anything else on this platform, so STUN
 * has ports of its own: a helper on 4277 answers STUN on 4278 and 4279.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Metrics } from "../core/metrics.ts";
import type { HostPort } from "../transport/address.ts";
import { type StunServer, stunServer } from "./stun_server.ts";
import { bindDatagrams, type DatagramSocket } from "./stun_socket.ts";

/** The STUN ports of a helper: the one to ask, and the one that tests of a NAT use. */
export function stunPortsOf(helperPort: number): readonly [number, number] {
  // Above the last port there is none.
  const first = helperPort <= 65_533 ? helperPort + 1 : helperPort - 2;
  return [first, first + 1];
}

/** What it needs. */
export interface HelperStunDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/**
 * Answers STUN beside the helper that is bound to `helper`.
 *
 * @returns `undefined`, and says so in the log, when the ports are taken: a
 * helper does its own work without.
 */
export function helperStun(
  helper: HostPort,
  { clock, log, metrics }: HelperStunDeps,
): StunServer | undefined {
  const sockets: DatagramSocket[] = [];
  try {
    for (const port of stunPortsOf(helper.port)) {
      sockets.push(bindDatagrams({ hostname: helper.hostname, port }));
    }
  } catch (error) {
    for (const socket of sockets) socket.close();
    log.event("stun.failed", { error: String(error) });
    return undefined;
  }
  const [socket, otherPort] = sockets;
  if (socket === undefined) return undefined;
  log.event("stun.listening", { port: socket.address.port });
  return stunServer({
    socket,
    ...(otherPort && { otherPort }),
    clock,
    metrics,
  });
}
