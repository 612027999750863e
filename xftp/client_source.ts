/**
 * What is to be stored: one file as it is, or anything else as one archive. All
 * of it is found before the first byte is read, as the chunks' sizes depend on
 * it, and none of it may change while it is read.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { SftpxError } from "../core/errors.ts";
import { quoted } from "../store/paths.ts";
import {
  openSource,
  type SourceEntry,
  type SourceFile,
  type SourceFileEntry,
  type SourceRoot,
  type WalkOptions,
} from "../store/source.ts";
import { walk } from "../store/walk.ts";
import type { ContentSource } from "./file_crypto.ts";
import type { Bytes } from "./encoding.ts";
import { TAR_END, tarFill, tarHeader } from "./tar.ts";

/** What marks archives that are unpacked when they are fetched. */
export const ARCHIVE_ENDING = ".sftpx.tar";

/** What is to be stored. */
export interface StoredSource {
  /** What it is called. */
  readonly name: string;
  /** Bytes of it. */
  readonly size: number;
  /** Files, folders and links in it. */
  readonly entries: number;
  /** Another one when anything of it has changed. */
  readonly stamp: string;
  /** Starts to read it, from the beginning. */
  open(): ContentSource & { close(): Promise<void> };
}

type Piece = Bytes | SourceFileEntry;

/**
 * Looks at what is below `roots`.
 *
 * @param name What it is to be called, if not as it is.
 * @throws {SftpxError} `local-io`, when some of it cannot be stored.
 */
export async function findSource(
  roots: readonly SourceRoot[],
  options: WalkOptions & { readonly name?: string } = {},
): Promise<StoredSource> {
  const found: Exclude<SourceEntry, { kind: "error" | "dir-end" }>[] = [];
  for await (const entry of walk(roots, options)) {
    if (entry.kind === "error") {
      throw new SftpxError(
        "local-io",
        `Cannot store ${quoted(entry.path)}: ${entry.reason}`,
      );
    }
    if (entry.kind !== "dir-end") found.push(entry);
  }
  const [first] = found;
  if (first === undefined) {
    throw new SftpxError("usage", "Cannot store anything: nothing is left");
  }
  const isPlain = roots.length === 1 && first.kind === "file";
  const pieces = isPlain ? [first] : found.flatMap(piecesOf);
  if (!isPlain) pieces.push(TAR_END);
  const hash = createHash("sha256");
  for (const { path, kind, mode, mtimeNs, ctimeNs, ino, ...entry } of found) {
    const size = "size" in entry ? entry.size : 0;
    const target = "target" in entry ? entry.target : "";
    const facts = [path, kind, mode, mtimeNs, ctimeNs, ino, size, target];
    hash.update(`${JSON.stringify(facts.map(String))}\n`);
  }
  return {
    name: options.name ??
      (isPlain ? first.path : archiveName(roots.map(({ name }) => name))),
    size: pieces.reduce((sum, piece) => sum + sizeOf(piece), 0),
    entries: found.length,
    stamp: hash.digest("hex"),
    open: () => reader(pieces),
  };
}

function archiveName([first = "files", ...more]: readonly string[]): string {
  const rest = more.length === 0 ? "" : ` and ${more.length} more`;
  return `${first}${rest}${ARCHIVE_ENDING}`;
}

function piecesOf(
  entry: Exclude<SourceEntry, { kind: "error" | "dir-end" }>,
): Piece[] {
  const { path, kind, mode } = entry;
  const mtimeSeconds = Number(entry.mtimeNs / 1_000_000_000n);
  const size = entry.kind === "file" ? entry.size : 0;
  const head = tarHeader({
    path,
    kind,
    size,
    mode,
    mtimeSeconds,
    ...entry.kind === "link" && { target: entry.target },
  });
  if (entry.kind !== "file" || size === 0) return [head];
  return [head, entry, tarFill(size)];
}

function sizeOf(piece: Piece): number {
  return piece instanceof Uint8Array ? piece.length : piece.size;
}

function reader(
  pieces: readonly Piece[],
): ContentSource & { close(): Promise<void> } {
  let next = 0;
  let at = 0;
  let file: SourceFile | undefined;
  const close = async (): Promise<void> => {
    const open = file;
    file = undefined;
    await open?.close();
  };
  return {
    size: pieces.reduce((sum, piece) => sum + sizeOf(piece), 0),
    async fill(into) {
      for (let filled = 0; filled < into.length;) {
        const piece = pieces[next];
        if (piece === undefined) {
          throw new RangeError("Cannot read more than there is");
        }
        const rest = into.subarray(filled);
        const wanted = rest.subarray(0, sizeOf(piece) - at);
        if (piece instanceof Uint8Array) {
          wanted.set(piece.subarray(at, at + wanted.length));
        } else {
          file ??= await openSource(piece);
          if (await file.read(wanted, at) !== wanted.length) {
            throw changed(piece);
          }
        }
        at += wanted.length;
        filled += wanted.length;
        if (at < sizeOf(piece)) continue;
        if (!(piece instanceof Uint8Array) && await file?.changed()) {
          throw changed(piece);
        }
        await close();
        next++;
        at = 0;
      }
    },
    close,
  };
}

function changed(entry: SourceFileEntry): SftpxError {
  return new SftpxError(
    "local-io",
    `Cannot store ${quoted(entry.path)}: it changed while it was read`,
  );
}
