/**
 * Frames of the control stream, in both directions.
 *
 * | type | name        | from     | body                                                   |
 * | ---- | ----------- | -------- | ------------------------------------------------------ |
 * | 0x00 | HELLO       | sender   | "SFTX", version, flags, session[32], life[16], nonce[16], proof[32], attempt, connection |
 * | 0x01 | WELCOME     | receiver | version, flags, life[16], next, window, max lanes      |
 * | 0x02 | REFUSE      | receiver | code, reason                                           |
 * | 0x03 | OFFER       | sender   | flags, total bytes + 1 (0: unknown), label             |
 * | 0x04 | ACCEPT      | receiver |                                                        |
 * | 0x05 | PING        | both     | id                                                     |
 * | 0x06 | PONG        | both     | id                                                     |
 * | 0x07 | PAUSE       | both     | code, reason                                           |
 * | 0x08 | RESUME      | both     |                                                        |
 * | 0x09 | CANCEL      | both     | code, reason                                           |
 * | 0x0a | RECEIPT     | receiver | root[32], entries, bytes, written, skipped, refused    |
 * | 0x0b | RECEIPT_ACK | sender   | root[32]                                               |
 * | 0x43 | WANT_PORTS  | sender   | carrier, count                                         |
 * | 0x44 | PORTS       | receiver | carrier, count, count times: u16 port                  |
 *
 * @module
 */
import { unreachable } from "../core/actor.ts";
import type { ErrorCode } from "../core/errors.ts";
import { byteOfCode, codeOfByte } from "./codes.ts";
import {
  createReader,
  createWriter,
  type Reader,
  type Writer,
} from "./cursor.ts";
import { encodeFrame, type Frame, ignoreExtension } from "./frame.ts";

/** What the two peers tell each other about the transfer as a whole. */
export type ControlFrame =
  | Hello
  | Welcome
  | {
    readonly type: "refuse" | "pause" | "cancel";
    readonly code: ErrorCode;
    readonly reason: string;
  }
  | Offer
  | { readonly type: "accept" | "resume" }
  | { readonly type: "ping" | "pong"; readonly id: number }
  | Receipt
  | { readonly type: "receipt-ack"; readonly root: Uint8Array }
  /** An extension: how many ports would be of use to further connections. */
  | WantPorts
  /** An extension: ports of the receiver that take further connections. */
  | {
    readonly type: "ports";
    readonly carrier: PortCarrier;
    readonly ports: readonly number[];
  };

/** What goes over a port: UDP, or TCP. */
export type PortCarrier = "quic" | "tcp";

/** Asks for ports. */
export interface WantPorts {
  readonly type: "want-ports";
  readonly carrier: PortCarrier;
  readonly count: number;
}

/** The first frame of every connection. */
export interface Hello {
  readonly type: "hello";
  readonly version: number;
  /** A further connection of a session, for lanes only. */
  readonly extra: boolean;
  readonly session: Uint8Array;
  /** Which state of the sender speaks. */
  readonly life: Uint8Array;
  readonly nonce: Uint8Array;
  /** HMAC over all of it, with the token. */
  readonly proof: Uint8Array;
  /** Counts the sender's dials; the newest wins. */
  readonly attempt: number;
  /** 0 for the connection with the control stream that counts. */
  readonly connection: number;
}

/** The receiver's answer to a hello it lets in. */
export interface Welcome {
  readonly type: "welcome";
  readonly version: number;
  /** The receiver still has the state of both lives: nothing is said again. */
  readonly continued: boolean;
  /** Which state of the receiver speaks. */
  readonly life: Uint8Array;
  /** The index of the first entry the receiver has not heard of. */
  readonly next: number;
  /** How many entries may be unretired at a time. */
  readonly window: number;
  readonly maxLanes: number;
  /** The certificate that it shows over TCP, DER: what asks for it there takes two round trips. */
  readonly certificate?: Uint8Array | undefined;
}

/** What the sender wants to send, and how it is to be compared. */
export interface Offer {
  readonly type: "offer";
  /** Compare by content, not by size and time. */
  readonly checksum: boolean;
  /** The BLAKE3 of every file comes along. */
  readonly b3sum: boolean;
  /** Forget what an earlier run left. */
  readonly fresh: boolean;
  readonly totalBytes: number | undefined;
  /** A name for people. */
  readonly label: string;
}

