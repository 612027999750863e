/**
 * What the facts of `doctor` mean, in words that need no RFC.
 *
 * @module
 */
import { formatAddress } from "../transport/address.ts";
import type { Dependence, NatBehavior } from "../rendezvous/stun_behavior.ts";
import type {
  Facts,
  MachineFacts,
  NetworkFacts,
  ServerFacts,
} from "./doctor_facts.ts";
import { formatSize } from "./units.ts";

/** How good something is. */
export type Verdict = "good" | "fair" | "bad" | "unknown";

/** One thing that was looked at. */
export interface Finding {
  readonly what: string;
  readonly verdict: Verdict;
  readonly value: string;
  /** What could be done. */
  readonly advice?: string;
}

/** What will work, and what will not. */
export interface Prospect {
  readonly what: string;
  readonly works: "yes" | "no" | "maybe";
  readonly why: string;
}

/** Deno older than this has known holes. */
const LEAST_DENO = [2, 9, 5];
/** When this was written: no clock is right that is before it. */
const RELEASED_MS = Date.UTC(2026, 0, 1);
const MIB = 1 << 20;

/** Judges all facts. */
export function findingsOf({ machine, network }: Facts): readonly Finding[] {
  return [...machineFindings(machine), ...networkFindings(network)];
}

function machineFindings(machine: MachineFacts): Finding[] {
  const { hash, disk, buffers } = machine;
  const isNew = isAtLeast(machine.deno, LEAST_DENO);
  const isRightTime = machine.wallMs >= RELEASED_MS;
  const steady = Math.abs(machine.driftMs) < 1000;
  const hashMiB = hash.bytesPerSecond / MIB;
  return [
    finding("Deno", isNew ? "good" : "bad", machine.deno, {
      bad: `take ${
        LEAST_DENO.join(".")
      } or newer: this one can be made to run out of memory from outside`,
    }),
    finding(
      "machine",
      "good",
      `${machine.system}, ${machine.cores} ${
        machine.cores === 1 ? "core" : "cores"
      }`,
    ),
    finding(
      "clock",
      !isRightTime ? "bad" : steady ? "good" : "fair",
      new Date(machine.wallMs).toISOString() +
        (steady ? "" : `, jumped by ${machine.driftMs} ms`),
      {
        bad: "set the clock: certificates are not valid before their time",
        fair: "the clock is being set, or the machine was asleep",
      },
    ),
    finding(
      "BLAKE3",
      hashMiB >= 1000 ? "good" : hashMiB >= 200 ? "fair" : "bad",
      `${hash.name}, ${rate(hash.bytesPerSecond)}`,
      {
        fair: hash.name === "native"
          ? "the machine is busy, or slow"
          : "the native one does not load here: --allow-ffi, or another system",
        bad: "hashing will hold a fast network up",
      },
    ),
    disk === undefined
      ? finding("disk", "bad", machine.diskError ?? "no answer", {
        bad: "files cannot be received into this folder",
      })
      : finding(
        "disk",
        disk.bytesPerSecond >= 100 * MIB
          ? "good"
          : disk.bytesPerSecond >= 20 * MIB
          ? "fair"
          : "bad",
        `${rate(disk.bytesPerSecond)} written and synced`,
        { bad: "a disk this slow is what a transfer will wait for" },
      ),
    bufferFinding(buffers),
  ];
}

function bufferFinding(buffers: MachineFacts["buffers"]): Finding {
  const { oursBytes, maxBytes, drops } = buffers;
  const value = `${formatSize(oursBytes)} a socket` +
    (maxBytes > 0 ? `, the kernel gives ${formatSize(maxBytes)}` : "") +
    (drops === undefined ? "" : `, ${drops} datagrams dropped so far`);
  if (oursBytes === 0) {
    return finding("UDP buffers", "unknown", "this system does not say");
  }
  const verdict = oursBytes >= 4 * MIB
    ? "good"
    : oursBytes >= MIB
    ? "fair"
    : "bad";
  const advice =
    "far and fast networks need more: sysctl -w net.core.rmem_max=8388608 net.core.wmem_max=8388608";
  return finding("UDP buffers", verdict, value, { fair: advice, bad: advice });
}

