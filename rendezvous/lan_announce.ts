/**
 * What a sender says to its whole network: that there is one, and where.
 *
 * Nothing in it comes from the code, so nothing can be tried with it: the
 * certificate is a new one for each code, and the rest is a port.
 *
 * | offset | length | field                                  |
 * | ------ | ------ | -------------------------------------- |
 * | 0      | 4      | `53 58 4c 4e`                          |
 * | 4      | 1      | version, 1                             |
 * | 5      | 2      | QUIC port at the address it came from  |
 * | 7      | 32     | SHA-256 of the certificate there       |
 *
 * @module
 */
import { toHex } from "../core/bytes.ts";

/** A sender that has announced itself. */
export interface LanAnnouncement {
  readonly port: number;
  readonly fingerprint: Uint8Array<ArrayBuffer>;
}

/** The group of an organisation's own network, and the port in it. */
export const LAN_GROUP = "239.192.42.77";
export const LAN_PORT = 42_770;

/** Writes an announcement. */
export function encodeAnnouncement(
  { port, fingerprint }: LanAnnouncement,
): Uint8Array<ArrayBuffer> {
  if (fingerprint.length !== 32) {
    throw new RangeError(
      `Cannot announce as a fingerprint must have 32 bytes: current value has ${fingerprint.length}`,
    );
  }
  const bytes = new Uint8Array(LENGTH);
  bytes.set(HEAD);
  new DataView(bytes.buffer).setUint16(HEAD.length, port);
  bytes.set(fingerprint, HEAD.length + 2);
  return bytes;
}

/** Reads an announcement; `undefined` when it is another program's, or a later version's. */
export function decodeAnnouncement(
  bytes: Uint8Array,
): LanAnnouncement | undefined {
  if (bytes.length !== LENGTH) return undefined;
  if (toHex(bytes.subarray(0, HEAD.length)) !== toHex(HEAD)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const port = view.getUint16(HEAD.length);
  if (port === 0) return undefined;
  return { port, fingerprint: bytes.slice(HEAD.length + 2) };
}

const HEAD = Uint8Array.of(0x53, 0x58, 0x4c, 0x4e, 1);
const LENGTH = HEAD.length + 2 + 32;