/** Everything is verified, on disk and in place. */
export interface Receipt {
  readonly type: "receipt";
  readonly root: Uint8Array;
  readonly entries: number;
  readonly bytes: number;
  readonly written: number;
  readonly skipped: number;
  readonly refused: number;
}

/** The version this code speaks. */
export const VERSION = 1;
/** Longest reason or label on the wire. */
export const MAX_TEXT_BYTES = 1024;
/** The longest certificate that is said, bytes; most have a few hundred. */
export const MAX_CERTIFICATE_BYTES: number = 8 * 1024;
/** Ports that a receiver may name: one for each further connection. */
export const MAX_PORTS = 15;

const MAGIC = 0x53465458; // "SFTX"
const CARRIERS: readonly PortCarrier[] = ["quic", "tcp"];
const TYPES = {
  "hello": 0x00,
  "welcome": 0x01,
  "refuse": 0x02,
  "offer": 0x03,
  "accept": 0x04,
  "ping": 0x05,
  "pong": 0x06,
  "pause": 0x07,
  "resume": 0x08,
  "cancel": 0x09,
  "receipt": 0x0a,
  "receipt-ack": 0x0b,
  "want-ports": 0x43,
  "ports": 0x44,
} as const satisfies Record<ControlFrame["type"], number>;
const NAMES: ReadonlyMap<number, ControlFrame["type"]> = new Map(
  (Object.keys(TYPES) as ControlFrame["type"][])
    .map((name) => [TYPES[name], name]),
);

/**
 * Encodes a control frame, its header included.
 *
 * Reasons and labels are cut to what the wire allows.
 *
 * @throws {RangeError} when a field does not fit its place.
 */
export function encodeControl(frame: ControlFrame): Uint8Array<ArrayBuffer> {
  return encodeFrame(TYPES[frame.type], encodeBody(frame));
}

/**
 * Decodes a control frame; `undefined` is an extension, to be ignored.
 *
 * @throws {SftpxError} `protocol` when the frame is not as it should be.
 */
export function decodeControl(frame: Frame): ControlFrame | undefined {
  const type = NAMES.get(frame.type);
  if (type === undefined) return ignoreExtension(frame.type, "control");
  const reader = createReader(frame.body, type.toUpperCase());
  const decoded = decodeBody(type, reader);
  reader.end();
  return decoded;
}

function encodeBody(frame: ControlFrame): Uint8Array {
  const to = createWriter(frame.type.toUpperCase());
  switch (frame.type) {
    case "hello":
      return to.u32(MAGIC).u8(frame.version).u8(frame.extra ? 1 : 0)
        .bytes(frame.session, 32).bytes(frame.life, 16).bytes(frame.nonce, 16)
        .bytes(frame.proof, 32).varint(frame.attempt).varint(frame.connection)
        .finish();
    case "welcome":
      return encodeWelcome(frame, to);
    case "refuse":
    case "pause":
    case "cancel":
      return to.u8(byteOfCode(frame.code)).text(frame.reason, MAX_TEXT_BYTES)
        .finish();
    case "offer":
      return to.u8(
        (frame.checksum ? 1 : 0) | (frame.b3sum ? 2 : 0) |
          (frame.fresh ? 4 : 0),
      ).varint(frame.totalBytes === undefined ? 0 : frame.totalBytes + 1)
        .text(frame.label, MAX_TEXT_BYTES).finish();
    case "accept":
    case "resume":
      return to.finish();
    case "ping":
    case "pong":
      return to.varint(frame.id).finish();
    case "receipt":
      return to.bytes(frame.root, 32).varint(frame.entries).varint(frame.bytes)
        .varint(frame.written).varint(frame.skipped).varint(frame.refused)
        .finish();
    case "receipt-ack":
      return to.bytes(frame.root, 32).finish();
    case "want-ports":
      return to.u8(CARRIERS.indexOf(frame.carrier)).varint(frame.count)
        .finish();
    case "ports":
      to.u8(CARRIERS.indexOf(frame.carrier)).varint(frame.ports.length);
      for (const port of frame.ports) to.u16(port);
      return to.finish();
    default:
      return unreachable(frame);
  }
}

