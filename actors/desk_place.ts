/**
 * Giving many small files their names, on another thread where there is one.
 *
 * @module
 */
import type { Incoming } from "../store/incoming.ts";
import { baseName } from "../store/paths.ts";
import type { PartialDir, Root } from "../store/root.ts";
import type { FileMaker } from "../workers/file_maker.ts";
import type { Item } from "./desk_item.ts";

/** What it takes to name them. */
export interface PlaceDeps {
  readonly root: Root;
  readonly partial: PartialDir;
  readonly maker?: FileMaker | undefined;
}

/** Fewer are not worth the way. */
const LEAST_FILES = 32;
/** Named at a time: their folders are open meanwhile. */
const AT_ONCE = 256;

/**
 * Names those files that are whole, assembled and synced, and whose names are
 * free; the others are left to be named one by one.
 */
export async function placeTogether(
  items: readonly Item[],
  { root, partial, maker }: PlaceDeps,
): Promise<void> {
  if (items.length < LEAST_FILES) return;
  const able = items.filter(isAble);
  if (maker === undefined || able.length < LEAST_FILES) return;
  if (!maker.isReady(0)) return;
  let before: Promise<void> | undefined;
  for (let from = 0; from < able.length; from += AT_ONCE) {
    const some = able.slice(from, from + AT_ONCE);
    const work = placeSome(some, root, partial, maker);
    try {
      await before; // these are on their way meanwhile
    } catch (error) {
      await work.catch(() => {}); // nothing goes on after this
      throw error;
    }
    before = work;
  }
  await before;
}

async function placeSome(
  items: readonly Item[],
  root: Root,
  partial: PartialDir,
  maker: FileMaker,
): Promise<void> {
  const files: Incoming[] = [];
  for (const { file } of items) if (file !== undefined) files.push(file);
  const from = partial.beginWhole();
  const folders = root.foldersOf(files.map(({ path }) => path));
  if (folders === undefined) return;
  try {
    if (from < 0) return;
    const parts = files.map(({ slot, path }, at) => ({
      slot,
      dir: folders.fds[at] ?? -1,
      name: baseName(path),
    }));
    const found = await maker.place(from, parts);
    for (let at = 0; at < items.length; at++) {
      const item = items[at];
      const stamp = found.stampOf(at);
      if (item?.digest === undefined || stamp === undefined) continue;
      const { file, digest } = item;
      const placement = file?.wasPlaced?.(digest, stamp);
      if (placement === undefined) continue;
      const { finalPath, skipped } = placement;
      item.named = { digest, finalPath, skipped };
    }
  } finally {
    folders.release();
  }
}

function isAble({ phase, digest, file, named }: Item): boolean {
  return phase === "whole" && named === undefined && digest !== undefined &&
    file?.isAssembled === true && file.wasPlaced !== undefined;
}
