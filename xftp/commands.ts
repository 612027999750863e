/**
 * Commands, answers and errors of XFTP, versions 1 to 3.
 *
 * | command | holds                                                                    | answer                            |
 * | ------- | ------------------------------------------------------------------------ | --------------------------------- |
 * | `FNEW ` | sender's key, size in 4 bytes, SHA-256, keys of recipients, maybe a password | `SIDS ` sender's id, recipients' ids |
 * | `FADD ` | keys of recipients                                                       | `RIDS ` recipients' ids           |
 * | `FPUT`  | nothing; the chunk follows the block                                     | `OK`                              |
 * | `FDEL`  | nothing                                                                  | `OK`                              |
 * | `FGET ` | an X25519 key                                                            | `FILE ` an X25519 key, nonce; the encrypted chunk follows the block |
 * | `FACK`  | nothing                                                                  | `OK`                              |
 * | `PING`  | nothing                                                                  | `PONG`                            |
 *
 * Keys, ids, digests and passwords are short strings, lists are not empty.
 *
 * @module
 */
import { concatBytes } from "../core/bytes.ts";
import {
  ascii,
  type Bytes,
  createReader,
  maybe,
  nonEmpty,
  type Reader,
  shortString,
  unreadable,
  word32,
} from "./encoding.ts";
import {
  decodeFault,
  encodeFault,
  FaultError,
  type XftpFault,
} from "./faults.ts";
import { NONCE_BYTES, type PublicKey, readPublicKey } from "./keys.ts";

/** Bytes of a chunk's digest. */
export const DIGEST_BYTES = 32;

/** Bytes of the ids that our routers give. */
export const ENTITY_ID_BYTES = 16;

/** The sizes that a chunk may have: 64 KiB, 256 KiB, 1 MiB and 4 MiB. */
export const CHUNK_SIZES: readonly number[] = Object.freeze([
  65_536,
  262_144,
  1_048_576,
  4_194_304,
]);

/** What a client asks for. */
export type XftpCommand =
  | {
    /** Makes room for a chunk. */
    readonly type: "FNEW";
    /** What its sender signs with. */
    readonly senderKey: PublicKey;
    /** Its bytes, one of `CHUNK_SIZES`. */
    readonly size: number;
    /** Its SHA-256. */
    readonly digest: Uint8Array;
    /** What its recipients sign with. */
    readonly recipientKeys: readonly PublicKey[];
    /** What the router asks of those who store, if it does. */
    readonly password?: Uint8Array;
  }
  | {
    /** Adds recipients. */
    readonly type: "FADD";
    /** What they sign with. */
    readonly recipientKeys: readonly PublicKey[];
  }
  | {
    /** Stores, removes, acknowledges, or looks whether anybody is there. */
    readonly type: "FPUT" | "FDEL" | "FACK" | "PING";
  }
  | {
    /** Fetches a chunk. */
    readonly type: "FGET";
    /** Made for this once. */
    readonly key: PublicKey;
  };

/** What a router says. */
export type XftpAnswer =
  | {
    /** A chunk has room. */
    readonly type: "SIDS";
    /** What its sender calls it. */
    readonly senderId: Uint8Array;
    /** What its recipients call it, in the order of their keys. */
    readonly recipientIds: readonly Uint8Array[];
  }
  | {
    /** Recipients were added. */
    readonly type: "RIDS";
    /** What they call the chunk, in the order of their keys. */
    readonly recipientIds: readonly Uint8Array[];
  }
  | {
    /** The chunk follows, encrypted, with its tag. */
    readonly type: "FILE";
    /** Made for this once. */
    readonly key: PublicKey;
    /** 24 bytes. */
    readonly nonce: Uint8Array;
  }
  | {
    /** It is done; it is there. */
    readonly type: "OK" | "PONG";
  }
  | {
    /** It was not done. */
    readonly type: "ERR";
    /** Why. */
    readonly fault: XftpFault;
  };

/**
 * Writes a command.
 *
 * @throws {RangeError} when a list is empty or too long.
 */
export function encodeCommand(command: XftpCommand): Bytes {
  switch (command.type) {
    case "FNEW":
      return concatBytes(
        ascii("FNEW "),
        shortString(command.senderKey.der),
        word32(command.size),
        shortString(command.digest),
        nonEmpty(command.recipientKeys.map((key) => shortString(key.der))),
        maybe(
          command.password === undefined
            ? undefined
            : shortString(command.password),
        ),
      );
    case "FADD":
      return concatBytes(
        ascii("FADD "),
        nonEmpty(command.recipientKeys.map((key) => shortString(key.der))),
      );
    case "FGET":
      return concatBytes(ascii("FGET "), shortString(command.key.der));
    default:
      return ascii(command.type);
  }
}

