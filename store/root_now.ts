/**
 * What an upload folder does at once for small files, where the system has the
 * calls for it; whatever fails here tells no more than that.
 *
 * @module
 */
import { baseName, parentOf, type SafePath } from "./paths.ts";
import type { Folders, Root } from "./root.ts";
import type { Dir } from "./root_dir.ts";
import type { Dirs } from "./root_dirs.ts";
import { type NestDir, openNest } from "./root_nest.ts";
import { partName } from "./root_part_name.ts";
import type { PartialDir } from "./root_partial.ts";
import type { SmallFiles } from "./root_small.ts";
import { type LocalStamp, stampOf } from "./root_stamp.ts";

/** Folders that we made. */
export interface FreshFolders {
  /** True while one is being filled. */
  has(path: SafePath | ""): boolean;
  /** True while we have put nothing there. */
  isEmpty(path: SafePath | ""): boolean;
  made(path: SafePath): void;
  filled(path: SafePath | ""): void;
  ended(path: SafePath): void;
  forget(path: SafePath): void;
}

/** What folders are made with when no entry said more. */
export const ANY_MODE = 0o777;

/** What we need to put something in a folder. */
export const OWNER_MODE = 0o700;

/** A tree comes depth first, so no more folders than it is deep are being filled. */
const MAX_FRESH = 1024;

/** Creates a memory of folders. */
export function freshFolders(): FreshFolders {
  const folders = new Map<
    SafePath | "",
    { isEmpty: boolean; isEnded: boolean }
  >();
  return {
    has: (path) => folders.get(path)?.isEnded === false,
    isEmpty: (path) => folders.get(path)?.isEmpty === true,
    made(path) {
      if (folders.size >= MAX_FRESH) return;
      folders.set(path, { isEmpty: true, isEnded: false });
    },
    filled(path) {
      const folder = folders.get(path);
      if (folder !== undefined) folder.isEmpty = false;
    },
    ended(path) {
      const folder = folders.get(path);
      if (folder !== undefined) folder.isEnded = true;
    },
    forget(path) {
      folders.delete(path);
    },
  };
}

/** What it takes. */
export interface NowDeps {
  readonly dirs: Dirs;
  readonly portable: boolean;
  readonly small: SmallFiles | undefined;
  readonly fresh: FreshFolders;
  readonly isOpen: () => boolean;
}

/** What of an upload folder is done at once. */
export function rootNow(
  { dirs, portable, small, fresh, isOpen }: NowDeps,
): Pick<
  Root,
  | "commitNow"
  | "foldersOf"
  | "lstatNow"
  | "makeDirNow"
  | "nest"
  | "setDirMetaNow"
> {
  const filled = (folder: SafePath | ""): void => {
    dirs.touch(folder);
    fresh.filled(folder);
  };
  /** Does `work` in the folder that holds `path`; `undefined` where it cannot, or fails. */
  const beside = <T>(
    path: SafePath,
    work: (small: SmallFiles, at: Dir, name: string) => T | undefined,
  ): T | undefined => {
    if (small === undefined || !isOpen()) return undefined;
    try {
      return dirs.inside(
        parentOf(path),
        undefined,
        (at) => at.fd === -1 ? undefined : work(small, at, baseName(path)),
      );
    } catch {
      return undefined; // the long way tells why
    }
  };

  return {
    commitNow(part: PartialDir, slot, path): LocalStamp | undefined {
      const found = beside(path, (small, at, name) => {
        if (!small.renameNew(part.dir, partName(slot), at, name)) {
          return undefined;
        }
        filled(parentOf(path));
        return small.stat(at, name);
      });
      return found && stampOf(found);
    },
    makeDirNow(path, mode = ANY_MODE) {
      fresh.forget(path);
      const wanted = (mode & ANY_MODE) | OWNER_MODE;
      return beside(path, (small, at, name) => {
        if (!small.makeDir(at, name, wanted)) return false;
        filled(parentOf(path));
        fresh.made(path);
        return true;
      }) ?? false;
    },
    setDirMetaNow: (path, meta) =>
      beside(path, (small, at, name) => small.setDirMeta(at, name, meta)) ??
        false,
    foldersOf(paths): Folders | undefined {
      if (small === undefined || !isOpen()) return undefined;
      const release = dirs.hold();
      let last: SafePath | "" | undefined; // as most are in the one that was last
      let fd = -1;
      const fds = paths.map((path) => {
        const parent = parentOf(path);
        if (parent === last) return fd;
        last = parent;
        try {
          fd = dirs.inside(parent, undefined, ({ fd }) => fd) ?? -1;
          if (fd !== -1) filled(parent);
        } catch {
          fd = -1; // the long way tells why
        }
        return fd;
      });
      return { fds, release };
    },
    lstatNow(path): LocalStamp | undefined {
      const found = beside(path, (small, at, name) => small.stat(at, name));
      return found && stampOf(found);
    },
    nest(part, path): NestDir | undefined {
      if (small === undefined || !isOpen() || portable) return undefined;
      if (!dirs.byDescriptor || !fresh.isEmpty(path)) return undefined;
      const adopted = (): void => {
        dirs.replaced(path);
        dirs.touch(parentOf(path));
        fresh.filled(path);
      };
      try {
        return openNest({ dirs, small, part, adopted }, path);
      } catch {
        return undefined;
      }
    },
  };
}
