/**
 * What is done to an upload folder before it is used.
 *
 * @module
 */
import { mkdirSync, realpathSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { PARTIAL_FOLDER } from "./paths.ts";
import {
  closeDir,
  type OpenDir,
  openDir,
  removeFolder,
  syncDir,
} from "./root_dir.ts";
import { enterOwn } from "./root_partial_dir.ts";
import { stampAt } from "./root_stamp.ts";

/**
 * Makes a folder, and those on the way, for good.
 *
 * @param dir The user's own choice, so links in it are followed.
 * @returns Its absolute path without links.
 */
export async function makeRoot(dir: string): Promise<string> {
  const first = mkdirSync(dir, { recursive: true }); // the topmost new one
  const place = realpathSync(dir);
  if (first !== undefined) {
    const end = dirname(realpathSync(resolve(first)));
    for (let at = place; at !== end && at !== dirname(at);) {
      at = dirname(at);
      const above = openDir(at, false);
      await syncDir(above);
      closeDir(above);
    }
  }
  return place;
}

/** Whether `a` and `A` are one name in a folder, or may be. */
export function foldsCase(top: OpenDir): boolean {
  if (Deno.build.os === "windows") {
    return true;
  }
  const isNew = stampAt(undefined, top.at(PARTIAL_FOLDER)) === undefined;
  closeDir(enterOwn(top, PARTIAL_FOLDER));
  const folds =
    stampAt(undefined, top.at(PARTIAL_FOLDER.toUpperCase())) !== undefined;
  if (isNew) {
    removeFolder(top.at(PARTIAL_FOLDER));
  }
  return folds;
}
