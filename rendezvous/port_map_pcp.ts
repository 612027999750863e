/**
 * PCP (RFC 6887) and its elder NAT-PMP (RFC 6886): a router is asked to forward a
 * port, in one datagram, and answers in one.
 *
 * | PCP request | bytes |                  | NAT-PMP request | bytes |
 * | ----------- | ----- | ---------------- | --------------- | ----- |
 * | 2           | 1     | version          | 0               | 1     |
 * | 1           | 1     | MAP              | 1 UDP, 2 TCP    | 1     |
 * | 0           | 2     |                  | 0               | 2     |
 * | lifetime    | 4     | seconds, 0 ends  | internal port   | 2     |
 * | client      | 16    |                  | external port   | 2     |
 * | nonce       | 12    |                  | lifetime        | 4     |
 * | protocol    | 1     | 17 UDP, 6 TCP    |                 |       |
 * | 0           | 3     |                  |                 |       |
 * | ports       | 2 + 2 | internal, wished |                 |       |
 * | address     | 16    | wished           |                 |       |
 *
 * @module
 */
import { concatBytes, equalBytes } from "../core/bytes.ts";
import { ipBytes, ipText } from "./ip.ts";

/** What is forwarded. */
export type MapProtocol = "udp" | "tcp";

/** A port to be forwarded. */
export interface MapRequest {
  readonly protocol: MapProtocol;
  readonly internalPort: number;
  /** The port outside that we would like. */
  readonly externalPort: number;
  /** Seconds; 0 takes it back. */
  readonly lifetime: number;
}

/** What a router says to it. */
export type MapAnswer =
  | {
    readonly ok: true;
    readonly externalPort: number;
    /** The address outside; `undefined` where it must be asked for. */
    readonly address: string | undefined;
    readonly lifetime: number;
  }
  | { readonly ok: false; readonly result: number };

/** Where routers listen for both. */
export const PCP_PORT = 5351;

/** Writes a PCP request. */
export function encodePcp(
  request: MapRequest,
  client: string,
  nonce: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(60);
  const view = new DataView(bytes.buffer);
  bytes.set([2, 1]);
  view.setUint32(4, request.lifetime);
  bytes.set(mapped(client), 8);
  bytes.set(nonce.subarray(0, 12), 24);
  bytes[36] = request.protocol === "udp" ? 17 : 6;
  view.setUint16(40, request.internalPort);
  view.setUint16(42, request.externalPort);
  bytes.set(mapped("0.0.0.0"), 44);
  return bytes;
}

/** Reads the answer to a PCP request; `undefined` when it is none. */
export function decodePcp(
  bytes: Uint8Array,
  request: MapRequest,
  nonce: Uint8Array,
): MapAnswer | undefined {
  const [version, operation, , result = 0] = bytes;
  // A router that knows NAT-PMP only says so in its own words.
  if (version === 0 && bytes.length >= 4) return { ok: false, result: 1 };
  if (version !== 2 || operation !== 0x81 || bytes.length < 24) {
    return undefined;
  }
  if (result !== 0) return { ok: false, result };
  if (bytes.length < 60) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const isOurs = equalBytes(bytes.subarray(24, 36), nonce.subarray(0, 12)) &&
    bytes[36] === (request.protocol === "udp" ? 17 : 6) &&
    view.getUint16(40) === request.internalPort;
  if (!isOurs) return undefined;
  return {
    ok: true,
    externalPort: view.getUint16(42),
    address: ipText(bytes.subarray(44, 60)),
    lifetime: view.getUint32(4),
  };
}

/** Writes a NAT-PMP request for a port. */
export function encodePmp(request: MapRequest): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  bytes[1] = operationOf(request);
  view.setUint16(4, request.internalPort);
  view.setUint16(6, request.externalPort);
  view.setUint32(8, request.lifetime);
  return bytes;
}

/** Reads the answer to a NAT-PMP request for a port; `undefined` when it is none. */
export function decodePmp(
  bytes: Uint8Array,
  request: MapRequest,
): MapAnswer | undefined {
  if (bytes.length < 4 || bytes[0] !== 0) return undefined;
  if (bytes[1] !== 128 + operationOf(request)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const result = view.getUint16(2);
  if (result !== 0) return { ok: false, result };
  if (bytes.length < 16 || view.getUint16(8) !== request.internalPort) {
    return undefined;
  }
  return {
    ok: true,
    externalPort: view.getUint16(10),
    address: undefined,
    lifetime: view.getUint32(12),
  };
}

/** Asks a NAT-PMP router for its address outside. */
export function encodePmpAddress(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(2);
}

/** Reads the answer to it; `undefined` when it is none. */
export function decodePmpAddress(bytes: Uint8Array): string | undefined {
  const [version, operation, high, low] = bytes;
  const isAnswer = version === 0 && operation === 128 && high === 0 &&
    low === 0 && bytes.length >= 12;
  return isAnswer ? ipText(bytes.subarray(8, 12)) : undefined;
}

function operationOf({ protocol }: MapRequest): number {
  return protocol === "udp" ? 1 : 2;
}

/** IPv4 inside of IPv6, as PCP has it. */
function mapped(address: string): Uint8Array {
  const bytes = ipBytes(address);
  if (bytes.length === 16) return bytes;
  return concatBytes(new Uint8Array(10), Uint8Array.of(255, 255), bytes);
}