function networkFindings(network: NetworkFacts): Finding[] {
  const { addresses, mapping, servers } = network;
  const public_ = addresses.filter(({ scope }) => scope === "public");
  const list = addresses.filter(({ scope }) => scope !== "link")
    .map(({ address, scope }) => `${address} (${scope})`).join(", ");
  const none = "this machine is in no network";
  return [
    finding(
      "addresses",
      list === "" ? "bad" : public_.length > 0 ? "good" : "fair",
      list || none,
      { fair: "no address that all reach: peers outside come by a router" },
    ),
    finding(
      "UDP within this machine",
      network.loopback ? "good" : "bad",
      network.loopback ? "works" : "does not pass",
      {
        bad: "a firewall on this machine stops it",
      },
    ),
    finding(
      "multicast",
      network.multicast === undefined ? "good" : "bad",
      network.multicast ?? "can be spoken",
      { bad: "peers of the same network are not found without a helper" },
    ),
    finding(
      "port mapping",
      mapping.method === undefined || !mapping.isOutside ? "fair" : "good",
      mapping.external === undefined
        ? mapping.routers.length === 0
          ? "no router"
          : `the router at ${mapping.routers.join(", ")} forwards no ports`
        : `${mapping.method} gives ${formatAddress(mapping.external)}`,
      {
        fair: mapping.external === undefined
          ? "UPnP or NAT-PMP in the router's settings would make this machine reachable"
          : "that is no address that all reach: there is another router behind the router",
      },
    ),
    ...servers.flatMap(serverFindings),
  ];
}

function serverFindings(server: ServerFacts): Finding[] {
  const kind = server.isHelper ? "helper" : "STUN server";
  const what = `${kind} ${server.name}`;
  if (server.families.length === 0) {
    const why = server.error ?? "no address that this machine can send to";
    return [finding(what, "bad", why)];
  }
  return server.families.flatMap((family) => {
    const name = `${what}, IPv${family.family}`;
    const { nat, udpError, roundTripMs, quic, tcp } = family;
    const found: Finding[] = [];
    if (quic !== undefined) {
      found.push(finding(
        name,
        quic ? "good" : tcp ? "fair" : "bad",
        `QUIC ${quic ? "answers" : "does not answer"}, TCP ${
          tcp ? "connects" : "does not connect"
        }`,
        {
          fair: "the network here drops UDP, or the helper's does",
          bad: "is it running, and is that its address?",
        },
      ));
    }
    if (nat === undefined) {
      found.push(finding(`${name}, STUN`, "bad", udpError ?? "no answer"));
      return found;
    }
    found.push(
      finding(
        `${name}, STUN`,
        "good",
        `${formatAddress(nat.mapped)} as seen from there` +
          (roundTripMs === undefined
            ? ""
            : `, ${roundTripMs.toFixed(1)} ms away`),
      ),
      natFinding(name, nat),
    );
    return found;
  });
}

function natFinding(name: string, nat: NatBehavior): Finding {
  if (!nat.isNat) {
    return finding(
      `${name}, NAT`,
      "good",
      `none; a firewall that lets in: ${FILTERS[nat.filtering]}`,
    );
  }
  const verdict = moves(nat.mapping)
    ? "bad"
    : nat.mapping === "unknown"
    ? "unknown"
    : "good";
  return finding(
    `${name}, NAT`,
    verdict,
    `mapping ${nat.mapping}, filtering ${nat.filtering}${
      nat.keepsPort ? ", keeps ports" : ""
    }`,
    {
      bad:
        "another port for each peer: who has such a router or a strict one as well can be met through a relay only",
      unknown: "a server with two ports or addresses would tell more",
    },
  );
}

const FILTERS: Readonly<Record<Dependence, string>> = {
  "endpoint-independent": "everybody",
  "port-independent": "at least who was sent to, from any port",
  "address-dependent": "who was sent to, from any port",
  "address-and-port-dependent": "who was sent to, from that port",
  "unknown": "not known",
};

