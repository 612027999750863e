/**
 * A small Internet in network namespaces: two hosts behind routers of a chosen
 * kind, and a public host.
 *
 *     a 192.168.1.10 -- ra 198.51.100.2 --\
 *                                          net -- pub 203.0.113.10
 *     b 192.168.2.10 -- rb 198.51.100.6 --/
 *
 * With IPv6 the hosts are 2001:db8:1::10 and 2001:db8:2::10, the public host is
 * 2001:db8:9::10, and a router is a firewall at most. Nothing leaves the
 * namespaces. It needs Linux, root, `ip`, `nft` and `conntrack`.
 *
 * @module
 */
import { missing, run } from "./shell.ts";

export { missing };

/** What a router does, by the names that people have for it. */
export type NatType =
  /** No NAT and no firewall. */
  | "none"
  /** Maps and lets in whatever for a port that was used. */
  | "full cone"
  /** Lets in who was sent to. */
  | "restricted"
  /** Lets in who was sent to, from that port. */
  | "port-restricted"
  /** Another random port for each peer, and lets in as the one before. */
  | "symmetric";

/** All of them. */
export const NAT_TYPES: readonly NatType[] = [
  "none",
  "full cone",
  "restricted",
  "port-restricted",
  "symmetric",
];

/** Who is behind which router. */
export type Side = "a" | "b";

/** The public host's addresses. */
export const PUBLIC = { 4: "203.0.113.10", 6: "2001:db8:9::10" } as const;

/** How the network is laid out. */
export interface LabOptions {
  /** Both hosts behind `ra`, on one switch. @default {false} */
  readonly together?: boolean;
  /** Hosts have IPv6 only. @default {false} */
  readonly six?: boolean;
}

/** The network. Nothing is left of it after it is disposed of. */
export interface Lab extends AsyncDisposable {
  /** What a command must begin with to run there. */
  at(place: Side | "pub" | "ra" | "rb"): readonly string[];
  /** Makes a router behave so, and forget whom it knows. */
  nat(side: Side, type: NatType): Promise<void>;
  /** Makes a router drop UDP, or not. */
  blockUdp(side: Side, blocked: boolean): Promise<void>;
  /** Starts a router's PCP, by which its host has ports forwarded. */
  pcp(side: Side): Promise<AsyncDisposable>;
}

const PLACES = ["net", "pub", "ra", "rb", "a", "b"] as const;
type Place = typeof PLACES[number];

/** One end of a cable: where, what it is called there, and its addresses. */
type Plug = readonly [Place, string, ...string[]];

