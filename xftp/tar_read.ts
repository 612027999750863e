/**
 * Reads archives of `tar.ts`, and no others: files, folders, symbolic links.
 * Hard links, devices, sparse files and names in other forms are refused, as
 * each of them has been a way out of a folder. Names are told as they are: the
 * one who makes something of them takes them through `safePath()`.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { printable } from "../core/escape.ts";
import { TAR_BLOCK, TAR_FIELDS, tarChecksum, type TarEntry } from "./tar.ts";

/** Who is told what is in an archive, in its order. */
export interface TarVisitor {
  /** Something begins; of a file, content and then `end()` follow. */
  entry(entry: TarEntry): Promise<void>;
  /** Content of the file that has begun. */
  content(bytes: Uint8Array): Promise<void>;
  /** The file is whole. */
  end(): Promise<void>;
}

/** Names that are longer are nobody's. */
const MAX_PAX_BYTES = 64 * 1024;

/** An archive on its way in. */
export interface TarReader {
  /** Takes in what comes next, in pieces of any size. */
  update(bytes: Uint8Array): Promise<void>;
  /** @throws {SftpxError} `protocol`, when the archive is not whole. */
  finish(): void;
}

/** Starts to read. */
export function tarReader(visitor: TarVisitor): TarReader {
  const block = new Uint8Array(TAR_BLOCK);
  let held = 0;
  /** Bytes of content, or of an extended header, that are to come. */
  let left = 0;
  /** Bytes after them that fill a block. */
  let fill = 0;
  let pax: { bytes: Uint8Array; at: number } | undefined;
  let names: ReadonlyMap<string, string> = new Map();
  let isInFile = false;
  let isEnded = false;

  const onHeader = async (): Promise<void> => {
    if (block.every((byte) => byte === 0)) {
      if (names.size > 0) throw badArchive("it ends in the middle");
      isEnded = true;
      return;
    }
    const [sumFrom, sumLength] = TAR_FIELDS.checksum;
    if (octalAt(block, sumFrom, sumLength) !== tarChecksum(block)) {
      throw badArchive("the checksum of a header is wrong");
    }
    const type = String.fromCharCode(block[TAR_FIELDS.type[0]] ?? 0);
    const size = octalAt(block, ...TAR_FIELDS.size);
    left = size;
    fill = (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
    if (type === "x") {
      if (size > MAX_PAX_BYTES || names.size > 0) {
        throw badArchive("an extended header in it is one too many");
      }
      pax = { bytes: new Uint8Array(size), at: 0 };
      return;
    }
    const entry = entryOf(block, type, size, names);
    names = new Map();
    await visitor.entry(entry);
    isInFile = entry.kind === "file";
    if (isInFile && left === 0) {
      isInFile = false;
      await visitor.end();
    }
  };

  const onContent = async (bytes: Uint8Array): Promise<void> => {
    if (pax !== undefined) {
      pax.bytes.set(bytes, pax.at);
      pax.at += bytes.length;
    } else {
      await visitor.content(bytes);
    }
    left -= bytes.length;
    if (left > 0) return;
    if (pax !== undefined) {
      names = paxNames(pax.bytes);
      pax = undefined;
    } else {
      isInFile = false;
      await visitor.end();
    }
  };

  return {
    async update(bytes) {
      let at = 0;
      while (at < bytes.length) {
        if (isEnded) {
          if (bytes.subarray(at).some((byte) => byte !== 0)) {
            throw badArchive("something stands after its end");
          }
          return;
        }
        if (left > 0) {
          const piece = bytes.subarray(at, at + left);
          at += piece.length;
          await onContent(piece);
        } else if (fill > 0) {
          const skipped = Math.min(fill, bytes.length - at);
          fill -= skipped;
          at += skipped;
        } else {
          const piece = bytes.subarray(at, at + TAR_BLOCK - held);
          block.set(piece, held);
          held += piece.length;
          at += piece.length;
          if (held === TAR_BLOCK) {
            held = 0;
            await onHeader();
          }
        }
      }
    },
    finish() {
      if (!isEnded) throw badArchive("it ends in the middle");
    },
  };
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function entryOf(
  block: Uint8Array,
  type: string,
  size: number,
  names: ReadonlyMap<string, string>,
): TarEntry {
  const kind = ({ "0": "file", "2": "link", "5": "dir" } as const)[type];
  if (kind === undefined) {
    throw badArchive(`it has something of kind "${printable(type)}"`);
  }
  if (kind !== "file" && size !== 0) {
    throw badArchive("something in it has content and is no file");
  }
  const name = names.get("path") ?? textAt(block, ...TAR_FIELDS.name);
  const path = kind === "dir" ? name.replace(/\/$/, "") : name;
  const target = names.get("linkpath") ?? textAt(block, ...TAR_FIELDS.target);
  return {
    kind,
    path,
    size,
    mode: octalAt(block, ...TAR_FIELDS.mode) & 0o777,
    mtimeSeconds: octalAt(block, ...TAR_FIELDS.mtime),
    ...kind === "link" && { target },
  };
}

/** Only names: an extended header could otherwise say another size. */
function paxNames(bytes: Uint8Array): Map<string, string> {
  const names = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const digits = textOf(bytes.subarray(at, space < 0 ? at : space));
    const length = /^\d{1,6}$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (length < 4 || end > bytes.length || bytes[end - 1] !== 0x0a) {
      throw badArchive("an extended header in it cannot be read");
    }
    const record = textOf(bytes.subarray(space + 1, end - 1));
    const cut = record.indexOf("=");
    const key = record.slice(0, Math.max(0, cut));
    if (key !== "path" && key !== "linkpath") {
      throw badArchive(`an extended header says "${printable(key)}"`);
    }
    names.set(key, record.slice(cut + 1));
    at = end;
  }
  return names;
}

function octalAt(block: Uint8Array, from: number, length: number): number {
  const text = textAt(block, from, length).trim();
  if (!/^[0-7]{1,12}$/.test(text)) {
    throw badArchive("a number in a header cannot be read");
  }
  return Number.parseInt(text, 8);
}

function textAt(block: Uint8Array, from: number, length: number): string {
  const field = block.subarray(from, from + length);
  const end = field.indexOf(0);
  return textOf(end < 0 ? field : field.subarray(0, end));
}

function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw badArchive("a name in it is not UTF-8", error);
  }
}

function badArchive(reason: string, cause?: unknown): SftpxError {
  return new SftpxError(
    "protocol",
    `Cannot unpack the archive: ${reason}`,
    cause,
  );
}
