/**
 * The lines of the store's log: one for each thing that happened, words with
 * spaces between. Ids, keys (DER), digests and paths are base64url with padding.
 *
 * | line                                               | says                              |
 * | -------------------------------------------------- | --------------------------------- |
 * | `FNEW id key size digest created [status]`         | a chunk has room                  |
 * | `FADD id recipient:key,recipient:key...`           | it has recipients                 |
 * | `FPUT id path`                                     | it is on disk                     |
 * | `FDEL id`                                          | it is gone, or expired            |
 * | `FBLK id reason=spam`                              | the operator has blocked it       |
 * | `FACK recipient`                                   | a recipient has it                |
 *
 * `created` is in seconds since 1970; the status is `active`, `off` or
 * `blocked,reason=spam`, and `active` when it is missing.
 *
 * @module
 */
import { SftpxError } from "../../core/errors.ts";
import { type Bytes, unreadable } from "../encoding.ts";
import { decodeBlocking, encodeBlocking } from "../faults.ts";
import type { Blocking } from "../faults.ts";
import { type PublicKey, readPublicKey } from "../keys.ts";
import { ACTIVE, type ChunkStatus, type Recipient } from "./records.ts";

/** Something that happened to a chunk. */
export type StoreEvent =
  | {
    /** It has room. */
    readonly type: "FNEW";
    readonly id: Bytes;
    readonly senderKey: PublicKey;
    readonly size: number;
    readonly digest: Bytes;
    readonly createdS: number;
    readonly status: ChunkStatus;
  }
  | {
    /** It has recipients. */
    readonly type: "FADD";
    readonly id: Bytes;
    readonly recipients: readonly Recipient[];
  }
  | {
    /** It is on disk. */
    readonly type: "FPUT";
    readonly id: Bytes;
    /** Where; it is written for others and not read, as the id says it. */
    readonly path: string;
  }
  | {
    /** It is gone, or a recipient has it. */
    readonly type: "FDEL" | "FACK";
    readonly id: Bytes;
  }
  | {
    /** The operator has blocked it. */
    readonly type: "FBLK";
    readonly id: Bytes;
    readonly blocking: Blocking;
  };

/** Writes a line, without its end. */
export function formatStoreLine(event: StoreEvent): string {
  const id = base64(event.id);
  switch (event.type) {
    case "FNEW": {
      const { senderKey, size, digest, createdS, status } = event;
      const words = [base64(senderKey.der), size, base64(digest), createdS];
      return `FNEW ${id} ${words.join(" ")} ${formatStatus(status)}`;
    }
    case "FADD": {
      const pairs = event.recipients.map((one) =>
        `${base64(one.id)}:${base64(one.key.der)}`
      );
      return `FADD ${id} ${pairs.join(",")}`;
    }
    case "FPUT":
      return `FPUT ${id} ${base64(new TextEncoder().encode(event.path))}`;
    case "FBLK":
      return `FBLK ${id} ${encodeBlocking(event.blocking)}`;
    default:
      return `${event.type} ${id}`;
  }
}

/**
 * Reads a line, without its end.
 *
 * @throws {SftpxError} `protocol`, when it is none.
 */
export function parseStoreLine(line: string): StoreEvent {
  const [type, name = "", ...words] = line.split(" ");
  const id = bytesOf(name);
  switch (type) {
    case "FNEW": {
      checkCount(words, 4, 5);
      const [key = "", size = "", digest = "", created = "", status] = words;
      return {
        type,
        id,
        senderKey: readPublicKey(bytesOf(key)),
        size: numberOf(size, 1),
        digest: bytesOf(digest),
        createdS: numberOf(created, 0),
        status: status === undefined ? ACTIVE : parseStatus(status),
      };
    }
    case "FADD": {
      checkCount(words, 1, 1);
      const recipients = (words[0] ?? "").split(",").map((pair) => {
        const [recipient = "", key = "", ...more] = pair.split(":");
        checkCount(more, 0, 0);
        const der = bytesOf(key);
        return { id: bytesOf(recipient), key: readPublicKey(der) };
      });
      return { type, id, recipients };
    }
    case "FPUT":
      checkCount(words, 1, 1);
      return {
        type,
        id,
        path: new TextDecoder().decode(bytesOf(words[0] ?? "")),
      };
    case "FBLK": {
      checkCount(words, 1, 1);
      const blocking = decodeBlocking(words[0] ?? "");
      if (blocking === undefined) throw bad("it says no reason");
      return { type, id, blocking };
    }
    case "FDEL":
    case "FACK":
      checkCount(words, 0, 0);
      return { type, id };
    default:
      throw bad("it is of no kind that is known");
  }
}

/** Writes bytes as the log has them. */
export function base64(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url" });
}

function formatStatus(status: ChunkStatus): string {
  return status.type === "blocked"
    ? `blocked,${encodeBlocking(status.blocking)}`
    : status.type;
}

function parseStatus(text: string): ChunkStatus {
  if (text === "active" || text === "off") return { type: text };
  const [, reason = ""] = /^blocked,(.*)$/.exec(text) ?? [];
  const blocking = decodeBlocking(reason);
  if (blocking === undefined) throw bad("its status is not known");
  return { type: "blocked", blocking };
}

function bytesOf(text: string): Bytes {
  if (!/^[\w-]+={0,2}$/.test(text)) throw bad("it holds no base64url");
  try {
    return Uint8Array.fromBase64(text, { alphabet: "base64url" });
  } catch (cause) {
    throw bad("it holds no base64url", cause);
  }
}

function numberOf(text: string, min: number): number {
  const value = Number(text);
  if (!/^\d{1,15}$/.test(text) || value < min) {
    throw bad(`it holds no number of ${min} or more`);
  }
  return value;
}

function checkCount(words: string[], min: number, max: number): void {
  if (words.length < min || words.length > max) {
    throw bad("it has too few or too many words");
  }
}

function bad(reason: string, cause?: unknown): SftpxError {
  return unreadable("line of the store's log", reason, cause);
}
