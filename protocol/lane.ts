/**
 * Lanes: the streams that carry chunks, and how any one-way stream begins.
 *
 * A one-way stream begins with its preamble:
 *
 * | field | bytes  | meaning                          |
 * | ----- | ------ | -------------------------------- |
 * | kind  | 1      | 1 manifest, 2 lane, 3 status     |
 * | id    | varint | number of the lane; 0 otherwise  |
 *
 * A lane goes on with frames, each a header and as many records as it says:
 *
 * | field  | bytes | meaning                                           |
 * | ------ | ----- | ------------------------------------------------- |
 * | length | 4     | bytes of all records together, at most 17 MiB     |
 * | count  | 2     | number of records, at least 1                     |
 * | flags  | 2     | 0                                                 |
 *
 * A record is one chunk:
 *
 * | field    | bytes | meaning                                         |
 * | -------- | ----- | ----------------------------------------------- |
 * | kind     | 1     | 0 data, 1 same: the receiver's candidate is right |
 * | reserved | 1     | 0                                               |
 * | gen      | 2     | generation of the entry                         |
 * | length   | 4     | bytes of the chunk, 1 to 16 MiB                 |
 * | index    | 8     | entry                                           |
 * | chunk    | 8     | number of the chunk in its file                 |
 * | digest   | 32    | BLAKE3 of the chunk                             |
 * | payload  | length | data only                                      |
 *
 * This is the hot path: numbers are read and written byte by byte, which is
 * quicker than a `DataView` a record, and digests and payloads are views.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { MAX_CHUNK_BYTES } from "./entry.ts";
import { readVarint, varintLength, writeVarint } from "./varint.ts";

/** What a one-way stream carries. */
export type StreamKind = "manifest" | "lane" | "status";

/** How a one-way stream begins. */
export interface Preamble {
  readonly kind: StreamKind;
  /** Number of the lane; 0 for the other kinds. */
  readonly id: number;
}

/** What a lane frame says of its body. */
export interface LaneHeader {
  /** Bytes of the body. */
  readonly length: number;
  /** Records in the body. */
  readonly count: number;
}

/** What a record says of its chunk. */
export interface LaneRecord {
  /** `same` has no payload: the receiver already holds these bytes. */
  readonly kind: "data" | "same";
  readonly gen: number;
  /** Bytes of the chunk. */
  readonly length: number;
  readonly index: number;
  readonly chunk: number;
  readonly digest: Uint8Array;
}

/** Bytes of a lane frame's header. */
export const LANE_HEADER_BYTES = 8;
/** Bytes of a record's header. */
export const RECORD_HEADER_BYTES = 56;
/** Largest body: the largest chunk, or a pack, with room for record headers. */
export const MAX_LANE_BODY: number = 17 * 1024 * 1024;
/** Most records a frame can hold. */
export const MAX_LANE_RECORDS = 0xffff;

const KINDS = [undefined, "manifest", "lane", "status"] as const;

/** Encodes the first bytes of a one-way stream. */
export function encodePreamble(
  kind: StreamKind,
  id: number,
): Uint8Array<ArrayBuffer> {
  if (kind !== "lane" && id !== 0) {
    throw new RangeError(
      `Cannot encode preamble as the id of ${kind} must be 0: current value is ${id}`,
    );
  }
  const bytes = new Uint8Array(1 + varintLength(id));
  bytes[0] = KINDS.indexOf(kind);
  writeVarint(new DataView(bytes.buffer), 1, id);
  return bytes;
}

/**
 * Reads the first bytes of a one-way stream; `undefined` when they are not all
 * there yet.
 *
 * @throws {SftpxError} `protocol` when the stream is of no known kind.
 */
