/**
 * What can go wrong in XFTP, as both sides say it: a word, or a few, of ASCII.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { unreadable } from "./encoding.ts";

/** What is wrong with a command. */
export const COMMAND_FAULTS = [
  "UNKNOWN",
  "SYNTAX",
  "PROHIBITED",
  "NO_AUTH",
  "HAS_AUTH",
  "NO_ENTITY",
] as const;

/** Errors that are one word. */
export const PLAIN_FAULTS = [
  "BLOCK",
  "SESSION",
  "HANDSHAKE",
  "AUTH",
  "SIZE",
  "QUOTA",
  "DIGEST",
  "CRYPTO",
  "NO_FILE",
  "HAS_FILE",
  "FILE_IO",
  "TIMEOUT",
  "INTERNAL",
] as const;

/** Why a chunk was blocked. */
export const BLOCKING_REASONS = ["spam", "content"] as const;

/** Why a chunk was blocked, and what is to be shown of it. */
export interface Blocking {
  /** The reason. */
  readonly reason: typeof BLOCKING_REASONS[number];
  /** That there is a notice, and for how many seconds, if that is limited. */
  readonly notice?: { readonly ttl?: number };
}

/** An error of the protocol. */
export type XftpFault =
  | {
    /** One that is a word. */
    readonly code: typeof PLAIN_FAULTS[number];
  }
  | {
    /** The command was wrong. */
    readonly code: "CMD";
    /** How. */
    readonly detail: typeof COMMAND_FAULTS[number];
  }
  | {
    /** The operator has blocked the chunk. */
    readonly code: "BLOCKED";
    /** Why. */
    readonly blocking: Blocking;
  };

/** A fault on its way to the one who is to hear of it; stays within `xftp/`. */
export class FaultError extends Error {
  /** Tells it from other errors. */
  override name = "FaultError";
  /** Carries `fault`; `cause` is for our own log. */
  constructor(readonly fault: XftpFault, cause?: unknown) {
    super(encodeFault(fault), { cause });
  }
}

/** Writes a fault, without the `ERR ` that stands before it in answers. */
export function encodeFault(fault: XftpFault): string {
  switch (fault.code) {
    case "CMD":
      return `CMD ${fault.detail}`;
    case "BLOCKED":
      return `BLOCKED ${encodeBlocking(fault.blocking)}`;
    default:
      return fault.code;
  }
}

/**
 * Reads a fault.
 *
 * @throws {SftpxError} `protocol`, when it is none.
 */
export function decodeFault(bytes: Uint8Array | string): XftpFault {
  const text = typeof bytes === "string" ? bytes : asciiText(bytes);
  const plain = PLAIN_FAULTS.find((word) => word === text);
  if (plain !== undefined) return { code: plain };
  const [word = "", rest = ""] = cut(text, " ");
  const detail = COMMAND_FAULTS.find((name) => name === rest);
  if (word === "CMD" && detail !== undefined) return { code: "CMD", detail };
  if (word === "BLOCKED") {
    const blocking = decodeBlocking(rest);
    if (blocking !== undefined) return { code: "BLOCKED", blocking };
  }
  throw unreadable("error", "it is none that is known");
}

/** Writes why a chunk was blocked: `reason=spam,notice={"ttl":60}`. */
export function encodeBlocking({ reason, notice }: Blocking): string {
  return notice === undefined
    ? `reason=${reason}`
    : `reason=${reason},notice=${JSON.stringify(notice)}`;
}

/** Reads why a chunk was blocked; `undefined` when it is not that. */
export function decodeBlocking(text: string): Blocking | undefined {
  const [, word, json] =
    /^reason=([a-z]+)(?:,notice=(\{[ -~]{0,100}\}))?$/.exec(text) ?? [];
  const reason = BLOCKING_REASONS.find((name) => name === word);
  if (reason === undefined) return undefined;
  if (json === undefined) return { reason };
  try {
    const { ttl } = JSON.parse(json) as { ttl?: unknown };
    if (ttl === undefined || ttl === null) return { reason, notice: {} };
    const isTtl = typeof ttl === "number" && Number.isSafeInteger(ttl) &&
      ttl >= 0;
    return isTtl ? { reason, notice: { ttl } } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What a fault means to a client, as the error that its user sees. */
export function faultToError(fault: XftpFault, doing: string): SftpxError {
  const say = (
    code: "unauthorized" | "protocol" | "integrity" | "peer-busy",
    reason: string,
  ): SftpxError => new SftpxError(code, `Cannot ${doing}: ${reason}`);
  switch (fault.code) {
    case "AUTH":
      return say(
        "unauthorized",
        "the router does not know it, or does not allow it",
      );
    case "BLOCKED":
      return say(
        "unauthorized",
        `the router's operator has blocked it, for ${fault.blocking.reason}`,
      );
    case "QUOTA":
      return say("peer-busy", "the router is full");
    case "TIMEOUT":
      return say("peer-busy", "the router waited too long");
    case "DIGEST":
      return say("integrity", "the router got other bytes than were announced");
    case "NO_FILE":
      return say("peer-busy", "it was not uploaded yet");
    case "FILE_IO":
    case "INTERNAL":
      return say("peer-busy", `the router has trouble, it says ${fault.code}`);
    default:
      return say("protocol", `the router says ${encodeFault(fault)}`);
  }
}

function asciiText(bytes: Uint8Array): string {
  if (bytes.length > 255) throw unreadable("error", "it is too long");
  return String.fromCharCode(...bytes);
}

function cut(text: string, at: string): [string, string] {
  const index = text.indexOf(at);
  return index < 0
    ? [text, ""]
    : [text.slice(0, index), text.slice(index + at.length)];
}
