/**
 * UPnP's Internet Gateway Device: found by multicast, asked by SOAP over HTTP.
 *
 * Anybody on the network can answer, so only the router itself is listened to,
 * and only addresses at the router are fetched: a neighbour cannot make us call
 * somebody else. What it says is bounded, and searched for a few words.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { Gateway } from "./port_map_gateway.ts";
import type { MapRequest } from "./port_map_pcp.ts";
import type { DatagramSocket } from "./stun_socket.ts";
import { isSameHost } from "./stun_values.ts";

/** A router's service that forwards ports. */
export interface UpnpService {
  /** Where it is asked. */
  readonly control: URL;
  /** Which version of which service it is. */
  readonly type: string;
}

/** How it is reached, for tests. */
export interface UpnpDeps {
  readonly fetch: typeof fetch;
  readonly signal: AbortSignal;
  /** Where routers are searched, besides the router itself. @default {"239.255.255.250"} */
  readonly group?: string;
  /** @default {1900} */
  readonly port?: number;
}

/** What a router said no to, by UPnP's own number. */
export class UpnpRefusal extends Error {
  /** Tells it from other errors. */
  override name = "UpnpRefusal";
  /** Has the number. */
  constructor(readonly number: number) {
    super(`error ${number}`);
  }
}

/** It has leases without an end only. */
export const ONLY_PERMANENT = 725;
/** Another has the port. */
export const CONFLICT = 718;

/** Finds the service of a router; `undefined` when what answers has none. Ends with the signal. */
export async function findUpnp(
  { gateway }: Gateway,
  socket: DatagramSocket,
  deps: UpnpDeps,
): Promise<UpnpService | undefined> {
  const { group = "239.255.255.250", port = 1900 } = deps;
  const request = new TextEncoder().encode(searchFor(group, port));
  await socket.send(request, { hostname: group, port });
  await socket.send(request, { hostname: gateway, port });
  for (let count = 0; count < MAX_ANSWERS; count++) {
    const datagram = await socket.receive();
    if (datagram === undefined) return undefined;
    if (!isSameHost(datagram.from.hostname, gateway)) continue;
    const place = locationOf(new TextDecoder().decode(datagram.bytes), gateway);
    if (place === undefined) continue;
    const text = await fetchText(place, {}, deps);
    const service = serviceOf(text, place, gateway);
    if (service !== undefined) return service;
  }
  return undefined;
}

/** Asks for a port. */
export async function mapUpnp(
  service: UpnpService,
  { local }: Gateway,
  request: MapRequest,
  deps: UpnpDeps,
): Promise<void> {
  await call(service, "AddPortMapping", {
    NewRemoteHost: "",
    NewExternalPort: String(request.externalPort),
    NewProtocol: request.protocol.toUpperCase(),
    NewInternalPort: String(request.internalPort),
    NewInternalClient: local,
    NewEnabled: "1",
    NewPortMappingDescription: "sftpx",
    NewLeaseDuration: String(request.lifetime),
  }, deps);
}

/** Takes a port back. */
export async function unmapUpnp(
  service: UpnpService,
  request: Pick<MapRequest, "externalPort" | "protocol">,
  deps: UpnpDeps,
): Promise<void> {
  await call(service, "DeletePortMapping", {
    NewRemoteHost: "",
    NewExternalPort: String(request.externalPort),
    NewProtocol: request.protocol.toUpperCase(),
  }, deps);
}

/** Asks for the address outside. */
export async function upnpAddress(
  service: UpnpService,
  deps: UpnpDeps,
): Promise<string> {
  const text = await call(service, "GetExternalIPAddress", {}, deps);
  return element(text, "NewExternalIPAddress") ?? "";
}

/** Where a router describes itself, from its answer to a search; only at the router. */
export function locationOf(answer: string, gateway: string): URL | undefined {
  if (!/^HTTP\/1\.\d 200 /.test(answer)) return undefined;
  const found = /^location:\s*(\S+)\s*$/im.exec(answer)?.[1];
  return atRouter(found, undefined, gateway);
}

/** The service that forwards ports, from a router's description; only at the router. */
export function serviceOf(
  description: string,
  base: URL,
  gateway: string,
): UpnpService | undefined {
  for (const [block] of description.matchAll(/<service>[^]*?<\/service>/g)) {
    const type = element(block, "serviceType") ?? "";
    if (!FORWARDING.test(type)) continue;
    const control = atRouter(element(block, "controlURL"), base, gateway);
    if (control !== undefined) return { control, type };
  }
  return undefined;
}

const FORWARDING = /^urn:schemas-upnp-org:service:WAN(IP|PPP)Connection:[12]$/;
const MAX_ANSWERS = 32;
const MAX_TEXT_BYTES = 256 * 1024;

function searchFor(group: string, port: number): string {
  return [
    "M-SEARCH * HTTP/1.1",
    `HOST: ${group}:${port}`,
    'MAN: "ssdp:discover"',
    "MX: 1",
    "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "",
    "",
  ].join("\r\n");
}

function atRouter(
  text: string | undefined,
  base: URL | undefined,
  gateway: string,
): URL | undefined {
  const url = text === undefined || text === ""
    ? undefined
    : URL.parse(text, base);
  if (url === null || url === undefined || url.protocol !== "http:") {
    return undefined;
  }
  return url.hostname === gateway ? url : undefined;
}

function element(text: string, name: string): string | undefined {
  const [, rest] = text.split(`<${name}>`);
  const [value, end] = rest?.split("<") ?? [];
  return end === undefined ? undefined : value?.trim();
}

async function call(
  { control, type }: UpnpService,
  action: string,
  values: Readonly<Record<string, string>>,
  deps: UpnpDeps,
): Promise<string> {
  const inner = Object.entries(values)
    .map(([name, value]) => ["<", name, ">", value, "</", name, ">"].join(""))
    .join("");
  const body = '<?xml version="1.0"?>' +
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"' +
    ' s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>' +
    `<u:${action} xmlns:u="${type}">${inner}</u:${action}></s:Body></s:Envelope>`;
  const text = await fetchText(control, {
    method: "POST",
    headers: {
      "content-type": 'text/xml; charset="utf-8"',
      "soapaction": `"${type}#${action}"`,
    },
    body,
  }, deps);
  const number = element(text, "errorCode");
  if (number !== undefined) throw new UpnpRefusal(Number(number));
  if (!text.includes(`${action}Response`)) {
    throw new SftpxError(
      "protocol",
      `Cannot ask router: no answer to ${action}`,
    );
  }
  return text;
}

async function fetchText(
  url: URL,
  init: RequestInit,
  { fetch, signal }: UpnpDeps,
): Promise<string> {
  const response = await fetch(url, { ...init, redirect: "error", signal });
  const decoder = new TextDecoder();
  let [text, length] = ["", 0];
  for await (const part of response.body ?? []) {
    length += part.length;
    if (length > MAX_TEXT_BYTES) {
      throw new SftpxError("protocol", "Cannot ask router: it says too much");
    }
    text += decoder.decode(part, { stream: true });
  }
  return text;
}
