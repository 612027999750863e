/**
 * What peers and a helper say to each other. Each request is a stream of its
 * own, and a stream carries messages one after the other:
 *
 * | field  | bytes  | meaning                               |
 * | ------ | ------ | ------------------------------------- |
 * | length | 2      | of the body, at most 1400, big-endian |
 * | type   | 1      | as below                              |
 * | body   | length | its fields, without any left over     |
 *
 * | type | name     | from   | body                                            |
 * | ---- | -------- | ------ | ----------------------------------------------- |
 * | 0x01 | ALLOCATE | sender | version u8, nonce[16]                           |
 * | 0x02 | CLAIM    | peer   | version u8, role u8, slot u32, nonce[16]        |
 * | 0x03 | JOIN     | sender | version u8, id[16], nonce[16]                   |
 * | 0x04 | HOST     | recv.  | version u8, id[16]                              |
 * | 0x05 | ACCEPT   | recv.  | nonce[16]                                       |
 * | 0x06 | DATA     | peer   | what the other peer is to have                  |
 * | 0x07 | BURN     | peer   | nothing                                         |
 * | 0x08 | RELAY    | peer   | nothing                                         |
 * | 0x09 | PONG     | peer   | nothing                                         |
 * | 0x41 | WAITING  | helper | slot u32, address (varint, bytes)             |
 * | 0x42 | PAIRED   | helper | nonce[16] of the other peer                     |
 * | 0x43 | JOINED   | helper | nonce[16] of a sender, our address as in WAITING |
 * | 0x44 | END      | helper | reason u8                                       |
 * | 0x45 | GRANT    | helper | udp port u16, tcp port u16, cookie[16]          |
 * | 0x46 | PING     | helper | nothing                                         |
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { createReader, createWriter, type Reader } from "../protocol/cursor.ts";
import { MAX_SLOT } from "./code.ts";
import { MEETING_ID_LENGTH, NONCE_LENGTH } from "./keys.ts";
import type { Role } from "./types.ts";

/** The protocol that is spoken with a helper. */
export const HELPER_ALPN = "sftpx-helper/1";

/** Its version, in the first message of each stream. */
export const HELPER_VERSION = 1;

/** Where helpers listen when nothing else is said. */
export const HELPER_PORT = 4277;

/** Largest body: what fits into one packet. */
export const MAX_BODY = 1400;

/** Bytes before a body. */
export const HEADER_LENGTH = 3;

/** Why a helper ends a request. The order is the number on the wire. */
export const END_REASONS = [
  "expired",
  "burnt",
  "gone",
  "full",
  "taken",
  "limited",
  "stopping",
  "excess",
  "used",
] as const;

/** See {@linkcode END_REASONS}. */
export type EndReason = typeof END_REASONS[number];

/** One message. */
export type Message =
  | { readonly type: "allocate"; readonly nonce: Uint8Array }
  | {
    readonly type: "claim";
    readonly role: Role;
    readonly slot: number;
    readonly nonce: Uint8Array;
  }
  | {
    readonly type: "join";
    readonly id: Uint8Array;
    readonly nonce: Uint8Array;
  }
  | { readonly type: "host"; readonly id: Uint8Array }
  | { readonly type: "accept"; readonly nonce: Uint8Array }
  | { readonly type: "data"; readonly bytes: Uint8Array }
  | { readonly type: "burn" }
  | { readonly type: "relay" }
  | { readonly type: "pong" }
  | {
    readonly type: "waiting";
    /** 0 where there is none. */
    readonly slot: number;
    /** The peer's address as the helper sees it. */
    readonly observed: string;
  }
  | { readonly type: "paired"; readonly nonce: Uint8Array }
  | {
    readonly type: "joined";
    readonly nonce: Uint8Array;
    /** The host's address as the helper sees it now. */
    readonly observed: string;
  }
  | { readonly type: "end"; readonly reason: EndReason }
  | {
    readonly type: "grant";
    /** 0 where there is none. */
    readonly udpPort: number;
    readonly tcpPort: number;
    readonly cookie: Uint8Array;
  }
  | { readonly type: "ping" };

const TYPES = {
  allocate: 0x01,
  claim: 0x02,
  join: 0x03,
  host: 0x04,
  accept: 0x05,
  data: 0x06,
  burn: 0x07,
  relay: 0x08,
  pong: 0x09,
  waiting: 0x41,
  paired: 0x42,
  joined: 0x43,
  end: 0x44,
  grant: 0x45,
  ping: 0x46,
} as const satisfies Record<Message["type"], number>;

const NAMES = new Map(
  Object.entries(TYPES).map(([name, number]) => [number, name]),
) as ReadonlyMap<number, Message["type"]>; // the keys are what they were above