function decodeBody(type: ControlFrame["type"], from: Reader): ControlFrame {
  switch (type) {
    case "hello":
      return decodeHello(from);
    case "welcome":
      return decodeWelcome(from);
    case "refuse":
    case "pause":
    case "cancel":
      return {
        type,
        code: codeOfByte(from.u8()),
        reason: from.string(MAX_TEXT_BYTES),
      };
    case "offer": {
      const flags = decodeFlags(from, 7);
      const total = from.varint();
      return {
        type,
        checksum: (flags & 1) !== 0,
        b3sum: (flags & 2) !== 0,
        fresh: (flags & 4) !== 0,
        totalBytes: total === 0 ? undefined : total - 1,
        label: from.string(MAX_TEXT_BYTES),
      };
    }
    case "accept":
    case "resume":
      return { type };
    case "ping":
    case "pong":
      return { type, id: from.varint() };
    case "receipt":
      return {
        type,
        root: from.bytes(32),
        entries: from.varint(),
        bytes: from.varint(),
        written: from.varint(),
        skipped: from.varint(),
        refused: from.varint(),
      };
    case "receipt-ack":
      return { type, root: from.bytes(32) };
    case "want-ports": {
      const carrier = decodeCarrier(from);
      const count = atLeastOne(from, "number of ports");
      return count <= MAX_PORTS
        ? { type, carrier, count }
        : from.fail(`${count} ports are too many`);
    }
    case "ports":
      return { type, carrier: decodeCarrier(from), ports: decodePorts(from) };
    default:
      return unreachable(type);
  }
}

function decodeHello(from: Reader): Hello {
  if (from.u32() !== MAGIC) from.fail('it does not begin with "SFTX"');
  return {
    type: "hello",
    version: decodeVersion(from),
    extra: decodeFlags(from, 1) === 1,
    session: from.bytes(32),
    life: from.bytes(16),
    nonce: from.bytes(16),
    proof: from.bytes(32),
    attempt: from.varint(),
    connection: from.varint(),
  };
}

function encodeWelcome(frame: Welcome, to: Writer): Uint8Array {
  const { certificate } = frame;
  const flags = (frame.continued ? 1 : 0) | (certificate ? 2 : 0);
  to.u8(frame.version).u8(flags).bytes(frame.life, 16).varint(frame.next)
    .varint(frame.window).varint(frame.maxLanes);
  if (certificate === undefined) return to.finish();
  if (certificate.length > MAX_CERTIFICATE_BYTES) {
    throw new RangeError(
      `Cannot encode WELCOME as a certificate must have at most ${MAX_CERTIFICATE_BYTES} bytes: this one has ${certificate.length}`,
    );
  }
  return to.varint(certificate.length).bytes(certificate).finish();
}

function decodeWelcome(from: Reader): Welcome {
  const version = decodeVersion(from);
  const flags = decodeFlags(from, 3);
  const welcome: Welcome = {
    type: "welcome",
    version,
    continued: (flags & 1) !== 0,
    life: from.bytes(16),
    next: from.varint(),
    window: atLeastOne(from, "window"),
    maxLanes: atLeastOne(from, "number of lanes"),
  };
  if ((flags & 2) === 0) return welcome;
  const certificate = from.bytes(from.varint(MAX_CERTIFICATE_BYTES));
  return { ...welcome, certificate };
}

function decodeCarrier(from: Reader): PortCarrier {
  const byte = from.u8();
  return CARRIERS[byte] ?? from.fail(`${byte} is no carrier`);
}

function decodePorts(from: Reader): readonly number[] {
  const ports = Array.from(
    { length: from.varint(MAX_PORTS) },
    () => from.u16(),
  );
  if (ports.includes(0)) from.fail("a port is 0");
  if (new Set(ports).size < ports.length) from.fail("a port is named twice");
  return ports;
}

function decodeVersion(from: Reader): number {
  const version = from.u8();
  return version === VERSION
    ? version
    : from.fail(`version is ${version}, and only ${VERSION} is spoken here`);
}

function decodeFlags(from: Reader, known: number): number {
  const flags = from.u8();
  return (flags & ~known) === 0
    ? flags
    : from.fail(`flags are 0x${flags.toString(16)}, not all are known`);
}

function atLeastOne(from: Reader, what: string): number {
  const value = from.varint();
  return value >= 1 ? value : from.fail(`the ${what} is 0`);
}
