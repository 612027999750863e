/**
 * Frames of the manifest stream: what there is to send, from sender to receiver.
 *
 * | type | name   | body                                                         |
 * | ---- | ------ | ------------------------------------------------------------ |
 * | 0x10 | ENTRY  | index, gen, kind, mode, mtime (i64 ns), path; file: size, log2(chunk size); link: target |
 * | 0x11 | DIGEST | index, gen, digest[32], flags, b3sum[32] when bit 0 is set   |
 * | 0x12 | GONE   | index, gen, code, reason                                     |
 * | 0x13 | END    | entries, bytes                                               |
 *
 * Paths are checked for length and encoding here, and for what they name in
 * `store/paths.ts`.
 *
 * @module
 */
import { unreachable } from "../core/actor.ts";
import type { ErrorCode } from "../core/errors.ts";
import { byteOfCode, codeOfByte } from "./codes.ts";
import { MAX_TEXT_BYTES } from "./control.ts";
import {
  createReader,
  createWriter,
  type Reader,
  type Writer,
} from "./cursor.ts";
import { type Frame, ignoreExtension } from "./frame.ts";
import { decodeEntry, type Entry, writeEntry } from "./entry.ts";

export {
  chunkCount,
  chunkLength,
  type Entry,
  type FileEntry,
  MAX_CHUNK_BYTES,
  MIN_CHUNK_BYTES,
  type Outcome,
  rootRecord,
} from "./entry.ts";

/** What the sender says about the entries. */
export type ManifestFrame =
  | {
    readonly type: "entry";
    readonly index: number;
    /** How often the file changed while it was sent. */
    readonly gen: number;
    readonly entry: Entry;
  }
  | {
    readonly type: "digest";
    readonly index: number;
    readonly gen: number;
    /** BLAKE3 over the digests of the chunks. */
    readonly digest: Uint8Array;
    /** BLAKE3 of the content, as `b3sum` prints it. */
    readonly b3sum: Uint8Array | undefined;
  }
  | {
    readonly type: "gone";
    readonly index: number;
    readonly gen: number;
    readonly code: ErrorCode;
    readonly reason: string;
  }
  | {
    readonly type: "end";
    readonly entries: number;
    readonly bytes: number;
  };

/** Highest generation of an entry: a lane record has 16 bits for it. */
export const MAX_GEN = 0xffff;

const TYPES = {
  "entry": 0x10,
  "digest": 0x11,
  "gone": 0x12,
  "end": 0x13,
} as const satisfies Record<ManifestFrame["type"], number>;
const NAMES: ReadonlyMap<number, ManifestFrame["type"]> = new Map(
  (Object.keys(TYPES) as ManifestFrame["type"][])
    .map((name) => [TYPES[name], name]),
);

/**
 * Encodes a manifest frame, its header included.
 *
 * @throws {RangeError} when a field does not fit its place.
 */
export function encodeManifest(frame: ManifestFrame): Uint8Array<ArrayBuffer> {
  const frames = manifestFrames();
  frames.add(frame);
  return frames.take();
}

/** Frames that travel together, encoded as they are added. */
export interface FrameList<T> {
  add(frame: T): void;
  /** Returns those that were added since the last call. */
  take(): Uint8Array<ArrayBuffer>;
}

/** Creates an empty list of manifest frames; `add()` throws as `encodeManifest()` does. */
export function manifestFrames(): FrameList<ManifestFrame> {
  const all = createWriter("MANIFEST");
  const body = createWriter("MANIFEST");
  return {
    add(frame) {
      if (body.length > 0) body.take(); // of one that could not be encoded
      writeBody(body, frame);
      all.frame(TYPES[frame.type], body);
    },
    take: () => all.take(),
  };
}

/**
 * Decodes a manifest frame; `undefined` is an extension, to be ignored.
 *
 * @throws {SftpxError} `protocol` when the frame is not as it should be.
 */
export function decodeManifest(frame: Frame): ManifestFrame | undefined {
  const type = NAMES.get(frame.type);
  if (type === undefined) return ignoreExtension(frame.type, "manifest");
  const reader = createReader(frame.body, type);
  const decoded = decodeBody(type, reader);
  reader.end();
  return decoded;
}

function writeBody(to: Writer, frame: ManifestFrame): void {
  if (frame.type === "end") {
    to.varint(frame.entries).varint(frame.bytes);
    return;
  }
  if (frame.gen > MAX_GEN) {
    throw new RangeError(
      `Cannot encode entry as gen must be <= ${MAX_GEN}: current value is ${frame.gen}`,
    );
  }
  to.varint(frame.index).varint(frame.gen);
  switch (frame.type) {
    case "entry":
      writeEntry(to, frame.entry);
      return;
    case "digest":
      to.bytes(frame.digest, 32).u8(frame.b3sum === undefined ? 0 : 1);
      if (frame.b3sum !== undefined) to.bytes(frame.b3sum, 32);
      return;
    case "gone":
      to.u8(byteOfCode(frame.code)).text(frame.reason, MAX_TEXT_BYTES);
      return;
    default:
      unreachable(frame);
  }
}

function decodeBody(type: ManifestFrame["type"], from: Reader): ManifestFrame {
  if (type === "end") {
    return { type, entries: from.varint(), bytes: from.varint() };
  }
  const index = from.varint();
  const gen = from.varint(MAX_GEN);
  switch (type) {
    case "entry":
      return { type, index, gen, entry: decodeEntry(from) };
    case "digest":
      return {
        type,
        index,
        gen,
        digest: from.bytes(32),
        b3sum: decodeFlag(from) ? from.bytes(32) : undefined,
      };
    case "gone":
      return {
        type,
        index,
        gen,
        code: codeOfByte(from.u8()),
        reason: from.string(MAX_TEXT_BYTES),
      };
    default:
      return unreachable(type);
  }
}

function decodeFlag(from: Reader): boolean {
  const flags = from.u8();
  return flags <= 1
    ? flags === 1
    : from.fail(`flags are 0x${flags.toString(16)}, not all are known`);
}
