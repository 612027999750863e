/**
 * What the NAT before us does, in the terms of RFC 5780 (and RFC 4787).
 *
 * *Mapping*: whether we have the same address and port outside whomever we send
 * to. *Filtering*: whose datagrams come in on it. A server with two addresses
 * tells all; one with two ports tells whether ports matter, and a second server
 * then tells whether addresses do.
 *
 * @module
 */
import { codeOf } from "../core/errors.ts";
import type { HostPort } from "../transport/address.ts";
import { isSameAddress, isSameHost } from "./stun_values.ts";
import type { AskStunOptions, Binding, StunClient } from "./stun_client.ts";

/** How a NAT treats different peers. */
export type Dependence =
  /** All peers are alike. */
  | "endpoint-independent"
  /** Ports do not matter; whether addresses do was not to be found out. */
  | "port-independent"
  | "address-dependent"
  | "address-and-port-dependent"
  | "unknown";

/** What is before us. */
export interface NatBehavior {
  /** Where we are as seen from outside. */
  readonly mapped: HostPort;
  /** True when that is not an address of this machine. */
  readonly isNat: boolean;
  /** True when our port is the same outside. */
  readonly keepsPort: boolean;
  readonly mapping: Dependence;
  readonly filtering: Dependence;
}

/** Whom to ask. */
export interface NatBehaviorOptions {
  readonly client: StunClient;
  readonly server: HostPort;
  /** Another server, at another address. */
  readonly second?: HostPort;
  /** Addresses of this machine. */
  readonly own: readonly string[];
  readonly signal?: AbortSignal;
}

/** A question that has no answer is asked three times in 2.1 s. */
const PATIENCE = { rtoMs: 300, tries: 3 };

/**
 * Finds out.
 *
 * @throws {SftpxError} "unreachable" when the server has no answer.
 */
export async function natBehavior(
  options: NatBehaviorOptions,
): Promise<NatBehavior> {
  const { client, server, own, signal } = options;
  const ask = (to: HostPort, more: AskStunOptions = {}): Promise<Binding> =>
    client.ask(to, { ...PATIENCE, ...(signal && { signal }), ...more });
  const first = await ask(server, { tries: 5 });
  const { mapped } = first;
  // First, as what we send to others lets them in.
  const filtering = await filteringOf(first, server, ask);
  const mapping = await mappingOf(first, options, ask);
  return {
    mapped,
    isNat: !own.some((address) => isSameHost(address, mapped.hostname)),
    keepsPort: mapped.port === client.address.port,
    mapping,
    filtering,
  };
}

/** Tells whether two peers with these behaviors can meet without a relay, by each sending to the other. */
export function canPunch(
  a: Pick<NatBehavior, "mapping" | "filtering">,
  b: Pick<NatBehavior, "mapping" | "filtering">,
): boolean {
  const moves = (nat: typeof a): boolean =>
    nat.mapping === "address-dependent" ||
    nat.mapping === "address-and-port-dependent";
  const picky = (nat: typeof a): boolean =>
    nat.filtering === "address-and-port-dependent";
  // Who moves comes from a port that the other has not sent to.
  if (moves(a) && moves(b)) {
    return a.filtering === "endpoint-independent" ||
      b.filtering === "endpoint-independent";
  }
  return !(moves(a) && picky(b)) && !(moves(b) && picky(a));
}

type Ask = (to: HostPort, more?: AskStunOptions) => Promise<Binding>;

async function filteringOf(
  { other }: Binding,
  server: HostPort,
  ask: Ask,
): Promise<Dependence> {
  if (other === undefined) return "unknown";
  const comes = async (address: boolean): Promise<boolean> => {
    const change = { address, port: true };
    return await answered(ask(server, { change })) !== undefined;
  };
  if (hasAddress(other, server)) {
    if (await comes(true)) return "endpoint-independent";
    return await comes(false)
      ? "address-dependent"
      : "address-and-port-dependent";
  }
  return await comes(false) ? "port-independent" : "address-and-port-dependent";
}

async function mappingOf(
  { mapped, other }: Binding,
  { server, second }: NatBehaviorOptions,
  ask: Ask,
): Promise<Dependence> {
  const at = async (to: HostPort): Promise<HostPort | undefined> =>
    (await answered(ask(to)))?.mapped;
  const same = (a: HostPort | undefined, b: HostPort): boolean =>
    a !== undefined && isSameAddress(a, b);
  if (other !== undefined && hasAddress(other, server)) {
    const next = await at({ hostname: other.hostname, port: server.port });
    if (next === undefined) return "unknown";
    if (same(next, mapped)) return "endpoint-independent";
    return same(await at(other), next)
      ? "address-dependent"
      : "address-and-port-dependent";
  }
  const port = other === undefined
    ? undefined
    : await at({ hostname: server.hostname, port: other.port });
  if (port !== undefined && !same(port, mapped)) {
    return "address-and-port-dependent";
  }
  const next = second === undefined ? undefined : await at(second);
  if (next === undefined) {
    return port === undefined ? "unknown" : "port-independent";
  }
  return same(next, mapped) ? "endpoint-independent" : "address-dependent";
}

/** A server that is bound to a wildcard does not know its address, and has but one. */
function hasAddress(other: HostPort, server: HostPort): boolean {
  return !isSameHost(other.hostname, server.hostname) &&
    !UNSPECIFIED.has(other.hostname);
}

const UNSPECIFIED: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** What came; `undefined` when nothing did, or the server does not do that. */
async function answered(
  asked: Promise<Binding>,
): Promise<Binding | undefined> {
  try {
    return await asked;
  } catch (error) {
    const code = codeOf(error);
    if (code === "unreachable" || code === "protocol") return undefined;
    throw error;
  }
}
