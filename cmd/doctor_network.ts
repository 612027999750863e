/**
 * What `doctor` finds out of the network.
 *
 * @module
 */
import { type Clock, systemClock } from "../core/clock.ts";
import { codeOf } from "../core/errors.ts";
import { nullLog } from "../core/log.ts";
import { systemRandomBytes } from "../crypto/random.ts";
import { parseAddress } from "../protocol/address.ts";
import { scopeOf } from "../rendezvous/ip.ts";
import { lanRadio } from "../rendezvous/lan_radio.ts";
import { isOutside, mapPort } from "../rendezvous/port_map.ts";
import {
  type Gateway,
  systemGateways,
} from "../rendezvous/port_map_gateway.ts";
import { answersQuic } from "../rendezvous/quic_probe.ts";
import { natBehavior } from "../rendezvous/stun_behavior.ts";
import { stunClient } from "../rendezvous/stun_client.ts";
import { stunPortsOf } from "../rendezvous/stun_helper.ts";
import { bindDatagrams } from "../rendezvous/stun_socket.ts";
import { stunServer } from "../rendezvous/stun_server.ts";
import { familyOf, type HostPort } from "../transport/address.ts";
import { systemLookup } from "../transport/happy_eyeballs.ts";
import type {
  FamilyFacts,
  MappingFacts,
  NetworkFacts,
  ServerFacts,
} from "./doctor_facts.ts";

/** Whom to ask. */
export interface NetworkQuestions {
  readonly addresses: readonly string[];
  readonly helper: string | undefined;
  readonly stun: readonly string[];
  readonly signal: AbortSignal;
  /** Routers that may forward a port. @default the system's */
  readonly gateways?: () => Promise<readonly Gateway[]>;
}

/** Where STUN servers listen when nothing else is said. */
export const STUN_PORT = 3478;
/** Where helpers do. */
const HELPER_PORT = 4277;
/** How long TCP may take to connect, ms. */
const TCP_MS = 5000;

/** Looks at the network; it takes some 10 s at most. */
export async function networkFacts(
  questions: NetworkQuestions,
): Promise<NetworkFacts> {
  const { helper, stun, signal } = questions;
  const own = [...new Set(questions.addresses)].map((address) =>
    address.replace(/%.*$/, "")
  );
  const wanted: Wanted[] = [
    ...(helper === undefined ? [] : [wantedHelper(helper)]),
    ...stun.map(wantedStun),
  ];
  const second = stun[0] === undefined ? undefined : wantedStun(stun[0]);
  const [loopback, multicast, mapping, ...servers] = await Promise.all([
    loopbackWorks(),
    multicastError(),
    mappingFacts(await (questions.gateways ?? systemGateways)(), signal),
    ...wanted.map((one) => askServer(one, second, own, signal)),
  ]);
  return {
    addresses: own.filter((address) => scopeOf(address) !== "loopback")
      .map((address) => ({ address, scope: scopeOf(address) })),
    loopback,
    multicast,
    servers,
    mapping,
  };
}

interface Wanted {
  readonly name: string;
  /** Its port for STUN. */
  readonly at: HostPort;
  /** Its own, if it is a helper. */
  readonly helperPort: number | undefined;
}

function wantedHelper(name: string): Wanted {
  const { hostname, port } = parseAddress(name, HELPER_PORT);
  const [stun] = stunPortsOf(port);
  return { name, at: { hostname, port: stun }, helperPort: port };
}

function wantedStun(name: string): Wanted {
  return { name, at: parseAddress(name, STUN_PORT), helperPort: undefined };
}

