/**
 * The bytes of a journal's records; its header is in `journal_header.ts`.
 *
 * Record:
 *
 * | offset | size | field                                              |
 * | ------ | ---- | -------------------------------------------------- |
 * | 0      | 1    | kind                                               |
 * | 1      | 1    | reserved, 0                                        |
 * | 2      | 2    | n, length of the body, at most 16384               |
 * | 4      | n    | body                                               |
 * | 4 + n  | 16   | check                                              |
 *
 * A record's check is the first 16 bytes of the BLAKE3 of the check before it
 * (the 16 bytes in front of the record) and all of the record up to the check.
 * So a record counts only where it was written: after exactly what was there.
 *
 * Bodies; integers are big-endian, a string is a varint length and UTF-8:
 *
 * | kind | name  | body                                                     |
 * | ---- | ----- | -------------------------------------------------------- |
 * | 1    | begin | varint slot, varint chunk size, varint size, i64 mtimeNs, string path |
 * | 2    | have  | varint slot, varint first chunk, digests, 32 bytes each  |
 * | 3    | done  | varint size, i64 mtimeNs, digest[32], varint local size, i64 local mtimeNs, i64 local ctimeNs, u64 inode, string path, string final path (empty: the same) |
 * | 4    | drop  | varint slot                                              |
 * | 5    | floor | varint slot: none below it is given out again            |
 *
 * @module
 */
import { writtenTime } from "../protocol/times.ts";
import { textBytes, writeText } from "../protocol/text.ts";
import { readVarint, varintLength, writeVarint } from "../protocol/varint.ts";
import { MAX_PATH_BYTES } from "./paths.ts";

/** What the file system says of a file that is in place. */
export interface PlacedStamp {
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly ino: bigint;
}

/** A file that was verified, synced and put in place. */
export interface DoneRecord {
  readonly path: string;
  readonly size: number;
  /** The source's, as its manifest entry had it. */
  readonly mtimeNs: bigint;
  /** The content digest, 32 bytes. */
  readonly digest: Uint8Array;
  /** Where it was put; differs from `path` when that name was taken. */
  readonly finalPath: string;
  /** What was put there: the record holds only while the disk says the same. */
  readonly local: PlacedStamp;
}

/** A file that is being received into a part file. */
export interface PartStamp {
  readonly path: string;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly chunkSize: number;
}

/** What a journal is made of. */
export type JournalRecord =
  | ({ readonly type: "begin"; readonly slot: number } & PartStamp)
  | {
    readonly type: "have";
    readonly slot: number;
    readonly first: number;
    readonly digests: Uint8Array;
  }
  | ({ readonly type: "done" } & DoneRecord)
  | { readonly type: "drop"; readonly slot: number }
  | { readonly type: "floor"; readonly slot: number };

/** BLAKE3-256. The store may not import it, so it is passed in. */
export type Digest = (bytes: Uint8Array) => Uint8Array;

/** Bytes of a check. */
export const CHECK_BYTES = 16;
/** Bytes of a record before its body. */
export const HEAD_BYTES = 4;
/** The longest body there may be. */
export const MAX_BODY_BYTES = 16_384;
/** The most digests one have record carries: the body holds no more. */
export const MAX_HAVE_DIGESTS = 500;

const KINDS = { begin: 1, have: 2, done: 3, drop: 4, floor: 5 } as const;
// One for all: making one takes longer than decoding a record.
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ROOM_BYTES = 1024;

/** Where records are encoded, one after the other; a longer one has its own. */
export interface RecordRoom {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
}

/** Makes a room that most records fit. */
export function recordRoom(): RecordRoom {
  const bytes = new Uint8Array(ROOM_BYTES);
  return { bytes, view: viewOf(bytes) };
}

/**
 * Encodes a record up to its check, which depends on where it is put.
 *
 * @param room Where to write it, if it is large enough.
 * @throws {RangeError} When it says something that cannot be written.
 */
export function encodeRecord(
  record: JournalRecord,
  room?: RecordRoom,
): Uint8Array<ArrayBuffer> {
  const path = "path" in record ? record.path : undefined;
  const other = record.type === "done" && record.finalPath !== record.path
    ? record.finalPath
    : "";
  const pathBytes = path === undefined ? 0 : bytesOfPath(path);
  const otherBytes = other === "" ? 0 : bytesOfPath(other);
  const length = HEAD_BYTES + bodyLength(record, pathBytes, otherBytes);
  const fits = room !== undefined && length <= room.bytes.length;
  const bytes = fits ? room.bytes.subarray(0, length) : new Uint8Array(length);
  const view = fits ? room.view : viewOf(bytes);
  view.setUint16(0, KINDS[record.type] << 8);
  view.setUint16(2, bytes.length - HEAD_BYTES);
  let at = HEAD_BYTES;
  const text = (value: string, length: number): void => {
    at = writeVarint(view, at, length);
    writeText(bytes, at, value);
    at += length;
  };
  switch (record.type) {
    case "begin":
      at = writeVarint(view, at, record.slot);
      at = writeVarint(view, at, record.chunkSize);
      at = writeVarint(view, at, record.size);
      view.setBigInt64(at, writtenTime(record.mtimeNs));
      at += 8;
      text(record.path, pathBytes);
      break;
    case "have":
      at = writeVarint(view, at, record.slot);
      at = writeVarint(view, at, record.first);
      bytes.set(record.digests, at);
      break;
    case "done": {
      const { local } = record;
      at = writeVarint(view, at, record.size);
      view.setBigInt64(at, writtenTime(record.mtimeNs));
      bytes.set(record.digest, at + 8);
      at = writeVarint(view, at + 40, local.size);
      view.setBigInt64(at, writtenTime(local.mtimeNs));
      view.setBigInt64(at + 8, writtenTime(local.ctimeNs));
      view.setBigUint64(at + 16, in64(local.ino));
      at += 24;
      text(record.path, pathBytes);
      text(other, otherBytes);
      break;
    }
    case "drop":
    case "floor":
      writeVarint(view, at, record.slot);
      break;
  }
  return bytes;
}

