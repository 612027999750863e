/**
 * Forwarded ports as addresses to be reached at.
 *
 * @module
 */
import {
  isOutside,
  type Mapping,
  mapPort,
  type PortMapDeps,
} from "./port_map.ts";
import type { MapProtocol } from "./port_map_pcp.ts";
import type { Candidate, CandidateSource, GatherContext } from "./types.ts";

/** What may be given in place of the system's. */
export type PortMapSourceOptions = Partial<
  Pick<PortMapDeps, "gateways" | "pcpPort" | "upnp">
>;

/**
 * Makes the source. Its iteration ends when all ports have been taken back,
 * which is when `signal` has aborted, or at once when there are none.
 */
export function portMapSource(
  options: PortMapSourceOptions = {},
): CandidateSource {
  return {
    name: "port-map",
    async *gather(context, signal) {
      const deps: PortMapDeps = { ...context, ...options };
      const kept: Promise<void>[] = [];
      try {
        const asked = wanted(context).map(({ protocol, port }) =>
          mapPort(protocol, port, deps, signal)
        );
        for (const ask of asked) {
          const mapping = await ask;
          if (mapping === undefined) continue;
          kept.push(keep(mapping, deps, signal));
          context.log.event("portmap.mapped", {
            method: mapping.method,
            port: mapping.external.port,
            outside: isOutside(mapping),
          });
          if (isOutside(mapping)) yield candidateOf(mapping);
        }
        await Promise.all(kept);
      } finally {
        if (signal.aborted) await Promise.all(kept);
      }
    },
  };
}

/** QUIC's port of IPv4, and TLS's. */
function wanted(
  { endpoints, tcpPort }: GatherContext,
): { readonly protocol: MapProtocol; readonly port: number }[] {
  const ports: { protocol: MapProtocol; port: number }[] = [];
  const udp = endpoints.find(({ family }) => family === 4) ?? endpoints[0];
  if (udp !== undefined) ports.push({ protocol: "udp", port: udp.port });
  if (tcpPort !== undefined) ports.push({ protocol: "tcp", port: tcpPort });
  return ports;
}

function candidateOf({ protocol, external }: Mapping): Candidate {
  return {
    kind: "mapped",
    carrier: protocol === "udp" ? "quic" : "tcp",
    ...external,
  };
}

/** Renews a mapping until `signal` aborts, and takes it back then. */
async function keep(
  mapping: Mapping,
  { clock, log }: PortMapDeps,
  signal: AbortSignal,
): Promise<void> {
  const everyMs = (mapping.lifetime || FOREVER_S) * 1000 / 2;
  try {
    for (;;) {
      await clock.delay(everyMs, signal);
      await mapping.renew(signal).catch((error) =>
        log.event("portmap.failed", {
          method: mapping.method,
          error: String(error),
        })
      );
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await mapping.remove();
  }
}

/** One that does not end is looked after now and then. */
const FOREVER_S = 7200;
