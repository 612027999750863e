/**
 * XFTP's encoding a second time, as simply as can be: hex texts that are put
 * one after the other. It shares nothing with what it checks.
 *
 * @module
 */

/** A number in `size` bytes. */
export function number(value: number, size: number): string {
  return value.toString(16).padStart(size * 2, "0");
}

/** A text of ASCII. */
export function words(text: string): string {
  return [...text].map((letter) => number(letter.charCodeAt(0), 1)).join("");
}

/** Bytes, given in hex, with their number in 1 byte before them. */
export function short(hex: string): string {
  return number(hex.length / 2, 1) + hex;
}

/** The same with 2 bytes. */
export function large(hex: string): string {
  return number(hex.length / 2, 2) + hex;
}

/** Items with their number before them. */
export function list(items: readonly string[]): string {
  return number(items.length, 1) + items.join("");
}

/** A command or an answer as a vector has it; all bytes are hex. */
export interface PlainWord {
  readonly type: string;
  readonly senderKey?: string;
  readonly size?: number;
  readonly digest?: string;
  readonly recipientKeys?: readonly string[];
  readonly password?: string;
  readonly key?: string;
  readonly senderId?: string;
  readonly recipientIds?: readonly string[];
  readonly nonce?: string;
  readonly fault?: string;
}

/** Writes a command or an answer. */
export function word(value: PlainWord): string {
  const { type, senderKey = "", size = 0, digest = "", key = "" } = value;
  const keys = list((value.recipientKeys ?? []).map(short));
  const ids = list((value.recipientIds ?? []).map(short));
  switch (type) {
    case "FNEW":
      return words("FNEW ") + short(senderKey) + number(size, 4) +
        short(digest) + keys +
        (value.password === undefined
          ? words("0")
          : words("1") + short(value.password));
    case "FADD":
      return words("FADD ") + keys;
    case "FGET":
      return words("FGET ") + short(key);
    case "SIDS":
      return words("SIDS ") + short(value.senderId ?? "") + ids;
    case "RIDS":
      return words("RIDS ") + ids;
    case "FILE":
      return words("FILE ") + short(key) + (value.nonce ?? "");
    case "ERR":
      return words(`ERR ${value.fault}`);
    default:
      return words(type);
  }
}

/** A transmission as a vector has it; all bytes are hex. */
export interface PlainTransmission {
  readonly auth: string;
  readonly sessionId: string;
  readonly corrId: string;
  readonly entityId: string;
  readonly command: string;
}

/** What is signed of a transmission. */
export function signed(value: PlainTransmission): string {
  return short(value.sessionId) + short(value.corrId) + short(value.entityId) +
    value.command;
}

/** A block, without its fill. */
export function transmission(value: PlainTransmission): string {
  return large("01" + large(short(value.auth) + signed(value)));
}

/** A router's hello as a vector has it; all bytes are hex. */
export interface PlainHello {
  readonly versions: { readonly min: number; readonly max: number };
  readonly sessionId: string;
  readonly certificates: readonly string[];
  readonly signedKey: string;
  readonly proof: string;
}

/** A router's hello in a block, without its fill. */
export function hello(value: PlainHello): string {
  return large(
    number(value.versions.min, 2) + number(value.versions.max, 2) +
      short(value.sessionId) + list(value.certificates.map(large)) +
      large(value.signedKey) + short(value.proof),
  );
}
