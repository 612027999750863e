/**
 * Probes: questions and answers in datagrams, by which a sender knows the round
 * trip of a path. One that waits behind a lost packet would tell of the loss;
 * a datagram waits in queues alone.
 *
 * | byte   | what                     |
 * | ------ | ------------------------ |
 * | 0      | 1 question, 2 its answer |
 * | 1 to 4 | number, big-endian       |
 *
 * @module
 */

/** A question, or the answer to the one of the same number. */
export interface Probe {
  readonly kind: "question" | "answer";
  /** 0 to 2^32 - 1. */
  readonly id: number;
}

const BYTES = 5;
const QUESTION = 1;
const ANSWER = 2;

/** Encodes one, 5 bytes. */
export function encodeProbe({ kind, id }: Probe): Uint8Array {
  const bytes = new Uint8Array(BYTES);
  bytes[0] = kind === "question" ? QUESTION : ANSWER;
  new DataView(bytes.buffer).setUint32(1, id);
  return bytes;
}

/** Decodes one; `undefined` for all else, which later versions may send. */
export function decodeProbe(bytes: Uint8Array): Probe | undefined {
  if (bytes.length !== BYTES) return undefined;
  const [kind] = bytes;
  if (kind !== QUESTION && kind !== ANSWER) return undefined;
  const id = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
  return { kind: kind === QUESTION ? "question" : "answer", id };
}
