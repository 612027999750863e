/**
 * The folders below an upload folder, entered one at a time.
 *
 * Every folder on the way to a file is opened in the one above it, and only if
 * it is a folder itself. So nobody who swaps a folder for a link, at any moment,
 * can make us write outside (see `root_dir.ts` for where that does not hold).
 * The last ones used stay open, as the next file is mostly in the same folder.
 *
 * A folder that is moved while it is open is still written to. `sync()` looks
 * each up anew, by name from the top, and fails if it is another one by now.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { errorCode, ioError } from "./io_error.ts";
import { baseName, parentOf, quoted, type SafePath } from "./paths.ts";
import {
  closeDir,
  type Dir,
  identityOf,
  makeFolder,
  type OpenDir,
  openDir,
  syncDir,
} from "./root_dir.ts";

/** The folders of one upload folder. */
export interface Dirs {
  /** Whether folders are held by descriptors. */
  readonly byDescriptor: boolean;
  /** The upload folder. */
  readonly top: OpenDir;
  /**
   * Does `work` in a folder, at once.
   *
   * `work` runs a second time if it throws `ENOENT` and folders were open: one
   * that was deleted while open says that everything is missing.
   *
   * @param path The folder, `""` for the upload folder.
   * @param create Mode for folders that are missing; `undefined` makes none.
   * @returns What `work` returned; `undefined` if the folder is missing.
   */
  inside<T>(
    path: SafePath | "",
    create: number | undefined,
    work: (dir: Dir) => T,
  ): T | undefined;
  /**
   * Keeps what is open, and what is opened from now on, until what it returns
   * is called: another thread uses the descriptors.
   */
  hold(): () => void;
  /** Remembers that the entries of a folder, which was used, have changed. */
  touch(path: SafePath | ""): void;
  /** Forgets which folder it was: we have put another, that is synced, in its place. */
  replaced(path: SafePath): void;
  /**
   * Syncs every folder touched since the last call.
   *
   * @param whole Syncs the whole file system that the upload folder is on, if
   * it can: from some folders on that takes less time.
   * @throws {SftpxError} `local-io` if the disk fails, or a folder has gone or
   * is another by now. Folders that are not synced yet stay to be synced.
   */
  sync(whole?: () => Promise<boolean>): Promise<void>;
  /** Closes all of them; again does nothing. */
  close(): void;
}

/** What `openDirs()` can be told. */
export interface DirsOptions {
  /** How many folders stay open; at least 2. */
  readonly capacity: number;
  /** Whether to hold folders by descriptors. */
  readonly byDescriptor: boolean;
}

/**
 * Opens the folders of an upload folder.
 *
 * @param root Its absolute path, links resolved.
 */
