/**
 * One folder, opened as a folder and nothing else.
 *
 * Where there is `/proc/self/fd`, what is done in a folder is done by its open
 * descriptor, as `/proc/self/fd/N/name`: that folder, whatever its name has
 * become since. Elsewhere (macOS, Windows) its path is used after a look at it,
 * which refuses a link that is there, but not one that another program puts
 * there between the look and the use.
 *
 * `placeIn()` is the one place where a name is joined to a folder.
 *
 * @module
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  lstatSync,
  mkdirSync,
  openSync,
  rmdirSync,
  unlinkSync,
} from "node:fs";
import { errorCode } from "./io_error.ts";

/** A folder in which something can be done. */
export interface Dir {
  /** -1 where folders are not held open. */
  readonly fd: number;
  /** Where `name` is in this folder, for a call of `node:fs`. */
  at(name: string): string;
}

/** A folder that somebody must close. */
export interface OpenDir extends Dir {
  /** The path it was opened by. */
  readonly place: string;
}

/** Whether descriptors of folders can be used as paths here. */
export function hasDescriptorPaths(): boolean {
  return Deno.build.os === "linux" &&
    lstatSync("/proc/self/fd", { throwIfNoEntry: false }) !== undefined;
}

/**
 * Opens a folder, and neither a link to one nor anything else.
 *
 * @param byDescriptor Whether to hold it; see `hasDescriptorPaths()`.
 * @throws What `node:fs` throws: `ENOTDIR` for a link or a file.
 */
export function openDir(place: string, byDescriptor: boolean): OpenDir {
  if (byDescriptor) {
    const fd = openSync(place, OPEN_DIR);
    const front = `/proc/self/fd/${fd}`;
    return { fd, place, at: (name) => placeIn(front, name) };
  }
  if (!lstatSync(place).isDirectory()) {
    throw Object.assign(new Error("not a folder"), { code: "ENOTDIR" });
  }
  return { fd: -1, place, at: (name) => placeIn(place, name) };
}

/** Closes a folder of `openDir()`. */
export function closeDir(dir: OpenDir): void {
  if (dir.fd !== -1) {
    closeSync(dir.fd);
  }
}

/**
 * Makes a folder.
 *
 * @returns Whether it is new; what else is there is for the opening to judge.
 */
export function makeFolder(place: string, mode: number): boolean {
  return unless(["EEXIST"], () => mkdirSync(place, { mode }));
}

/** Removes a folder, if it is there and empty. */
export function removeFolder(place: string): void {
  unless(["ENOENT", "ENOTEMPTY", "EEXIST", "EBUSY"], () => rmdirSync(place));
}

/** Removes a name that is no folder's, if it is there. */
export function removeName(place: string): void {
  unless(["ENOENT"], () => unlinkSync(place));
}

/** Which folder it is, whatever its name; `undefined` if it is not held open. */
export function identityOf(dir: OpenDir): string | undefined {
  if (dir.fd === -1) {
    return undefined;
  }
  const { ino, dev } = fstatSync(dir.fd, { bigint: true });
  return `${dev}:${ino}`;
}

/** Syncs an open file, on another thread. */
export function syncFile(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fsync(fd, (error) => error ? reject(error) : resolve());
  });
}

/** Syncs the entries of a folder, on another thread, where the system can. */
export async function syncDir(dir: OpenDir): Promise<void> {
  if (Deno.build.os === "windows") {
    return; // folders cannot be opened there
  }
  const fd = dir.fd === -1 ? openSync(dir.place, OPEN_DIR) : dir.fd;
  try {
    await syncFile(fd);
  } catch (error) {
    // Some file systems have no way to sync a folder, and need none.
    if (!["EINVAL", "ENOTSUP"].includes(errorCode(error) ?? "")) {
      throw error;
    }
  } finally {
    if (fd !== dir.fd) {
      closeSync(fd);
    }
  }
}

const OPEN_DIR = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0) |
  (constants.O_NOFOLLOW ?? 0);

/** The one join: a folder that was entered, and one checked component. */
function placeIn(dir: string, name: string): string {
  return `${dir}/${name}`;
}

function unless(codes: readonly string[], work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (codes.includes(errorCode(error) ?? "")) {
      return false;
    }
    throw error;
  }
}
