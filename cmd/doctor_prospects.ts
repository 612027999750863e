/**
 * What will work and what will not, from the facts of `doctor`.
 *
 * @module
 */
import type { Facts } from "./doctor_facts.ts";
import { moves } from "./doctor_findings.ts";

/** What will work, and what will not. */
export interface Prospect {
  readonly what: string;
  readonly works: "yes" | "no" | "maybe";
  readonly why: string;
}

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
