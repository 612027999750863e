/**
 * What the codecs make of bytes, as plain JSON: bytes are hex, nanoseconds are
 * text, `undefined` is left out. Vectors and docs/protocol.md are written so.
 *
 * @module
 */
import { decodeControl, encodeControl } from "../../protocol/control.ts";
import { createFrameReader, type Frame } from "../../protocol/frame.ts";
import {
  encodePreamble,
  forEachRecord,
  LANE_HEADER_BYTES,
  readLaneHeader,
  readPreamble,
  RECORD_HEADER_BYTES,
  writeLaneHeader,
  writeRecord,
} from "../../protocol/lane.ts";
import {
  decodeManifest,
  encodeManifest,
  rootRecord,
} from "../../protocol/manifest.ts";
import { decodeProbe, encodeProbe } from "../../protocol/probe.ts";
import { decodeStatus, encodeStatus } from "../../protocol/status.ts";
import {
  readVarint,
  varintLength,
  writeVarint,
} from "../../protocol/varint.ts";
import {
  decodeHeader,
  decodeHello,
  encodeFrame as encodeGroupFrame,
  encodeHeader,
  encodeHello,
  readFrame as readGroupFrame,
} from "../../transport/tls_frames.ts";

/** What bytes mean, and the bytes that mean it. */
export interface Meaning {
  readonly value: unknown;
  readonly bytes: Uint8Array;
}

/** The kinds of bytes that vectors have. */
export const KINDS = {
  varint,
  preamble,
  control: framed(decodeControl, encodeControl),
  manifest: framed(decodeManifest, encodeManifest),
  status: framed(decodeStatus, encodeStatus),
  lane,
  root,
  probe: whole(decodeProbe, encodeProbe),
  "group-hello": whole(decodeHello, encodeHello),
  "group-stream": whole(decodeHeader, encodeHeader),
  "group-frame": whole((bytes) => {
    const read = readGroupFrame(bytes);
    return read?.end === bytes.length ? read.frame : undefined;
  }, encodeGroupFrame),
} as const satisfies Record<string, (bytes: Uint8Array) => Meaning | undefined>;

/** Turns a decoded value into plain JSON. */
export function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, field) => {
    if (field instanceof Uint8Array) return field.toHex();
    return typeof field === "bigint" ? String(field) : field;
  }));
}

/** Reads the hex of a vector: spaces, lines and `#` comments are for people. */
export function hexBytes(text: string): Uint8Array {
  return Uint8Array.fromHex(
    text.replaceAll(/#.*$/gm, "").replaceAll(/\s/g, ""),
  );
}

function varint(bytes: Uint8Array): Meaning | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const read = readVarint(view, 0);
  if (read === undefined) return undefined;
  const again = new Uint8Array(varintLength(read.value));
  writeVarint(new DataView(again.buffer), 0, read.value);
  return { value: read.value, bytes: again };
}

function preamble(bytes: Uint8Array): Meaning | undefined {
  const read = readPreamble(bytes);
  if (read === undefined) return undefined;
  const { kind, id } = read;
  return { value: { kind, id }, bytes: encodePreamble(kind, id) };
}

/** What `decode` makes of all bytes at once. */
function whole<T>(
  decode: (bytes: Uint8Array) => T | undefined,
  encode: (value: T) => Uint8Array,
): (bytes: Uint8Array) => Meaning | undefined {
  return (bytes) => {
    const value = decode(bytes);
    return value && { value: plain(value), bytes: encode(value) };
  };
}

function framed<T>(
  decode: (frame: Frame) => T | undefined,
  encode: (value: T) => Uint8Array,
): (bytes: Uint8Array) => Meaning | undefined {
  return (bytes) => {
    const reader = createFrameReader(2 ** 20);
    reader.push(bytes);
    const frame = reader.next();
    if (frame === undefined) return undefined;
    const value = decode(frame);
    return value === undefined
      ? { value: { type: "extension" }, bytes }
      : { value: plain(value), bytes: encode(value) };
  };
}

function lane(bytes: Uint8Array): Meaning | undefined {
  const header = readLaneHeader(bytes);
  if (bytes.length !== LANE_HEADER_BYTES + header.length) return undefined;
  const again = new Uint8Array(LANE_HEADER_BYTES + header.length);
  writeLaneHeader(again, 0, header);
  let at = LANE_HEADER_BYTES;
  const records: unknown[] = [];
  const body = bytes.subarray(LANE_HEADER_BYTES);
  forEachRecord(body, header.count, (record, payload) => {
    records.push(plain({ ...record, payload }));
    writeRecord(again, at, record);
    again.set(payload, at + RECORD_HEADER_BYTES);
    at += RECORD_HEADER_BYTES + payload.length;
  });
  return { value: records, bytes: again };
}

/** What an entry adds to the root: its ENTRY frame, outcome and digest. */
function root(bytes: Uint8Array): Meaning | undefined {
  const rest = bytes.subarray(0, -33);
  const outcome = (["here", "gone", "refused"] as const)[bytes.at(-33) ?? 9];
  const frame = decodeManifest({
    type: 0x10,
    body: Uint8Array.of(0, 0, ...rest),
  });
  if (frame?.type !== "entry" || outcome === undefined) return undefined;
  const { entry } = frame;
  const digest = entry.kind === "file" && outcome === "here"
    ? bytes.subarray(-32)
    : undefined;
  return {
    value: plain({ entry, outcome, digest }),
    bytes: rootRecord(entry, outcome, digest),
  };
}
