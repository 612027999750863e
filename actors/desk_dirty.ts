/**
 * What the next checkpoint has to do: entries of which something came.
 *
 * @module
 */
import type { Item } from "./desk_item.ts";
import { sortNests } from "./desk_nests.ts";

/** Entries of which something came since the last checkpoint began. */
export interface Dirty {
  /** Bytes of them that count. */
  bytes: number;
  readonly size: number;
  /** Those that the last checkpoint did not leave behind. */
  readonly news: number;
  add(item: Item): void;
  /**
   * Those that a checkpoint is to have.
   *
   * @param isLast Nothing waits for a later one.
   */
  take(isCurrent: (item: Item) => boolean, isLast: boolean): readonly Item[];
}

/** Creates an empty list. */
export function createDirty(): Dirty {
  let items: Item[] = [];
  let left = 0; // files that wait for others of their folder
  return {
    bytes: 0,
    get size() {
      return items.length;
    },
    get news() {
      return items.length - left;
    },
    add(item) {
      if (!item.isDirty) items.push(item);
      item.isDirty = true;
    },
    take(isCurrent, isLast) {
      const { batch, later } = sortNests(items.filter(isCurrent), isLast);
      for (const item of batch) item.isDirty = false;
      items = [...later];
      left = later.length;
      this.bytes = 0;
      return batch;
    },
  };
}
