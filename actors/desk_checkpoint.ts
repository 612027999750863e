/**
 * A checkpoint: data to disk, then names, then folders, then the journal. What
 * it says upward is true after a crash.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { Digest } from "../crypto/digest.ts";
import { sameDigest } from "../protocol/digests.ts";
import { rangeSet } from "../protocol/ranges.ts";
import type { Incoming } from "../store/incoming.ts";
import type { Journal } from "../store/journal.ts";
import { quoted } from "../store/paths.ts";
import type { PartialDir, Root } from "../store/root.ts";
import type { FileMaker } from "../workers/file_maker.ts";
import type { Item } from "./desk_item.ts";
import { placeNests } from "./desk_nests.ts";
import { placeTogether } from "./desk_place.ts";
import type { Facts, FinalFact } from "./facts.ts";
import type { CheckedChunk } from "./lane_receive.ts";

/** What a checkpoint needs. */
export interface CheckpointDeps {
  readonly run: number;
  readonly root: Root;
  readonly partial: PartialDir;
  readonly journal: Journal;
  readonly digest: Digest;
  readonly maker?: FileMaker | undefined;
  readonly facts: Facts;
  readonly finish: (item: Item, final: FinalFact) => void;
  readonly orRefuse: (item: Item, work: () => Promise<void>) => Promise<void>;
}

/** What a checkpoint makes durable of one entry. */
interface Fresh {
  readonly item: Item;
  readonly chunks: readonly CheckedChunk[];
  /** How often it had been rewound before. */
  readonly rewinds: number;
}

/** From this many files on, the whole file system is synced at once. */
const SYNC_ALL_FILES = 8;

/**
 * Makes a batch durable, finishes those of it that are whole, and the folders
 * that end thereby.
 *
 * @param batch Entries with something new.
 * @param open All open entries, in index order.
 */
export async function saveBatch(
  batch: readonly Item[],
  open: ReadonlyMap<number, Item>,
  deps: CheckpointDeps,
): Promise<void> {
  const { root, partial, journal } = deps;
  const whole = batch.filter(({ phase }) => phase === "whole");
  // What comes from here on is not synced by this checkpoint.
  const fresh: Fresh[] = [];
  for (const item of batch) {
    const { fresh: chunks, rewinds, phase } = item;
    item.fresh = undefined;
    // Of a file that is whole, its end says all.
    if (chunks && phase === "open") fresh.push({ item, chunks, rewinds });
  }
  const isStill = ({ item, rewinds }: Fresh): boolean =>
    item.phase === "open" && item.rewinds === rewinds;
  for (const item of whole) {
    if (isAssembled(item)) continue;
    await deps.orRefuse(item, () => assemble(item, deps.digest));
  }
  const isSynced = await syncFiles(batch, root);
  // A part that the journal does not know may be gone after a crash.
  const isKept = batch.some(({ file }) =>
    file !== undefined && journal.part(file.slot) !== undefined
  );
  if (isKept && !isSynced) await partial.sync();
  placeNests(whole);
  await placeTogether(whole, deps);
  for (const item of whole) {
    if (item.phase !== "whole") continue;
    item.named ??= placeNow(item);
    if (item.named !== undefined) continue;
    await deps.orRefuse(item, async () => {
      item.named = await place(item);
    });
  }
  await root.syncDirs();
  for (const { item, chunks } of fresh.filter(isStill)) {
    journalChunks(item, chunks, journal);
  }
  await journal.flush();
  for (const { item, chunks } of fresh.filter(isStill)) {
    sayDurable(item, chunks, deps);
  }
  for (const item of whole) {
    if (item.named !== undefined) deps.finish(item, item.named);
  }
  await endFolders(open, deps);
}

/** Makes the part of a whole file what it shall be, and checks it once more if asked. */
async function assemble(item: Item, digest: Digest): Promise<void> {
  const { file, b3sum } = item;
  await file?.assemble();
  if (file === undefined || b3sum === undefined) return;
  if (item.digest !== undefined && sameDigest(item.digest, b3sum)) return;
  const hasher = digest.hasher();
  for await (const bytes of file.content()) hasher.update(bytes);
  if (sameDigest(hasher.digest(), b3sum)) return;
  throw new SftpxError(
    "integrity",
    `Cannot keep ${quoted(file.path)}: its BLAKE3 is not the sender's`,
  );
}

/** True when there is nothing left to do or to look at before it is synced. */
function isAssembled({ entry, file, digest, b3sum }: Item): boolean {
  if (entry.kind !== "file") return true;
  if (file?.isAssembled !== true) return false;
  return b3sum === undefined ||
    digest !== undefined && sameDigest(digest, b3sum);
}

/** Syncs what was written; true when all else was synced with it. */
async function syncFiles(
  batch: readonly Item[],
  root: Root,
): Promise<boolean> {
  const files: Incoming[] = [];
  for (const { file, phase } of batch) {
    if (file !== undefined && phase !== "final") files.push(file);
  }
  if (files.length >= SYNC_ALL_FILES && await root.syncFileSystem()) {
    return true;
  }
  for (const file of files) await file.sync();
  return false;
}

/** Gives a small file its name; `undefined` when `place()` must. */
function placeNow({ file, digest }: Item): FinalFact | undefined {
  const placement = digest && file?.placeNow?.(digest);
  return placement && { digest, ...placement };
}

/** Gives a whole entry its name; `undefined` when its turn comes later. */
async function place(item: Item): Promise<FinalFact | undefined> {
  const { entry, file, digest, path } = item;
  switch (entry.kind) {
    case "dir":
      return { digest: undefined, finalPath: path, skipped: false };
    case "link":
      return item.placed && { digest: undefined, ...item.placed };
    case "dir-end":
      return undefined;
    case "file": {
      if (file === undefined || digest === undefined) return undefined;
      return { digest, ...await file.place(digest) };
    }
  }
}

function journalChunks(
  { file }: Item,
  chunks: readonly CheckedChunk[],
  journal: Journal,
): void {
  if (file === undefined || journal.part(file.slot) === undefined) return;
  for (const { chunk, digest } of chunks) {
    journal.have(file.slot, chunk, digest);
  }
}

function sayDurable(
  item: Item,
  chunks: readonly CheckedChunk[],
  { facts, run }: CheckpointDeps,
): void {
  if (chunks.length === 0) return;
  const durable = rangeSet();
  for (const { chunk } of chunks) durable.add(chunk, chunk + 1);
  item.durable ??= rangeSet();
  item.durable.addAll(durable);
  facts.add(item.index, { run, gen: item.gen, durable });
}

/** Folders get their mode and time once all that comes before their end is final. */
async function endFolders(
  open: ReadonlyMap<number, Item>,
  { root, finish, orRefuse }: CheckpointDeps,
): Promise<void> {
  for (const item of open.values()) {
    const { entry, path, phase } = item;
    if (entry.kind !== "dir-end" || phase !== "whole") return;
    if (path !== undefined && root.setDirMetaNow(path, entry)) {
      finish(item, { digest: undefined, finalPath: path, skipped: false });
      continue; // without a wait: all of them are told at once
    }
    await orRefuse(item, async () => {
      const there = path && await root.lstat(path);
      // What is no folder is not ours to change.
      if (path !== undefined && there?.kind === "dir") {
        await root.setMeta(path, entry);
      }
      finish(item, { digest: undefined, finalPath: path, skipped: false });
    });
  }
}
