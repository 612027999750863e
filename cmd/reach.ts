/**
 * Where other machines find this one.
 *
 * @module
 */
import { X509Certificate } from "node:crypto";
import type { Secret } from "../core/secret.ts";
import type { HostAndPort } from "../protocol/address.ts";
import { formatTicket } from "../protocol/ticket.ts";
import type { Identity } from "./identity.ts";
import type { Io } from "./io.ts";

/**
 * The host that a ticket names: what the certificate was made for, or the first
 * address of this machine that others may reach.
 */
export function reachableHost(
  io: Io,
  identity: Pick<Identity, "cert">,
): string {
  const { subjectAltName = "" } = new X509Certificate(identity.cert);
  const names = subjectAltName.split(", ").map((name) => {
    const [kind, value = ""] = name.split(/:(.*)/s);
    return { kind, value: value.toLowerCase() };
  });
  const dns = names.find(({ kind, value }) =>
    kind === "DNS" && value !== "localhost" && !value.includes("*")
  );
  const ip = names.find(({ kind, value }) =>
    kind === "IP Address" && !isLocal(value)
  );
  const addresses = io.addresses().filter((address) => !isLocal(address));
  return dns?.value ?? ip?.value ??
    addresses.find((address) => !address.includes(":")) ??
    addresses[0] ?? "127.0.0.1";
}

/** True for "all addresses of this machine". */
export function isUnspecified(hostname: string): boolean {
  return hostname === "0.0.0.0" || /^[0:]+$/.test(hostname);
}

/** Writes a ticket. */
export function ticketOf(
  where: HostAndPort,
  fingerprint: Uint8Array,
  token: Secret | undefined,
): string {
  return formatTicket({
    ...where,
    fingerprint,
    ...token && { token: token.reveal() },
  });
}

/** Loopback and link-local addresses, which mean another machine elsewhere. */
function isLocal(address: string): boolean {
  return /^(127\.|169\.254\.|fe[89ab][0-9a-f]:|(0+:)*0*:*0*1$)/i.test(
    address,
  ) ||
    address === "::1";
}
