/**
 * Asks the router to forward a port to us, by PCP, NAT-PMP or UPnP, whichever it
 * knows, and takes it back in the end.
 *
 * The search takes 5 s at most. A mapping has a lifetime and is renewed at half
 * of it, so that one of a process that was killed goes by itself.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { RandomBytes } from "../crypto/random.ts";
import { type HostPort } from "../transport/address.ts";
import { scopeOf } from "./ip.ts";
import { type Gateway, systemGateways } from "./port_map_gateway.ts";
import {
  decodePcp,
  decodePmp,
  decodePmpAddress,
  encodePcp,
  encodePmp,
  encodePmpAddress,
  type MapAnswer,
  type MapProtocol,
  type MapRequest,
  PCP_PORT,
} from "./port_map_pcp.ts";
import {
  CONFLICT,
  findUpnp,
  mapUpnp,
  ONLY_PERMANENT,
  unmapUpnp,
  upnpAddress,
  type UpnpDeps,
  UpnpRefusal,
  type UpnpService,
} from "./port_map_upnp.ts";
import { bindDatagrams, type DatagramSocket } from "./stun_socket.ts";

/** By which words a router was asked. */
export type MapMethod = "pcp" | "nat-pmp" | "upnp";

/** A port that a router forwards. */
export interface Mapping {
  readonly method: MapMethod;
  readonly protocol: MapProtocol;
  readonly internalPort: number;
  /** Where it is outside. */
  readonly external: HostPort;
  /** Seconds until it ends by itself; 0 is never. */
  readonly lifetime: number;
  /** Asks for it again. */
  renew(signal: AbortSignal): Promise<void>;
  /** Takes it back. Never rejects. */
  remove(): Promise<void>;
}

/** What asking needs. */
export interface PortMapDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly randomBytes: RandomBytes;
  /** @default the system's */
  readonly gateways?: () => Promise<readonly Gateway[]>;
  /** Where routers listen for PCP. @default {5351} */
  readonly pcpPort?: number;
  /** How UPnP is spoken. */
  readonly upnp?: Partial<UpnpDeps>;
}

/** How long a router is asked, and how long it may take to forget, ms. */
const SEARCH_MS = 5000;
const REMOVE_MS = 2000;
/** What is asked for, in seconds. */
const LIFETIME = 3600;
/** The waits for an answer to a datagram, ms. */
const WAITS_MS = [250, 500, 1000];

/**
 * Has a port forwarded.
 *
 * @returns `undefined` when no router does.
 */
export async function mapPort(
  protocol: MapProtocol,
  port: number,
  deps: PortMapDeps,
  signal: AbortSignal,
): Promise<Mapping | undefined> {
  const gateways = await (deps.gateways ?? systemGateways)();
  const over = new AbortController();
  const late = deps.clock.delay(
    SEARCH_MS,
    AbortSignal.any([over.signal, signal]),
  )
    .catch(() => {}).then(() => over.abort());
  const request = {
    protocol,
    internalPort: port,
    externalPort: port,
    lifetime: LIFETIME,
  };
  const found: Mapping[] = [];
  let first: Mapping | undefined;
  const ask = async (
    name: string,
    work: (signal: AbortSignal) => Promise<Mapping | undefined>,
  ): Promise<void> => {
    try {
      const mapping = await work(over.signal);
      if (mapping === undefined) return;
      found.push(mapping);
      first ??= mapping;
    } catch (error) {
      deps.log.event("portmap.failed", { method: name, error: String(error) });
    }
  };
  const tries = gateways.flatMap((gateway) => [
    ask("pcp", (signal) => byDatagram(gateway, request, deps, signal)),
    ask("upnp", (signal) => byUpnp(gateway, request, deps, signal)),
  ]);
  // A router that knows two ways gives the port twice: one is taken back.
  const any = Promise.any(tries.map((tried) =>
    tried.then(() => {
      if (first === undefined) throw new Error("no");
    })
  )).catch(() => {});
  await any;
  const chosen = first;
  const all = Promise.all(tries).then(async () => {
    over.abort();
    await late;
    for (const mapping of found) {
      const isSame = chosen !== undefined &&
        mapping.external.port === chosen.external.port;
      if (mapping !== chosen && !isSame) await mapping.remove();
    }
  });
  if (chosen === undefined) await all;
  return chosen;
}