async function askServer(
  { name, at, helperPort }: Wanted,
  second: Wanted | undefined,
  own: readonly string[],
  signal: AbortSignal,
): Promise<ServerFacts> {
  const isHelper = helperPort !== undefined;
  const found = await lookup(at.hostname);
  if (found.length === 0) {
    const error = "the name has no address";
    return { name, isHelper, families: [], error };
  }
  const others = second === undefined || second.at.hostname === at.hostname
    ? []
    : await lookup(second.at.hostname);
  const families: FamilyFacts[] = [];
  for (const family of [4, 6] as const) {
    const hostname = found.find((address) => familyOf(address) === family);
    if (hostname === undefined) continue;
    if (family === 6 && !own.some((address) => familyOf(address) === 6)) {
      continue; // it cannot be reached from here
    }
    const other = others.find((address) => familyOf(address) === family);
    const server = { hostname, port: at.port };
    const near = family === 6 ? "::" : "0.0.0.0";
    const [udp, tcp, quic] = await Promise.all([
      askNat(
        server,
        other === undefined ? undefined : {
          hostname: other,
          port: second?.at.port ?? STUN_PORT,
        },
        own,
        signal,
      ),
      helperPort === undefined
        ? undefined
        : tcpWorks({ hostname, port: helperPort }, signal),
      helperPort === undefined
        ? undefined
        : answersQuic({ hostname, port: helperPort }, {
          socket: bindDatagrams({ hostname: near, port: 0 }),
          clock: systemClock,
          randomBytes: systemRandomBytes,
        }),
    ]);
    families.push({ family, address: server, quic, tcp, ...udp });
  }
  return { name, isHelper, families, error: undefined };
}

type UdpFacts = Pick<FamilyFacts, "nat" | "udpError" | "roundTripMs">;

async function askNat(
  server: HostPort,
  second: HostPort | undefined,
  own: readonly string[],
  signal: AbortSignal,
): Promise<UdpFacts> {
  const hostname = familyOf(server.hostname) === 6 ? "::" : "0.0.0.0";
  const client = stunClient({ socket: bindDatagrams({ hostname, port: 0 }) });
  try {
    const nat = await natBehavior({
      client,
      server,
      ...(second && { second }),
      own,
      signal,
    });
    const start = systemClock.now();
    await client.ask(server, { signal });
    const roundTripMs = systemClock.now() - start;
    return { nat, udpError: undefined, roundTripMs };
  } catch (error) {
    if (signal.aborted) throw error;
    const udpError = codeOf(error) === "unreachable"
      ? "no answer came"
      : error instanceof Error
      ? error.message
      : String(error);
    return { nat: undefined, udpError, roundTripMs: undefined };
  } finally {
    client.close();
  }
}

async function tcpWorks(to: HostPort, signal: AbortSignal): Promise<boolean> {
  const over = AbortSignal.any([signal, AbortSignal.timeout(TCP_MS)]);
  try {
    const conn = await Deno.connect({ ...to, signal: over });
    conn.close();
    return true;
  } catch {
    return false;
  }
}

async function lookup(hostname: string): Promise<readonly string[]> {
  if (familyOf(hostname) !== undefined) return [hostname];
  try {
    return await systemLookup(hostname);
  } catch {
    return [];
  }
}

/** Asks ourselves where we are: a firewall on this machine is noticed here. */
async function loopbackWorks(): Promise<boolean> {
  const at = { hostname: "127.0.0.1", port: 0 };
  const socket = bindDatagrams(at);
  const server = stunServer({ socket });
  const client = stunClient({ socket: bindDatagrams(at) });
  try {
    await client.ask(socket.address, { rtoMs: 100 });
    return true;
  } catch {
    return false;
  } finally {
    client.close();
    server.close();
  }
}

/** Why there is no multicast; `undefined` when there is. */
async function multicastError(): Promise<string | undefined> {
  try {
    (await lanRadio()).close();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Has a port forwarded, and takes it back. */
async function mappingFacts(
  routers: readonly Gateway[],
  signal: AbortSignal,
): Promise<MappingFacts> {
  const clock: Clock = systemClock;
  const socket = bindDatagrams({ hostname: "0.0.0.0", port: 0 });
  try {
    const mapping = await mapPort("udp", socket.address.port, {
      clock,
      log: nullLog,
      randomBytes: systemRandomBytes,
      gateways: () => Promise.resolve(routers),
    }, signal);
    await mapping?.remove();
    return {
      routers: routers.map(({ gateway }) => gateway),
      method: mapping?.method,
      external: mapping?.external,
      isOutside: mapping !== undefined && isOutside(mapping),
    };
  } finally {
    socket.close();
  }
}