/**
 * Decodes a record whose check was right; `undefined` when it makes no sense.
 *
 * Byte fields are views of `bytes`.
 */
export function decodeRecord(bytes: Uint8Array): JournalRecord | undefined {
  const view = viewOf(bytes);
  let at = HEAD_BYTES;
  const number = (): number => {
    const read = readVarint(view, at);
    if (read === undefined) throw new RangeError("short");
    at = read.end;
    return read.value;
  };
  const take = (length: number): Uint8Array => {
    if (length > bytes.length - at) throw new RangeError("short");
    return bytes.subarray(at, at += length);
  };
  const time = (): bigint => {
    const value = view.getBigInt64(at); // throws when it is short
    at += 8;
    return value;
  };
  const text = (): string => {
    const length = number();
    return length === 0 ? "" : DECODER.decode(take(length));
  };
  try {
    const record = ((): JournalRecord | undefined => {
      switch (bytes[0]) {
        case KINDS.begin: {
          const [slot, chunkSize, size] = [number(), number(), number()];
          const mtimeNs = time();
          const path = text();
          if (chunkSize < 1 || path === "") return undefined;
          return { type: "begin", slot, path, size, mtimeNs, chunkSize };
        }
        case KINDS.have: {
          const [slot, first] = [number(), number()];
          const digests = take(bytes.length - at);
          if (digests.length === 0 || digests.length % 32 !== 0) {
            return undefined;
          }
          return { type: "have", slot, first, digests };
        }
        case KINDS.done: {
          const [size, mtimeNs, digest] = [number(), time(), take(32)];
          const local = {
            size: number(),
            mtimeNs: time(),
            ctimeNs: time(),
            ino: BigInt.asUintN(64, time()),
          };
          const path = text();
          const finalPath = text() || path;
          if (path === "") return undefined;
          return {
            type: "done",
            path,
            size,
            mtimeNs,
            digest,
            finalPath,
            local,
          };
        }
        case KINDS.drop:
          return { type: "drop", slot: number() };
        case KINDS.floor:
          return { type: "floor", slot: number() };
        default:
          return undefined;
      }
    })();
    return at === bytes.length ? record : undefined;
  } catch {
    return undefined; // too short, or text that is no UTF-8
  }
}

/** Whether two byte strings are the same. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A `DataView` of just these bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function bodyLength(
  record: JournalRecord,
  path: number,
  other: number,
): number {
  const text = (length: number): number => varintLength(length) + length;
  switch (record.type) {
    case "begin":
      if (!(record.chunkSize >= 1)) bad("chunk size", record.chunkSize);
      return varintLength(record.slot) + varintLength(record.chunkSize) +
        varintLength(record.size) + 8 + text(path);
    case "have": {
      const count = record.digests.length / 32;
      if (
        !(Number.isInteger(count) && count > 0 && count <= MAX_HAVE_DIGESTS)
      ) {
        bad("number of digests", count);
      }
      return varintLength(record.slot) + varintLength(record.first) +
        record.digests.length;
    }
    case "done":
      if (record.digest.length !== 32) {
        bad("digest length", record.digest.length);
      }
      return varintLength(record.size) + 40 + varintLength(record.local.size) +
        24 + text(path) + text(other);
    case "drop":
    case "floor":
      return varintLength(record.slot);
  }
}

/** How many bytes a path has as UTF-8. */
function bytesOfPath(path: string): number {
  const bytes = textBytes(path);
  if (!path.isWellFormed() || path === "" || bytes > MAX_PATH_BYTES) {
    bad(`path of 1 to ${MAX_PATH_BYTES} bytes`, JSON.stringify(path));
  }
  return bytes;
}

function in64(value: bigint): bigint {
  if (BigInt.asUintN(64, value) !== value) bad("64-bit integer", value);
  return value;
}

function bad(what: string, value: unknown): never {
  throw new RangeError(
    `Cannot write journal record as it needs another ${what}: current value is ${value}`,
  );
}
