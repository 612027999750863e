/**
 * The routers of this machine: who may forward a port to it.
 *
 * @module
 */
import { ipBytes, ipText, scopeOf } from "./ip.ts";

/** A router, and our address on its network. */
export interface Gateway {
  readonly gateway: string;
  readonly local: string;
}

/** An interface, as the platform has it. */
export interface Interface {
  readonly name: string;
  readonly family: "IPv4" | "IPv6";
  readonly address: string;
  readonly netmask: string;
}

/** The IPv4 routers of this machine. Where the system does not say, the first address of each private network is taken for one. */
export async function systemGateways(): Promise<readonly Gateway[]> {
  const interfaces = Deno.networkInterfaces();
  if (Deno.build.os === "linux") {
    try {
      const table = await Deno.readTextFile("/proc/net/route");
      return gatewaysOf(table, interfaces);
    } catch {
      // not readable here: as on other systems
    }
  }
  return guessedGateways(interfaces);
}

/** Reads the default routes of Linux' table; addresses in it are little-endian hex. */
export function gatewaysOf(
  table: string,
  interfaces: readonly Interface[],
): readonly Gateway[] {
  const found: Gateway[] = [];
  for (const line of table.split("\n").slice(1)) {
    const [name, destination, gateway] = line.trim().split(/\s+/);
    if (destination !== "00000000" || !/^[0-9A-F]{8}$/.test(gateway ?? "")) {
      continue;
    }
    const router = ipText(Uint8Array.fromHex(gateway ?? "").reverse());
    const local = interfaces.find((one) =>
      one.name === name && one.family === "IPv4" && isWithin(router, one)
    );
    if (router !== "0.0.0.0" && local !== undefined) {
      found.push({ gateway: router, local: local.address });
    }
  }
  return found.slice(0, MAX_GATEWAYS);
}

/** The first address of each private network. */
export function guessedGateways(
  interfaces: readonly Interface[],
): readonly Gateway[] {
  return interfaces
    .filter(({ family, address }) =>
      family === "IPv4" && scopeOf(address) === "private"
    )
    .map(({ address, netmask }) => {
      const mask = ipBytes(netmask);
      const net = ipBytes(address).map((byte, i) => byte & (mask[i] ?? 0));
      net[3] = (net[3] ?? 0) | 1;
      return { gateway: ipText(net), local: address };
    })
    .filter(({ gateway, local }) => gateway !== local)
    .slice(0, MAX_GATEWAYS);
}

const MAX_GATEWAYS = 4;

function isWithin(
  address: string,
  { address: own, netmask }: Interface,
): boolean {
  const [one, two, mask] = [ipBytes(address), ipBytes(own), ipBytes(netmask)];
  return one.every((byte, i) =>
    ((byte ^ (two[i] ?? 0)) & (mask[i] ?? 0)) === 0
  );
}
