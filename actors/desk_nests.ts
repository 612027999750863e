/**
 * Files that are put in place together with their folder, at a checkpoint.
 *
 * @module
 */
import type { Nest } from "../store/nests.ts";
import type { Item } from "./desk_item.ts";

/** Entries of a checkpoint, and those that the next one has. */
export interface Sorted {
  readonly batch: readonly Item[];
  readonly later: readonly Item[];
}

/**
 * Leaves files to the next checkpoint whose nest waits for others.
 *
 * @param isLast Nothing waits for a later one.
 */
export function sortNests(items: readonly Item[], isLast: boolean): Sorted {
  const counts = new Map<Nest, number>();
  for (const item of items) {
    const nest = nestOf(item);
    if (nest !== undefined) counts.set(nest, (counts.get(nest) ?? 0) + 1);
  }
  if (counts.size === 0) return { batch: items, later: [] };
  const waiting = new Set<Nest>();
  for (const [nest, files] of counts) {
    if (!nest.isReady(files, isLast)) waiting.add(nest);
  }
  const [batch, later]: [Item[], Item[]] = [[], []];
  for (const item of items) {
    const nest = nestOf(item);
    (nest !== undefined && waiting.has(nest) ? later : batch).push(item);
  }
  return { batch, later };
}

/**
 * Puts nests in place, all of whose files are among `items` and synced. Files of
 * one that does not take its place become parts.
 */
export function placeNests(items: readonly Item[]): void {
  const adopted = new Map<Nest, boolean>();
  for (const item of items) {
    const nest = nestOf(item);
    if (nest === undefined || item.file === undefined) continue;
    const isPlaced = adopted.get(nest) ?? nest.adopt();
    adopted.set(nest, isPlaced);
    const { digest, file } = item;
    const placement = isPlaced && digest && file.wasAdopted?.(digest);
    if (placement) item.named = { digest, ...placement };
    else file.leaveNest?.();
  }
}

function nestOf({ phase, file }: Item): Nest | undefined {
  return phase === "whole" ? file?.nest : undefined;
}