/** Makes the network. */
export async function makeLab(options: LabOptions = {}): Promise<Lab> {
  const { together = false, six = false } = options;
  const name = (place: Place): string => `sxn${Deno.pid}${place}`;
  const inside = (place: Place): string[] => [
    "ip",
    "netns",
    "exec",
    name(place),
  ];
  const ip = (place: Place, ...args: string[]): Promise<void> =>
    run(["ip", "-n", name(place), ...args]);
  const wire = async (
    [a, from, ...fromAddresses]: Plug,
    [b, to, ...toAddresses]: Plug,
  ): Promise<void> => {
    const peer = ["peer", "name", to, "netns", name(b)];
    await run([
      ...["ip", "link", "add", from, "netns", name(a)],
      ...["type", "veth", ...peer],
    ]);
    for (
      const [place, device, addresses] of [
        [a, from, fromAddresses],
        [b, to, toAddresses],
      ] as const
    ) {
      await ip(place, "link", "set", device, "up");
      for (const address of addresses) await assign(place, device, address);
    }
  };
  const assign = (
    place: Place,
    device: string,
    address: string,
  ): Promise<void> =>
    // An address that must prove itself first cannot be bound for a second.
    address.includes(":")
      ? ip(place, "addr", "add", address, "dev", device, "nodad")
      : ip(place, "addr", "add", address, "dev", device);
  const close = async (): Promise<void> => {
    for (const place of PLACES) {
      await run(["ip", "netns", "del", name(place)]).catch(() => {});
    }
  };

  try {
    for (const place of PLACES) {
      await run(["ip", "netns", "add", name(place)]);
      await ip(place, "link", "set", "lo", "up");
    }
    for (const place of ["net", "ra", "rb"] as const) {
      await run([
        ...inside(place),
        ...["sysctl", "-qw", "net.ipv4.ip_forward=1"],
        "net.ipv6.conf.all.forwarding=1",
      ]);
    }
    const v4 = (address: string): string[] => six ? [] : [address];
    const v6 = (address: string): string[] => six ? [address] : [];
    await wire(
      ["net", "pub0", ...v4("203.0.113.9/30"), ...v6("2001:db8:9::1/64")],
      ["pub", "eth0", ...v4("203.0.113.10/30"), ...v6("2001:db8:9::10/64")],
    );
    await wire(
      ["net", "a0", ...v4("198.51.100.1/30"), ...v6("2001:db8:a::1/64")],
      ["ra", "wan0", ...v4("198.51.100.2/30"), ...v6("2001:db8:a::2/64")],
    );
    await wire(
      ["net", "b0", ...v4("198.51.100.5/30"), ...v6("2001:db8:b::1/64")],
      ["rb", "wan0", ...v4("198.51.100.6/30"), ...v6("2001:db8:b::2/64")],
    );
    if (together) {
      await ip("ra", "link", "add", "lan0", "type", "bridge");
      await ip("ra", "link", "set", "lan0", "up");
      await ip("ra", "addr", "add", "192.168.1.1/24", "dev", "lan0");
      for (const [side, host] of [["a", 10], ["b", 11]] as const) {
        await wire(["ra", `port${side}`], [
          side,
          "eth0",
          `192.168.1.${host}/24`,
        ]);
        await ip("ra", "link", "set", `port${side}`, "master", "lan0");
        await ip(side, "route", "add", "default", "via", "192.168.1.1");
      }
    } else {
      await wire(
        ["ra", "lan0", ...v4("192.168.1.1/24"), ...v6("2001:db8:1::1/64")],
        ["a", "eth0", ...v4("192.168.1.10/24"), ...v6("2001:db8:1::10/64")],
      );
      await wire(
        ["rb", "lan0", ...v4("192.168.2.1/24"), ...v6("2001:db8:2::1/64")],
        ["b", "eth0", ...v4("192.168.2.10/24"), ...v6("2001:db8:2::10/64")],
      );
    }
    if (six) {
      const way = (place: Place, to: string, via: string): Promise<void> =>
        ip(place, "-6", "route", "add", to, "via", via);
      await way("pub", "default", "2001:db8:9::1");
      await way("ra", "default", "2001:db8:a::1");
      await way("rb", "default", "2001:db8:b::1");
      await way("a", "default", "2001:db8:1::1");
      await way("b", "default", "2001:db8:2::1");
      await way("net", "2001:db8:1::/64", "2001:db8:a::2");
      await way("net", "2001:db8:2::/64", "2001:db8:b::2");
    } else {
      await ip("pub", "route", "add", "default", "via", "203.0.113.9");
      await ip("ra", "route", "add", "default", "via", "198.51.100.1");
      await ip("rb", "route", "add", "default", "via", "198.51.100.5");
      if (!together) {
        await ip("a", "route", "add", "default", "via", "192.168.1.1");
        await ip("b", "route", "add", "default", "via", "192.168.2.1");
      }
    }
  } catch (error) {
    await close();
    throw error;
  }

  const router = (side: Side): "ra" | "rb" => side === "a" ? "ra" : "rb";
  return {
    at: inside,
    async nat(side, type) {
      const place = router(side);
      const net = side === "a" ? "192.168.1" : "192.168.2";
      await run([...inside(place), "nft", "-f", "-"], rules(type, net, six));
      await run([...inside(place), "conntrack", "-F"]);
      if (six) return;
      const [to, via] = [`${net}.0/24`, side === "a" ? ".2" : ".6"];
      if (type === "none") {
        await ip("net", "route", "replace", to, "via", `198.51.100${via}`);
      } else {
        await ip("net", "route", "del", to).catch(() => {}); // not there
      }
    },
    async blockUdp(side, blocked) {
      const nft = [...inside(router(side)), "nft"];
      await run([...nft, "flush", "chain", "inet", "lab", "block"]);
      if (!blocked) return;
      await run([
        ...nft,
        ...["add", "rule", "inet", "lab", "block", "meta", "l4proto", "udp"],
        "drop",
      ]);
    },
    async pcp(side) {
      const [net, outside] = side === "a"
        ? ["192.168.1", "198.51.100.2"]
        : ["192.168.2", "198.51.100.6"];
      const [command = "", ...args] = [
        ...inside(router(side)),
        ...[Deno.execPath(), "run", "-A", "--quiet"],
        new URL("router.ts", import.meta.url).pathname,
        ...[`${net}.1`, outside],
      ];
      const child = new Deno.Command(command, { args, stdout: "piped" })
        .spawn();
      const reader = child.stdout.getReader();
      await reader.read(); // it is ready
      reader.releaseLock();
      return {
        async [Symbol.asyncDispose]() {
          child.kill("SIGKILL");
          await child.stdout.cancel();
          await child.status;
        },
      };
    },
    [Symbol.asyncDispose]: close,
  };
}

/**
 * The rules of a router. `mapped` has ports that were used, `peers` who was sent
 * to from them. What nobody asked for is dropped before it makes an entry in the
 * table of connections, as home routers have it: else that entry would take the
 * port that a hole needs.
 */
function rules(type: NatType, net: string, six: boolean): string {
  const host = `${net}.10`;
  const into: Partial<Record<NatType, string>> = {
    "full cone": `iifname wan0 udp dport @mapped dnat ip to ${host}`,
    "restricted": `iifname wan0 ip saddr . udp dport @peers dnat ip to ${host}`,
  };
  const isOpen = type === "none";
  const masquerade = isOpen || six
    ? ""
    : `oifname wan0 meta nfproto ipv4 masquerade ${
      type === "symmetric" ? "fully-random" : ""
    }`;
  return `
flush ruleset
table inet lab {
  set mapped { type inet_service; flags dynamic,timeout; timeout 300s; }
  set peers { type ipv4_addr . inet_service; flags dynamic,timeout; timeout 300s; }
  chain block { }
  chain forward {
    type filter hook forward priority 0; policy accept;
    jump block
    ${
    six
      ? ""
      : "oifname wan0 meta nfproto ipv4 meta l4proto udp update @mapped { udp sport } update @peers { ip daddr . udp sport }"
  }
    ${
    isOpen ? "" : `iifname wan0 ct state new ct status dnat accept
    iifname wan0 ct state new drop`
  }
  }
  chain input {
    type filter hook input priority 0; policy accept;
    iifname wan0 meta l4proto { tcp, udp } ct state new drop
  }
  chain pre { type nat hook prerouting priority -100; ${
    six ? "" : into[type] ?? ""
  }; }
  chain post { type nat hook postrouting priority 100; ${masquerade}; }
}
`.replaceAll(/-?\d+; ; }/g, (text) => text.replace("; ;", ";"));
}
