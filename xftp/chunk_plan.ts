/**
 * How a file is cut into chunks.
 *
 * A router stores chunks of four sizes, so that their sizes tell little. What is
 * to be stored is filled up to the sum of the chunks.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** The largest file that other programs of XFTP still take: 5 GiB. */
export const MAX_PAYLOAD_BYTES = 5 * 1024 * MIB;

/**
 * Cuts a payload into chunks, as other programs of XFTP do.
 *
 * @param payload Bytes of length, header, content and tag together.
 * @returns The chunks' sizes, in order; their sum is `payload` or more.
 * @throws {SftpxError} `usage`, when it is too large.
 */
export function planChunks(payload: number): number[] {
  if (!Number.isSafeInteger(payload) || payload < 1) {
    throw new RangeError(
      `Cannot plan chunks as the payload must be >= 1: current value is ${payload}`,
    );
  }
  if (payload > MAX_PAYLOAD_BYTES) {
    throw new SftpxError(
      "usage",
      "Cannot store it on routers: it is larger than 5 GiB",
    );
  }
  const [small, big] = payload > 3 * MIB
    ? [MIB, 4 * MIB] as const
    : payload > 768 * KIB
    ? [256 * KIB, MIB] as const
    : [64 * KIB, 256 * KIB] as const;
  const bigs = Math.floor(payload / big);
  const left = payload - bigs * big;
  const isMostlyBig = left > big / 4 * 3;
  return [
    ...Array<number>(bigs + (isMostlyBig ? 1 : 0)).fill(big),
    ...Array<number>(isMostlyBig ? 0 : Math.ceil(left / small)).fill(small),
  ];
}