export function readPreamble(
  bytes: Uint8Array,
): { kind: StreamKind; id: number; end: number } | undefined {
  if (bytes.length === 0) return undefined;
  const code = bytes[0] ?? 0;
  const kind = KINDS[code] ?? fail("stream", `kind ${code} is unknown`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const id = readVarint(view, 1);
  if (id === undefined) return undefined;
  if (kind !== "lane" && id.value !== 0) {
    fail("stream", `the id of ${kind} must be 0, it is ${id.value}`);
  }
  return { kind, id: id.value, end: id.end };
}

/** Writes the header of a lane frame at `offset`. */
export function writeLaneHeader(
  to: Uint8Array,
  offset: number,
  header: LaneHeader,
): void {
  const { length, count } = header;
  room(to, offset, LANE_HEADER_BYTES);
  integer("length", length, MAX_LANE_BODY, RECORD_HEADER_BYTES);
  integer("count", count, MAX_LANE_RECORDS, 1);
  writeU32(to, offset, length);
  writeU16(to, offset + 4, count);
  writeU16(to, offset + 6, 0);
}

/**
 * Reads the header of a lane frame from the first bytes of `from`.
 *
 * @throws {SftpxError} `protocol` when no body can be as it says.
 */
export function readLaneHeader(from: Uint8Array): LaneHeader {
  if (from.length < LANE_HEADER_BYTES) fail("lane frame", "its header is cut");
  const length = readU32(from, 0);
  const count = readU16(from, 4);
  const flags = readU16(from, 6);
  if (flags !== 0) fail("lane frame", `flags are ${flags}, not 0`);
  if (count < 1) fail("lane frame", "it has no records");
  if (length > MAX_LANE_BODY || length < count * RECORD_HEADER_BYTES) {
    fail("lane frame", `${count} records cannot have ${length} bytes`);
  }
  return { length, count };
}

/** Writes the header of a record at `offset`; its payload goes right after it. */
export function writeRecord(
  to: Uint8Array,
  offset: number,
  record: LaneRecord,
): void {
  room(to, offset, RECORD_HEADER_BYTES);
  integer("gen", record.gen, 0xffff, 0);
  integer("length", record.length, MAX_CHUNK_BYTES, 1);
  integer("index", record.index, Number.MAX_SAFE_INTEGER, 0);
  integer("chunk", record.chunk, Number.MAX_SAFE_INTEGER, 0);
  if (record.digest.length !== 32) {
    throw new RangeError(
      `Cannot write record as digest must have 32 bytes: current length is ${record.digest.length}`,
    );
  }
  to[offset] = record.kind === "data" ? 0 : 1;
  to[offset + 1] = 0;
  writeU16(to, offset + 2, record.gen);
  writeU32(to, offset + 4, record.length);
  writeU64(to, offset + 8, record.index);
  writeU64(to, offset + 16, record.chunk);
  to.set(record.digest, offset + 24);
}

/**
 * Reads the header of the record at `offset`; its digest is a view.
 *
 * @throws {SftpxError} `protocol` when the header is cut or makes no sense.
 */
export function readRecord(from: Uint8Array, offset: number): LaneRecord {
  const { kind, gen, length, index, chunk, digest } = readHeader(from, offset);
  return { kind, gen, length, index, chunk, digest };
}

function readHeader(from: Uint8Array, offset: number): Header {
  if (offset + RECORD_HEADER_BYTES > from.length) {
    fail("record", `it begins at ${offset} of ${from.length} bytes`);
  }
  const kind = from[offset];
  if (kind !== 0 && kind !== 1) fail("record", `kind ${kind} is unknown`);
  if (from[offset + 1] !== 0) fail("record", "the reserved byte is not 0");
  const length = readU32(from, offset + 4);
  if (length < 1 || length > MAX_CHUNK_BYTES) {
    fail("record", `a chunk cannot have ${length} bytes`);
  }
  return new Header(
    from,
    offset,
    kind === 0 ? "data" : "same",
    readU16(from, offset + 2),
    length,
    readU64(from, offset + 8),
    readU64(from, offset + 16),
  );
}

/** A class, as most who read a header only compare its digest, which needs no view. */
class Header implements LaneRecord {
  readonly kind: "data" | "same";
  readonly gen: number;
  readonly length: number;
  readonly index: number;
  readonly chunk: number;
  readonly #from: Uint8Array;
  readonly #at: number;

  constructor(
    from: Uint8Array,
    at: number,
    kind: "data" | "same",
    gen: number,
    length: number,
    index: number,
    chunk: number,
  ) {
    this.#from = from;
    this.#at = at;
    this.kind = kind;
    this.gen = gen;
    this.length = length;
    this.index = index;
    this.chunk = chunk;
  }

  get digest(): Uint8Array {
    return this.#from.subarray(this.#at + 24, this.#at + RECORD_HEADER_BYTES);
  }
}

/**
 * Calls `visit` with each record of a body and its payload, a view.
 *
 * Nothing is visited when the body is not exactly filled by `count` records.
 *
 * @param visit Called in order; `payload` is empty for `same`.
 * @throws {SftpxError} `protocol` when the body is not as it should be.
 */
export function forEachRecord(
  body: Uint8Array,
  count: number,
  visit: (record: LaneRecord, payload: Uint8Array) => void,
): void {
  let offset = 0;
  for (const record of readRecords(body, count)) {
    offset += RECORD_HEADER_BYTES;
    const end = record.kind === "data" ? offset + record.length : offset;
    const { kind, gen, length, index, chunk, digest } = record;
    visit(
      { kind, gen, length, index, chunk, digest },
      body.subarray(offset, end),
    );
    offset = end;
  }
}

/**
 * Reads the headers of all records of a body, which follow each other: each is
 * {@linkcode RECORD_HEADER_BYTES}, and then comes its payload, if it has one.
 *
 * @throws {SftpxError} `protocol` when the body is not exactly filled by `count`
 * records.
 */
export function readRecords(body: Uint8Array, count: number): LaneRecord[] {
  const records: LaneRecord[] = [];
  let offset = 0;
  for (let n = 0; n < count; n++) {
    const record = readHeader(body, offset);
    records.push(record);
    offset += RECORD_HEADER_BYTES;
    if (record.kind === "data") offset += record.length;
    if (offset > body.length) fail("lane frame", "its last record is cut");
  }
  if (offset !== body.length) {
    fail("lane frame", `${body.length - offset} bytes too many`);
  }
  return records;
}

/** Where the digest of the record is whose payload begins at `start`. */
export function digestBefore(start: number): number {
  return start - 32;
}

function fail(what: string, reason: string): never {
  throw new SftpxError("protocol", `Cannot read ${what}: ${reason}`);
}

function room(to: Uint8Array, offset: number, bytes: number): void {
  if (offset < 0 || offset + bytes > to.length) {
    throw new RangeError(
      `Cannot write ${bytes} bytes at ${offset} as only ${to.length} are there`,
    );
  }
}

function integer(name: string, value: number, max: number, min: number): void {
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new RangeError(
      `Cannot write record as ${name} must be an integer in ${min}..${max}: current value is ${value}`,
    );
  }
}

function writeU16(to: Uint8Array, at: number, value: number): void {
  to[at] = value >>> 8;
  to[at + 1] = value;
}

function writeU32(to: Uint8Array, at: number, value: number): void {
  to[at] = value >>> 24;
  to[at + 1] = value >>> 16;
  to[at + 2] = value >>> 8;
  to[at + 3] = value;
}

function writeU64(to: Uint8Array, at: number, value: number): void {
  writeU32(to, at, Math.floor(value / 2 ** 32));
  writeU32(to, at + 4, value % 2 ** 32 >>> 0);
}

function readU16(from: Uint8Array, at: number): number {
  return ((from[at] ?? 0) << 8) | (from[at + 1] ?? 0);
}

function readU32(from: Uint8Array, at: number): number {
  return readU16(from, at) * 0x1_0000 + readU16(from, at + 2);
}

function readU64(from: Uint8Array, at: number): number {
  const high = readU32(from, at);
  if (high > 0x1f_ffff) fail("record", "a number is over 2^53-1");
  return high * 2 ** 32 + readU32(from, at + 4);
}