const ROLES: readonly Role[] = ["sender", "receiver"];
/** `[v6]:port` with a zone is shorter. */
const MAX_ADDRESS = 100;

/** Encodes a message, its header included. */
export function encodeMessage(message: Message): Uint8Array<ArrayBuffer> {
  const body = createWriter(message.type.toUpperCase());
  switch (message.type) {
    case "allocate":
      body.u8(HELPER_VERSION).bytes(message.nonce, NONCE_LENGTH);
      break;
    case "claim":
      body.u8(HELPER_VERSION).u8(ROLES.indexOf(message.role))
        .u32(message.slot).bytes(message.nonce, NONCE_LENGTH);
      break;
    case "join":
      body.u8(HELPER_VERSION).bytes(message.id, MEETING_ID_LENGTH)
        .bytes(message.nonce, NONCE_LENGTH);
      break;
    case "host":
      body.u8(HELPER_VERSION).bytes(message.id, MEETING_ID_LENGTH);
      break;
    case "accept":
    case "paired":
      body.bytes(message.nonce, NONCE_LENGTH);
      break;
    case "joined":
      body.bytes(message.nonce, NONCE_LENGTH)
        .string(message.observed, MAX_ADDRESS);
      break;
    case "data":
      body.bytes(message.bytes);
      break;
    case "waiting":
      body.u32(message.slot).string(message.observed, MAX_ADDRESS);
      break;
    case "end":
      body.u8(END_REASONS.indexOf(message.reason));
      break;
    case "grant":
      body.u16(message.udpPort).u16(message.tcpPort)
        .bytes(message.cookie, NONCE_LENGTH);
      break;
    case "burn":
    case "relay":
    case "pong":
    case "ping":
      break;
  }
  const bytes = body.finish();
  if (bytes.length > MAX_BODY) {
    throw new RangeError(
      `Cannot encode ${message.type} as its body must have at most ${MAX_BODY} bytes: current length is ${bytes.length}`,
    );
  }
  return createWriter("message")
    .u16(bytes.length).u8(TYPES[message.type]).bytes(bytes).finish();
}

/**
 * Reads a header.
 *
 * @throws {SftpxError} `protocol` for a type that there is not, or a body that
 * is too long.
 */
export function decodeHeader(
  header: Uint8Array,
): { readonly type: Message["type"]; readonly length: number } {
  const reader = createReader(header, "message");
  const length = reader.u16();
  const number = reader.u8();
  reader.end();
  const type = NAMES.get(number);
  if (type === undefined) return reader.fail(`there is no type ${number}`);
  if (length > MAX_BODY) return reader.fail(`its body has ${length} bytes`);
  return { type, length };
}

/**
 * Reads a body.
 *
 * @throws {SftpxError} `protocol`, when it is not one of that type.
 */
export function decodeBody(type: Message["type"], body: Uint8Array): Message {
  const reader = createReader(body, type.toUpperCase());
  const message = fields(type, reader);
  reader.end();
  return message;
}

function fields(type: Message["type"], reader: Reader): Message {
  const nonce = (): Uint8Array => reader.bytes(NONCE_LENGTH).slice();
  const id = (): Uint8Array => reader.bytes(MEETING_ID_LENGTH).slice();
  switch (type) {
    case "allocate":
      version(reader);
      return { type, nonce: nonce() };
    case "claim": {
      version(reader);
      const role = ROLES[reader.u8()] ?? reader.fail("there is no such role");
      const slot = reader.u32();
      if (slot < 1 || slot > MAX_SLOT) reader.fail("there is no such slot");
      return { type, role, slot, nonce: nonce() };
    }
    case "join":
      version(reader);
      return { type, id: id(), nonce: nonce() };
    case "host":
      version(reader);
      return { type, id: id() };
    case "accept":
    case "paired":
      return { type, nonce: nonce() };
    case "joined":
      return { type, nonce: nonce(), observed: reader.string(MAX_ADDRESS) };
    case "data":
      return { type, bytes: reader.bytes(reader.remaining).slice() };
    case "burn":
    case "relay":
    case "pong":
    case "ping":
      return { type };
    case "waiting":
      return {
        type,
        slot: reader.u32(),
        observed: reader.string(MAX_ADDRESS),
      };
    case "end":
      return {
        type,
        reason: END_REASONS[reader.u8()] ?? reader.fail("no such reason"),
      };
    case "grant":
      return {
        type,
        udpPort: reader.u16(),
        tcpPort: reader.u16(),
        cookie: nonce(),
      };
  }
}

function version(reader: Reader): void {
  const version = reader.u8();
  if (version !== HELPER_VERSION) {
    throw new SftpxError(
      "protocol",
      `Cannot speak version ${version} with a peer: this is version ${HELPER_VERSION}`,
    );
  }
}
