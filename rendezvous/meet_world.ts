/**
 * What all ways of meeting have in common.
 *
 * @module
 */
import { type Clock, systemClock } from "../core/clock.ts";
import { type Log, nullLog } from "../core/log.ts";
import { type Secret, secret } from "../core/secret.ts";
import { makeCertificate } from "../crypto/certificate.ts";
import { type RandomBytes, systemRandomBytes } from "../crypto/random.ts";
import { familyOf } from "../transport/address.ts";
import type { QuicOptions } from "../transport/quic.ts";
import { createHelperClient, type HelperClient } from "./client.ts";
import { type HelperAddress, helperDialer } from "./helper_dialer.ts";
import { helperOrLan } from "./helper_or_lan.ts";
import { scopeOf } from "./ip.ts";
import { lanHelper } from "./lan_helper.ts";
import { portMapSource } from "./port_map_source.ts";
import { relayClient } from "./relay_client.ts";
import type { Station } from "./station.ts";
import type { CandidateSource, PathPolicy, RelayClient } from "./types.ts";

/** What all ways of meeting can be told. */
export interface MeetOptions {
  /** Where the two are introduced: at a helper, or by multicast on the local network. */
  readonly helper: HelperAddress | "local";
  /** Which paths may be used. @default {"any"} */
  readonly policy?: PathPolicy;
  /** Asks routers to forward a port. @default {true} but for a helper on this machine */
  readonly mapPorts?: boolean;
  /** Ends the wait, and what was opened for it. */
  readonly signal?: AbortSignal;
  /** Told what the parts of the program do. @default {nobody} */
  readonly log?: Log;
}

/** What only tests change: what finds addresses, and which there are. */
export interface MeetInside {
  readonly helper?: (station: Station) => HelperClient;
  readonly sources?: readonly CandidateSource[];
  readonly relay?: RelayClient;
  readonly addresses?: () => readonly string[];
  readonly quic?: QuicOptions;
}

/** Who we are at a meeting. */
export interface Own {
  readonly certificate: { readonly cert: string; readonly key: Secret };
  readonly fingerprint: Uint8Array;
}

/** What both sides of a meeting are made of. */
export interface MeetWorld extends Own {
  readonly helper: (station: Station) => HelperClient;
  readonly policy: PathPolicy;
  readonly sources: readonly CandidateSource[];
  readonly relay: RelayClient;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly signal: AbortSignal;
  readonly log?: Log;
}

/** Fills in what was not said. */
export async function worldOf(
  options: MeetOptions,
  inside: MeetInside,
  own?: Own,
): Promise<MeetWorld> {
  const { helper, log, signal = new AbortController().signal } = options;
  const isLocal = helper === "local";
  const policy = isLocal ? "lan-only" : options.policy ?? "any";
  const mapPorts = options.mapPorts ?? !isHere(helper);
  const hasUse = policy === "any" || policy === "direct-only";
  const [clock, random] = [systemClock, systemRandomBytes];
  return {
    ...own ?? await onceOnly(clock),
    helper: helperAt(helper, { clock, random, log: log ?? nullLog }),
    policy,
    sources: mapPorts && hasUse ? [portMapSource()] : [],
    relay: relayClient(),
    clock,
    random,
    signal,
    ...log && { log },
    ...inside,
  };
}

/** A helper, or what stands in for it. */
function helperAt(
  helper: HelperAddress | "local",
  world: {
    readonly clock: Clock;
    readonly random: RandomBytes;
    readonly log: Log;
  },
): (station: Station) => HelperClient {
  return ({ pool }) => {
    const lan = lanHelper(world);
    if (helper === "local") return lan;
    const dialer = helperDialer({ ...world, helper, pool });
    return helperOrLan(createHelperClient(dialer, world.clock), lan, world);
  };
}

/** No router stands between this machine and itself. */
function isHere(helper: HelperAddress | "local"): boolean {
  if (helper === "local") return true;
  const { hostname } = helper;
  return hostname === "localhost" ||
    familyOf(hostname) !== undefined && scopeOf(hostname) === "loopback";
}

/** A certificate for this meeting only: nobody can tell that two were of one machine. */
async function onceOnly(clock: Clock): Promise<Own> {
  const now = new Date(clock.wallMs());
  const { cert, key, fingerprint } = await makeCertificate({ now, days: 14 });
  const bytes = new TextEncoder().encode(key);
  return { certificate: { cert, key: secret(bytes) }, fingerprint };
}
