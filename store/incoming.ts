/**
 * A file that is coming in: where its chunks go, what of it was found on disk,
 * and how it gets its name once it is whole.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import {
  type ChunkDigests,
  chunkDigests,
  sameDigest,
} from "../protocol/digests.ts";
import { chunkCount, chunkLength, type FileEntry } from "../protocol/entry.ts";
import {
  type RangeSet,
  rangeSet,
  type ReadonlyRangeSet,
} from "../protocol/ranges.ts";
import {
  commitPart,
  doneRecord,
  incomplete,
  keepInPlace,
  makePart,
} from "./incoming_place.ts";
import type { Nest } from "./nests.ts";
import { quoted, type SafePath } from "./paths.ts";
import type { PlacedStamp } from "./journal_codec.ts";
import type { PartFile, ReadFile } from "./root.ts";
import type { BytesElsewhere } from "./root_file.ts";
import type { VaultDeps } from "./vault.ts";

/** Where a file ended up. */
export interface Placement {
  readonly finalPath: SafePath;
  /** True when what was there was the same, and was left alone. */
  readonly skipped: boolean;
}

/** A chunk that may be here already. */
export interface Candidate {
  readonly chunk: number;
  readonly digest: Uint8Array;
}

/** A file that is coming in. What ends in `Now` needs no promise, where it works. */
export interface Incoming {
  readonly entry: FileEntry;
  readonly path: SafePath;
  /** Number of its part. */
  readonly slot: number;
  /** Chunks that are in the part, verified. */
  readonly written: ReadonlyRangeSet;
  /**
   * Writes a chunk that was verified. One that is there already is left alone.
   *
   * @returns False when the file is closed, and the chunk went nowhere.
   */
  write(chunk: number, bytes: Uint8Array | BytesElsewhere): Promise<boolean>;
  /** As `write()`; `undefined` when that must be called. */
  writeNow?(
    chunk: number,
    bytes: Uint8Array<ArrayBuffer>,
  ): boolean | undefined;
  /**
   * Has another thread write all of it, as `PartialDir.createWhole()` would,
   * under `name`.
   *
   * @returns The folder that it belongs in, or -1 when that cannot be; else
   * `endWrite()` must be called, whatever becomes of it.
   */
  beginWrite?(): number;
  /** What it is called in that folder. */
  readonly name?: string;
  /**
   * As `writeNow()`, for what another thread did.
   *
   * @param made What it made; `undefined` when it did not.
   */
  endWrite?(made: PlacedStamp | undefined): boolean | undefined;
  /** What it is put in place with; `undefined` when it goes by itself. */
  readonly nest?: Nest | undefined;
  /** As `placeNow()`, for what was put in place with its nest. */
  wasAdopted?(digest: Uint8Array): Placement | undefined;
  /** Makes a part of it, as its nest could not be put in place. */
  leaveNest?(): void;
  /** True when there is nothing to assemble. */
  readonly isAssembled?: boolean;
  /** As `place()`; `undefined` when that must be called. */
  placeNow?(digest: Uint8Array): Placement | undefined;
  /** As `placeNow()`, for what another thread has put at `path`. */
  wasPlaced?(digest: Uint8Array, stamp: PlacedStamp): Placement;
  /** Takes a chunk that was found as right, if that is the digest that was offered. */
  confirm(chunk: number, digest: Uint8Array): boolean;
  /** Forgets what was written: all of it must come again. */
  rewind(): void;
  /** Reads what was found and yields its digests in order; chunks that are not all there are left out. */
  candidates(signal: AbortSignal): AsyncGenerator<Candidate>;
  /**
   * Makes the part whole: copies what was found elsewhere, cuts it, sets mode and time.
   *
   * @throws {SftpxError} `internal` when a chunk is missing: whoever thinks that
   * the file is whole is wrong, and it must not get its name.
   */
  assemble(): Promise<void>;
  /** Reads the whole part, in order. */
  content(): AsyncGenerator<Uint8Array>;
  /** Makes the part's bytes durable. */
  sync(): Promise<void>;
  /**
   * Gives it its name. The part must be assembled and synced.
   *
   * @throws {SftpxError} `local-io` when the name is taken and stays so.
   */
  place(digest: Uint8Array): Promise<Placement>;
  /** Closes what is open; the part stays. Writes that are under way go on. */
  close(): void;
  /** Waits until no write is under way, so that another may write the same part. */
  settled(): Promise<void>;
  /** Closes, and removes the part. */
  discard(): Promise<void>;
}

