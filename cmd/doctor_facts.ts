/**
 * What `doctor` finds out, as facts; `doctor_findings.ts` judges them.
 *
 * @module
 */
import type { NatBehavior } from "../rendezvous/stun_behavior.ts";
import type { HostPort } from "../transport/address.ts";

/** All facts. */
export interface Facts {
  readonly machine: MachineFacts;
  readonly network: NetworkFacts;
}

/** What the machine is and does. */
export interface MachineFacts {
  readonly deno: string;
  readonly system: string;
  readonly cores: number;
  /** What the wall clock says. */
  readonly wallMs: number;
  /** How far the wall clock went off while we looked, ms. */
  readonly driftMs: number;
  readonly hash: Speed & { readonly name: string };
  /** `undefined` when nothing can be written there. */
  readonly disk: (Speed & { readonly dir: string }) | undefined;
  readonly diskError: string | undefined;
  /** Largest UDP buffers that the kernel gives, and what one of ours has; 0 where not known. */
  readonly buffers: {
    readonly defaultBytes: number;
    readonly maxBytes: number;
    readonly oursBytes: number;
    /** Datagrams that were dropped for want of room, since the machine started. */
    readonly drops: number | undefined;
  };
}

/** How fast something goes. */
export interface Speed {
  readonly bytesPerSecond: number;
}

/** What the network is and does. */
export interface NetworkFacts {
  /** Addresses of this machine that others may reach, each with its scope. */
  readonly addresses: readonly {
    readonly address: string;
    readonly scope: string;
  }[];
  /** Whether UDP and QUIC work within this machine. */
  readonly loopback: boolean;
  readonly multicast: string | undefined;
  readonly servers: readonly ServerFacts[];
  readonly mapping: MappingFacts;
}

/** One server that was asked where we are. */
export interface ServerFacts {
  /** As it was given. */
  readonly name: string;
  readonly isHelper: boolean;
  readonly families: readonly FamilyFacts[];
  /** Why there is nothing else. */
  readonly error: string | undefined;
}

/** A server by one version of IP. */
export interface FamilyFacts {
  readonly family: 4 | 6;
  readonly address: HostPort;
  /** `undefined` when no answer came by UDP. */
  readonly nat: NatBehavior | undefined;
  readonly udpError: string | undefined;
  /** Whether the helper answered QUIC and TCP; `undefined` when it was not asked. */
  readonly quic: boolean | undefined;
  readonly tcp: boolean | undefined;
  readonly roundTripMs: number | undefined;
}

/** Whether a router forwards ports. */
export interface MappingFacts {
  /** Routers that were asked. */
  readonly routers: readonly string[];
  readonly method: string | undefined;
  readonly external: HostPort | undefined;
  readonly isOutside: boolean;
}