async function byDatagram(
  gateway: Gateway,
  request: MapRequest,
  deps: PortMapDeps,
  signal: AbortSignal,
): Promise<Mapping | undefined> {
  const { pcpPort = PCP_PORT } = deps;
  const to = { hostname: gateway.gateway, port: pcpPort };
  const nonce = deps.randomBytes(12);
  const pcp = (request: MapRequest, signal: AbortSignal) =>
    converse(
      gateway,
      to,
      encodePcp(request, gateway.local, nonce),
      (bytes) => decodePcp(bytes, request, nonce),
      deps.clock,
      signal,
    );
  const pmp = (request: MapRequest, signal: AbortSignal) =>
    converse(
      gateway,
      to,
      encodePmp(request),
      (bytes) => decodePmp(bytes, request),
      deps.clock,
      signal,
    );
  const make = (
    method: MapMethod,
    speak: typeof pcp,
    answer: MapAnswer,
    address: string,
  ): Mapping | undefined => {
    if (!answer.ok) return undefined;
    const { externalPort, lifetime } = answer;
    return {
      method,
      protocol: request.protocol,
      internalPort: request.internalPort,
      external: { hostname: address, port: externalPort },
      lifetime,
      async renew(signal) {
        await speak({ ...request, externalPort }, signal);
      },
      remove: () =>
        quietly(deps, method, async (signal) => {
          await speak({ ...request, externalPort: 0, lifetime: 0 }, signal);
        }),
    };
  };
  const first = await pcp(request, signal);
  if (first?.ok && first.address !== undefined) {
    return make("pcp", pcp, first, first.address);
  }
  const second = await pmp(request, signal);
  if (!second?.ok) return undefined;
  const address = await converse(
    gateway,
    to,
    encodePmpAddress(),
    decodePmpAddress,
    deps.clock,
    signal,
  );
  return address && make("nat-pmp", pmp, second, address) || undefined;
}

async function byUpnp(
  gateway: Gateway,
  request: MapRequest,
  deps: PortMapDeps,
  signal: AbortSignal,
): Promise<Mapping | undefined> {
  const with_ = (signal: AbortSignal): UpnpDeps => ({
    fetch,
    ...deps.upnp,
    signal,
  });
  const socket = bindDatagrams({ hostname: gateway.local, port: 0 });
  const close = (): void => socket.close();
  signal.addEventListener("abort", close, { once: true });
  let service: UpnpService | undefined;
  try {
    service = await findUpnp(gateway, socket, with_(signal));
  } finally {
    close();
    signal.removeEventListener("abort", close);
  }
  if (service === undefined) return undefined;
  const found = service;
  const address = await upnpAddress(found, with_(signal));
  let wanted = request;
  for (let tries = 0;; tries++) {
    try {
      await mapUpnp(found, gateway, wanted, with_(signal));
      break;
    } catch (error) {
      if (!(error instanceof UpnpRefusal) || tries >= 3) throw error;
      if (error.number === ONLY_PERMANENT) wanted = { ...wanted, lifetime: 0 };
      else if (error.number === CONFLICT) {
        const [high = 0, low = 0] = deps.randomBytes(2);
        const externalPort = 1024 + (high << 8 | low) % 64_000;
        wanted = { ...wanted, externalPort };
      } else throw error;
    }
  }
  const granted = wanted;
  return {
    method: "upnp",
    protocol: request.protocol,
    internalPort: request.internalPort,
    external: { hostname: address, port: granted.externalPort },
    lifetime: granted.lifetime,
    renew: (signal) => mapUpnp(found, gateway, granted, with_(signal)),
    remove: () =>
      quietly(
        deps,
        "upnp",
        (signal) => unmapUpnp(found, granted, with_(signal)),
      ),
  };
}

/** Asks by datagram, three times, until `read` makes something of an answer. */
async function converse<T>(
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

/** Does something that may fail, in a bounded time. */
async function quietly(
  { clock, log }: PortMapDeps,
  method: MapMethod,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const over = new AbortController();
  const done = new AbortController();
  clock.delay(REMOVE_MS, done.signal).then(() => over.abort(), () => {});
  try {
    await work(over.signal);
  } catch (error) {
    log.event("portmap.failed", { method, error: String(error) });
  } finally {
    done.abort();
  }
}

/** Tells whether others can reach a mapping: a router behind another one gives an address that is of no use. */
export function isOutside({ external }: Mapping): boolean {
  try {
    return scopeOf(external.hostname) === "public";
  } catch {
    return false; // it is not even an address
  }
}