export function openDirs(root: string, options: DirsOptions): Dirs {
  const { capacity, byDescriptor } = options;
  if (!Number.isInteger(capacity) || capacity < 2) {
    throw new RangeError(
      `Cannot keep folders open as capacity must be >= 2: current value is ${capacity}`,
    );
  }
  const top = openDir(root, byDescriptor);
  const opened = new Map<SafePath | "", OpenDir>(); // from oldest to youngest
  const touched = new Map<SafePath | "", string | undefined>(); // which it was
  let syncing = Promise.resolve();
  let isOpen = true;
  let holds = 0;
  const late: OpenDir[] = []; // to be closed when nobody holds them any more

  /** The number of a closed folder may be another one's by now. */
  function checkOpen(): void {
    if (!isOpen) {
      throw Object.assign(new Error("closed"), { code: "EBADF" });
    }
  }

  function enter(
    path: SafePath | "",
    create: number | undefined,
  ): OpenDir | undefined {
    checkOpen();
    if (path === "") {
      return top;
    }
    const known = opened.get(path);
    if (known !== undefined) {
      opened.delete(path);
      opened.set(path, known);
      return known;
    }
    const parent = enter(parentOf(path), create);
    if (parent === undefined) {
      return undefined;
    }
    const place = parent.at(baseName(path));
    let dir = openOrMissing(place, path, byDescriptor);
    if (dir === undefined && create !== undefined) {
      makeFolder(place, create);
      touch(parentOf(path), parent);
      dir = openOrMissing(place, path, byDescriptor);
      touch(path, dir);
    }
    if (dir !== undefined && byDescriptor) { // else each use looks again
      remember(path, dir);
    }
    return dir;
  }

  function remember(path: SafePath, dir: OpenDir): void {
    for (const [oldest, old] of opened) {
      if (opened.size < capacity) {
        break;
      }
      opened.delete(oldest);
      leave(old);
    }
    opened.set(path, dir);
  }

  function leave(dir: OpenDir): void {
    if (holds > 0) late.push(dir);
    else closeDir(dir);
  }

  function forget(): void {
    opened.forEach(leave);
    opened.clear();
  }

  function touch(path: SafePath | "", dir: OpenDir | undefined): void {
    if (!touched.has(path)) {
      touched.set(path, dir && identityOf(dir));
    }
  }

  /** By name from the top, nothing remembered: where a reader would look. */
  function openFresh(path: SafePath | ""): OpenDir {
    checkOpen();
    if (path === "") {
      return top;
    }
    const parent = openFresh(parentOf(path));
    try {
      return openDir(parent.at(baseName(path)), byDescriptor);
    } finally {
      release(parent);
    }
  }

  function release(dir: OpenDir): void {
    if (dir !== top) {
      closeDir(dir);
    }
  }

  function checkSame(
    path: SafePath | "",
    dir: OpenDir,
    identity: string | undefined,
  ): void {
    if (identity !== undefined && identity !== identityOf(dir)) {
      const text = `Cannot keep ${quoted(path)}: it was moved while in use`;
      throw new SftpxError("local-io", text);
    }
  }

  async function syncOne(
    path: SafePath | "",
    identity: string | undefined,
  ): Promise<void> {
    const dir = openFresh(path);
    try {
      checkSame(path, dir, identity);
      await syncDir(dir).catch((error) => {
        touched.set(path, identity); // for whoever tries again
        throw error;
      });
    } finally {
      release(dir);
    }
  }

  /** Whether all folders are where they were, and on one file system. */
  function areTogether(list: readonly Touched[]): boolean {
    const device = identityOf(top)?.split(":", 1)[0];
    return device !== undefined && list.every(([path, identity]) => {
      const dir = openFresh(path);
      try {
        checkSame(path, dir, identity);
        return identityOf(dir)?.startsWith(`${device}:`) === true;
      } finally {
        release(dir);
      }
    });
  }

  /** Syncs them with all else; false when they must be synced one by one. */
  async function syncTogether(
    whole: () => Promise<boolean>,
  ): Promise<boolean> {
    const list = [...touched];
    if (list.length < TOGETHER_FOLDERS) return false;
    try {
      if (!areTogether(list)) return false;
    } catch {
      return false; // one by one it shows which, and the others are synced
    }
    list.forEach(([path]) => touched.delete(path)); // now: see below
    if (await whole()) return true;
    list.forEach(([path, identity]) => touched.set(path, identity));
    return false;
  }

  async function syncAll(whole?: () => Promise<boolean>): Promise<void> {
    if (whole !== undefined && await syncTogether(whole)) return;
    for (const [path, identity] of [...touched]) {
      touched.delete(path); // now: what is touched meanwhile is for the next call
      try {
        await syncOne(path, identity);
      } catch (error) {
        forget();
        throw ioError(`sync the folder ${quoted(path || ".")}`, error);
      }
    }
  }

  return {
    byDescriptor,
    top,
    inside(path, create, work) {
      const attempt = () => {
        const dir = enter(path, create);
        return dir && work(dir);
      };
      try {
        return attempt();
      } catch (error) {
        if (errorCode(error) !== "ENOENT" || opened.size === 0) {
          throw error;
        }
        forget();
        return attempt();
      }
    },
    hold() {
      holds++;
      return () => {
        if (--holds === 0) late.splice(0).forEach(closeDir);
      };
    },
    touch(path) {
      touch(path, path === "" ? top : opened.get(path));
    },
    replaced(path) {
      const known = opened.get(path);
      opened.delete(path);
      if (known !== undefined) leave(known);
      if (touched.has(path)) touched.set(path, undefined);
    },
    sync(whole) {
      const next = syncing.then(() => syncAll(whole)); // a second caller waits for the first
      syncing = next.catch(() => {});
      return next;
    },
    close() {
      if (isOpen) {
        isOpen = false;
        forget();
        closeDir(top);
      }
    },
  };
}

/** From so many folders on, one sync of everything takes less time. */
const TOGETHER_FOLDERS = 6;

/** A folder whose entries have changed, and which it was. */
type Touched = readonly [path: SafePath | "", identity: string | undefined];

/** A folder of that name, or none; anything else there is an error. */
function openOrMissing(
  place: string,
  path: SafePath,
  byDescriptor: boolean,
): OpenDir | undefined {
  try {
    return openDir(place, byDescriptor);
  } catch (error) {
    if (errorCode(error) === "ENOENT") {
      return undefined;
    }
    throw ioError(`enter the folder ${quoted(path)}`, error);
  }
}