/** What will work, from all facts. */
export function prospectsOf({ network, machine }: Facts): readonly Prospect[] {
  const asked = network.servers.flatMap(({ families }) => families);
  const nats = asked.flatMap(({ nat }) => nat === undefined ? [] : [nat]);
  const udp = nats.length > 0 || asked.some(({ quic }) => quic === true);
  const tcp = asked.some(({ tcp }) => tcp === true);
  const isPublic = nats.some((nat) => !nat.isNat);
  const isShut = isPublic &&
    nats.every((nat) =>
      nat.isNat || nat.filtering === "address-and-port-dependent"
    );
  const isMoving = nats.length > 0 && nats.every((nat) => moves(nat.mapping));
  const known = asked.length > 0;
  const mapped = network.mapping.isOutside;
  const lan = network.addresses.some(({ scope }) => scope !== "link");
  return [
    {
      what: "receiving into this folder",
      works: machine.disk === undefined ? "no" : "yes",
      why: machine.disk === undefined
        ? "nothing can be written here"
        : "it can be written",
    },
    {
      what: "peers in the same network",
      works: !lan ? "no" : network.multicast === undefined ? "yes" : "maybe",
      why: !lan
        ? "this machine is in no network"
        : network.multicast === undefined
        ? "directly, with --local even without a helper"
        : "directly, by address or with a helper: there is no multicast",
    },
    {
      what: "being dialed from outside",
      works: isPublic && !isShut || mapped ? "yes" : known ? "no" : "maybe",
      why: isShut && !mapped
        ? "a firewall before this machine lets in only who was sent to"
        : isPublic
        ? "this machine has an address of its own outside"
        : mapped
        ? "the router forwards a port"
        : known
        ? "there is a NAT before this machine, and its router forwards nothing"
        : "not known: --helper HOST or --stun HOST would tell",
    },
    punchProspect({ known, udp, isPublic, isMoving, mapped }),
    {
      what: "peers that cannot be met directly",
      works: !known ? "maybe" : udp || tcp ? "maybe" : "no",
      why: !known
        ? "not known without --helper"
        : udp || tcp
        ? `through the helper, if it relays${udp ? "" : ", over TCP"}`
        : "the helper cannot be reached",
    },
  ];
}

interface PunchFacts {
  readonly known: boolean;
  readonly udp: boolean;
  readonly isPublic: boolean;
  readonly isMoving: boolean;
  readonly mapped: boolean;
}

function punchProspect(facts: PunchFacts): Prospect {
  const what = "peers behind other routers";
  const { known, udp, isPublic, isMoving, mapped } = facts;
  if (!known) {
    return { what, works: "maybe", why: "not known without --helper" };
  }
  if (!udp) {
    return {
      what,
      works: "no",
      why: "UDP does not pass, so no hole can be made",
    };
  }
  if (isPublic || mapped) {
    const why = "they can dial this machine, or both dial at once";
    return { what, works: "yes", why };
  }
  return isMoving
    ? {
      what,
      works: "maybe",
      why:
        "this router gives each peer another port: not when theirs does too, or is strict about ports",
    }
    : {
      what,
      works: "yes",
      why:
        "both dial at once; not when theirs gives each peer another port and this one is strict about ports",
    };
}

function moves(dependence: Dependence): boolean {
  return dependence === "address-dependent" ||
    dependence === "address-and-port-dependent";
}

/** Advice goes with the verdict that calls for it. */
function finding(
  what: string,
  verdict: Verdict,
  value: string,
  advice: Partial<Record<Verdict, string>> = {},
): Finding {
  const given = advice[verdict];
  return {
    what,
    verdict,
    value,
    ...(given !== undefined && { advice: given }),
  };
}

function isAtLeast(version: string, least: readonly number[]): boolean {
  const parts = version.split(/[.+-]/).map(Number);
  for (const [i, want] of least.entries()) {
    const have = parts[i] ?? 0;
    if (have !== want) return have > want;
  }
  return true;
}

function rate(bytesPerSecond: number): string {
  return `${formatSize(bytesPerSecond)}/s`;
}