/**
 * Reads a command.
 *
 * @throws {FaultError} `CMD UNKNOWN` or `CMD SYNTAX`.
 */
export function decodeCommand(bytes: Uint8Array): XftpCommand {
  const { tag, reader } = split(bytes, "command");
  try {
    const command = readCommand(tag, reader);
    if (command === undefined) {
      throw new FaultError({ code: "CMD", detail: "UNKNOWN" });
    }
    reader.end();
    return command;
  } catch (error) {
    if (error instanceof FaultError) throw error;
    throw new FaultError({ code: "CMD", detail: "SYNTAX" }, error);
  }
}

/** Writes an answer. */
export function encodeAnswer(answer: XftpAnswer): Bytes {
  switch (answer.type) {
    case "SIDS":
      return concatBytes(
        ascii("SIDS "),
        shortString(answer.senderId),
        nonEmpty(answer.recipientIds.map((id) => shortString(id))),
      );
    case "RIDS":
      return concatBytes(
        ascii("RIDS "),
        nonEmpty(answer.recipientIds.map((id) => shortString(id))),
      );
    case "FILE":
      return concatBytes(
        ascii("FILE "),
        shortString(answer.key.der),
        answer.nonce,
      );
    case "ERR":
      return concatBytes(ascii("ERR "), ascii(encodeFault(answer.fault)));
    default:
      return ascii(answer.type);
  }
}

/**
 * Reads an answer.
 *
 * @throws {SftpxError} `protocol`, when it is none.
 */
export function decodeAnswer(bytes: Uint8Array): XftpAnswer {
  const { tag, reader } = split(bytes, "answer");
  const answer = readAnswer(tag, reader);
  reader.end();
  return answer;
}

function readCommand(tag: string, reader: Reader): XftpCommand | undefined {
  switch (tag) {
    case "FNEW ": {
      const senderKey = readPublicKey(reader.shortString());
      const size = reader.word32();
      const digest = reader.shortString();
      const recipientKeys = reader.nonEmpty(() => takeKey(reader));
      const password = reader.maybe(() => reader.shortString());
      return {
        type: "FNEW",
        senderKey,
        size,
        digest,
        recipientKeys,
        ...(password === undefined ? {} : { password }),
      };
    }
    case "FADD ":
      return {
        type: "FADD",
        recipientKeys: reader.nonEmpty(() => takeKey(reader)),
      };
    case "FGET ":
      return { type: "FGET", key: takeDhKey(reader) };
    case "FPUT":
    case "FDEL":
    case "FACK":
    case "PING":
      return { type: tag };
    // A tag that we know but that is not followed by what belongs to it.
    case "FNEW":
    case "FADD":
    case "FGET":
    case "FPUT ":
    case "FDEL ":
    case "FACK ":
    case "PING ":
      throw new FaultError({ code: "CMD", detail: "SYNTAX" });
    default:
      return undefined;
  }
}

function readAnswer(tag: string, reader: Reader): XftpAnswer {
  switch (tag) {
    case "SIDS ": {
      const senderId = reader.shortString();
      const recipientIds = reader.nonEmpty(() => reader.shortString());
      return { type: "SIDS", senderId, recipientIds };
    }
    case "RIDS ":
      return {
        type: "RIDS",
        recipientIds: reader.nonEmpty(() => reader.shortString()),
      };
    case "FILE ":
      return {
        type: "FILE",
        key: takeDhKey(reader),
        nonce: reader.bytes(NONCE_BYTES),
      };
    case "ERR ":
      return { type: "ERR", fault: decodeFault(reader.rest()) };
    case "OK":
    case "PONG":
      return { type: tag };
    default:
      throw unreadable("answer", "it is of no kind that is known");
  }
}

function takeKey(reader: Reader): PublicKey {
  return readPublicKey(reader.shortString());
}

function takeDhKey(reader: Reader): PublicKey {
  const key = takeKey(reader);
  if (key.kind !== "x25519") {
    throw unreadable("public key", `it is ${key.kind} and must be x25519`);
  }
  return key;
}

/** The tag is what stands before the first space, and the space. */
function split(
  bytes: Uint8Array,
  what: string,
): { tag: string; reader: Reader } {
  const space = bytes.subarray(0, LONGEST_TAG + 1).indexOf(0x20);
  const end = space < 0 ? bytes.length : space + 1;
  const tag = end > LONGEST_TAG + 1
    ? ""
    : String.fromCharCode(...bytes.subarray(0, end));
  return { tag, reader: createReader(bytes.subarray(end), what) };
}

const LONGEST_TAG = 4;