/** What was found on disk for a file. */
export type Found =
  /** Its own part, with chunks that may be right. */
  | { readonly kind: "part"; readonly chunks: ReadonlyRangeSet }
  /** A file of that name. */
  | { readonly kind: "file"; readonly path: SafePath; readonly size: number };

/** What makes a file come in. */
export interface IncomingOptions {
  readonly entry: FileEntry;
  readonly path: SafePath;
  readonly slot: number;
  /** The journal knows the part. */
  readonly isKept: boolean;
  readonly found: Found | undefined;
  readonly reserved: number;
  /** A file of ours, untouched since, that it takes the place of. */
  readonly replaces: SafePath | undefined;
  /** Its only chunk is in its part. @default {false} */
  readonly isWritten?: boolean;
}

/** Creates the receiver's side of one file. */
export function incoming(
  deps: VaultDeps,
  options: IncomingOptions,
): Incoming {
  const { entry, path, slot, found } = options;
  const { root, partial, journal } = deps;
  const chunks = chunkCount(entry);
  const written: RangeSet = rangeSet();
  if (options.isWritten === true) written.add(0, 1);
  const same: RangeSet = rangeSet();
  let offered: ChunkDigests = chunkDigests(chunks);
  const writing = new Map<number, Promise<void>>();
  let part: Promise<PartFile> | undefined;
  let isEnded = false;
  let reserved = options.reserved;

  /** Opens the part, making it if it is not there or is nobody's; once, for all who ask. */
  const openPart = (): Promise<PartFile> => {
    if (isEnded) {
      return Promise.reject(
        new SftpxError(
          "cancelled",
          `Cannot write ${quoted(path)}: it is closed`,
        ),
      );
    }
    return part ??= (async () => {
      const isOurs = options.isKept || written.count > 0;
      const there = isOurs ? await partial.open(slot) : undefined;
      return there ?? await makePart(partial, slot);
    })();
  };
  const closePart = (): void => {
    part?.then((file) => file.close(), () => {}); // who opened it heard why not
    part = undefined;
  };
  /** What is written takes room itself, and needs none reserved any more. */
  const use = (bytes: number): void => {
    const used = Math.min(bytes, reserved);
    reserved -= used;
    deps.release(used);
  };
  const isIdentical = (): boolean =>
    found?.kind === "file" && same.count === chunks &&
    found.size === entry.size;
  /** Reads a chunk, whole or not at all. */
  const readChunk = async (
    file: ReadFile,
    chunk: number,
    buffer: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    const view = buffer.subarray(0, chunkLength(entry, chunk));
    const count = await file.read(view, chunk * entry.chunkSize);
    return count === view.length ? view : undefined;
  };
  const newBuffer = (): Uint8Array<ArrayBuffer> =>
    new Uint8Array(Math.min(entry.chunkSize, entry.size));
  /** Copies chunks that were found in a file into the part, checking them once more. */
  const copyFound = async (into: PartFile, from: SafePath): Promise<void> => {
    const file = await root.openRead(from);
    try {
      let buffer = newBuffer();
      for (const { start, end } of same.ranges()) {
        for (let chunk = start; chunk < end; chunk++) {
          const bytes = file && await readChunk(file, chunk, buffer);
          const hashed = bytes && await deps.digest(bytes);
          const expected = offered.get(chunk);
          if (
            hashed === undefined || expected === undefined ||
            !sameDigest(hashed.digest, expected)
          ) {
            throw new SftpxError(
              "integrity",
              `Cannot receive ${
                quoted(path)
              }: the file that had part of it has changed`,
            );
          }
          await into.write(hashed.bytes, chunk * entry.chunkSize);
          buffer = new Uint8Array(hashed.bytes.buffer);
        }
      }
    } finally {
      file?.close();
    }
  };

  const file: Incoming = {
    entry,
    path,
    slot,
    written,
    async write(chunk, bytes) {
      if (isEnded) return false; // nobody waits for it any more
      if (written.has(chunk)) return true;
      for (
        let pending = writing.get(chunk);
        pending !== undefined;
        pending = writing.get(chunk)
      ) {
        // Bytes of another thread may be lost with it: these are the same.
        await pending.catch(() => {});
        if (isEnded) return false;
        if (written.has(chunk)) return true;
      }
      const work = (async () => {
        const target = await openPart();
        await target.write(bytes, chunk * entry.chunkSize);
        use(bytes.length);
        if (chunks === 1) {
          await target.setMeta(entry);
          closePart(); // many small files must not hold many descriptors
        }
      })();
      writing.set(chunk, work);
      try {
        await work.catch((error) => {
          if (!isEnded) throw error;
        });
        if (isEnded) return false;
        same.remove(chunk, chunk + 1);
        written.add(chunk, chunk + 1);
        return true;
      } finally {
        writing.delete(chunk);
      }
    },
    confirm(chunk, digest) {
      if (written.has(chunk)) return true;
      const expected = offered.get(chunk);
      if (expected === undefined || !sameDigest(expected, digest)) return false;
      if (found?.kind === "part") written.add(chunk, chunk + 1);
      else same.add(chunk, chunk + 1);
      return true;
    },
    rewind() {
      written.clear();
      same.clear();
      offered = chunkDigests(chunks);
    },
    async *candidates(signal) {
      if (found === undefined) return;
      const source = found.kind === "part"
        ? await partial.open(slot)
        : await root.openRead(found.path);
      if (source === undefined) return;
      try {
        let buffer = newBuffer();
        for (let chunk = 0; chunk < chunks && !signal.aborted; chunk++) {
          if (written.has(chunk)) continue;
          if (found.kind === "part" && !found.chunks.has(chunk)) continue;
          const bytes = await readChunk(source, chunk, buffer);
          if (bytes === undefined) continue;
          const { digest, bytes: back } = await deps.digest(bytes);
          buffer = new Uint8Array(back.buffer);
          if (written.has(chunk)) continue;
          offered.set(chunk, digest);
          yield { chunk, digest };
        }
      } finally {
        source.close();
      }
    },
    async assemble() {
      if (written.count + same.count < chunks) throw incomplete(path);
      if (isIdentical()) return;
      if (chunks === 1 && written.count === 1) return; // done when it was written
      const target = await openPart();
      if (found?.kind === "file") await copyFound(target, found.path);
      if (await target.size() !== entry.size) {
        await target.truncate(entry.size);
      }
      await target.setMeta(entry);
    },
    async *content() {
      const source = found?.kind === "file" && isIdentical()
        ? await root.openRead(found.path)
        : await partial.open(slot);
      if (source === undefined) return;
      try {
        const buffer = newBuffer();
        for (let at = 0; at < entry.size;) {
          const count = await source.read(buffer, at);
          if (count === 0) return;
          yield buffer.subarray(0, count);
          at += count;
        }
      } finally {
        source.close();
      }
    },
    async sync() {
      if (isEnded || isIdentical()) return;
      try {
        const target = await openPart();
        await target.sync();
      } catch (error) {
        if (!isEnded) throw error; // it was given up meanwhile: nobody waits
      }
      if (chunks <= 1) closePart();
    },
    async place(digest) {
      const placed = isIdentical()
        ? await keepInPlace(deps, options)
        : await commitPart(deps, options);
      closePart();
      use(reserved);
      const stamp = await root.lstat(placed.finalPath);
      if (stamp === undefined) {
        throw new SftpxError(
          "local-io",
          `Cannot keep ${quoted(placed.finalPath)}: it was removed at once`,
        );
      }
      journal.done(doneRecord(entry, path, placed.finalPath, digest, stamp));
      if (options.isKept) journal.drop(slot);
      return placed;
    },
    close() {
      isEnded = true;
      closePart();
      use(reserved);
    },
    async settled() {
      await Promise.allSettled(writing.values());
    },
    async discard() {
      file.close();
      await file.settled();
      if (options.isKept) journal.drop(slot);
      await partial.remove(slot);
    },
  };
  return file;
}
