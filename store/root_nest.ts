/**
 * A folder of small files that is filled out of sight, among the parts, and
 * takes the place of the empty folder of its name when it is complete: one
 * rename for all of its files.
 *
 * It stands in for a folder that we made, and only while that is empty. What a
 * folder has from the one above it (its group, default rights) it would not
 * have here, so where there is any of that files get their names one by one.
 *
 * @module
 */
import { S_IFDIR, S_IFMT } from "./file_modes.ts";
import { baseName, parentOf, type SafePath } from "./paths.ts";
import type { Dirs } from "./root_dirs.ts";
import { partName } from "./root_part_name.ts";
import type { PartialDir } from "./root_partial.ts";
import type { SmallFiles } from "./root_small.ts";
import type { EntryMeta } from "./root_stamp.ts";
import type { NativeStat } from "./root_statx.ts";

/** A folder that is filled out of sight. */
export interface NestDir {
  /** Its descriptor, for another thread; open until `close()`. */
  readonly fd: number;
  /** Makes a file in it, as `SmallFiles.make()` does. */
  make(
    name: string,
    bytes: Uint8Array<ArrayBuffer>,
    meta: EntryMeta,
  ): NativeStat | undefined;
  /** Makes a part of a file that is in it; says whether it did. */
  release(name: string, slot: number): boolean;
  /** Removes a file of it. */
  remove(name: string): void;
  /**
   * Takes the place of its folder, if that is as it was made. What is in it
   * should be synced.
   */
  adopt(): boolean;
  /** Lets go of it, and removes it if it is empty and nowhere else. */
  close(): void;
}

/** What it takes to make one. */
export interface NestPlace {
  readonly dirs: Dirs;
  readonly small: SmallFiles;
  readonly part: PartialDir;
  /** Told when it has taken the place of its folder. */
  readonly adopted: () => void;
}

/** Makes one for the folder at `path`; `undefined` where that cannot be. */
export function openNest(
  { dirs, small, part, adopted }: NestPlace,
  path: SafePath,
): NestDir | undefined {
  const [above, name] = [parentOf(path), baseName(path)];
  const look = (): NativeStat | undefined =>
    dirs.inside(above, undefined, (at) => small.stat(at, name));
  const before = look();
  if (before === undefined || !isPlain(before.mode)) return undefined;
  const hasRights = dirs.inside(
    above,
    undefined,
    (at) => small.hasDefaultRights(at.at(name)),
  );
  if (hasRights !== false) return undefined;
  const made = part.makeNest();
  if (made === undefined) return undefined;
  const { dir: from, name: nest, fd } = made;
  let isPlaced = false;
  return {
    fd,
    make: (name, bytes, meta) => small.make({ fd }, name, bytes, meta),
    release: (name, slot) =>
      small.renameNew({ fd }, name, from, partName(slot)),
    remove(name) {
      small.remove({ fd }, name, "file");
    },
    adopt() {
      try {
        const now = look();
        if (now === undefined || now.ino !== before.ino) return false;
        const mode = now.mode & MODES;
        isPlaced = dirs.inside(
          above,
          undefined,
          (at) => small.renameFolder(fd, mode, from, nest, at, name),
        ) === true;
      } catch {
        return false; // the folder above is not what it was: files tell why
      }
      if (isPlaced) adopted();
      return isPlaced;
    },
    close() {
      if (!isPlaced) small.remove(from, nest, "folder");
      small.closeFolder(fd);
    },
  };
}

const MODES = 0o7777;

/** True for a folder that hands nothing down to what is made in it. */
function isPlain(mode: number): boolean {
  return (mode & S_IFMT) === S_IFDIR && (mode & 0o7000) === 0;
}
