/**
 * The folders that parts are in: ours alone, and gone when they are empty.
 *
 * @module
 */
import {
  chmodSync,
  fchmodSync,
  fstatSync,
  lstatSync,
  readdirSync,
  rmSync,
} from "node:fs";
import { SftpxError } from "../core/errors.ts";
import { errorCode, ioError } from "./io_error.ts";
import { PARTIAL_FOLDER } from "./paths.ts";
import {
  closeDir,
  makeFolder,
  type OpenDir,
  openDir,
  removeFolder,
  removeName,
  syncDir,
} from "./root_dir.ts";

/** Removes what no receiver needs of the folder for parts, and it if empty. */
export function removeEmptyPartials(top: OpenDir): void {
  let all: OpenDir;
  try {
    all = openDir(top.at(PARTIAL_FOLDER), top.fd !== -1);
  } catch {
    return; // there is none, or it is nothing of ours
  }
  try {
    for (const entry of readdirSync(all.at("."), { withFileTypes: true })) {
      if (entry.isDirectory()) {
        removeFolder(all.at(entry.name));
      } else if (entry.isSymbolicLink()) {
        removeName(all.at(entry.name)); // a `Root.makeLink()` was killed
      }
    }
  } finally {
    closeDir(all);
  }
  removeFolder(top.at(PARTIAL_FOLDER));
}

/**
 * Enters a folder that is ours alone, and makes it if there is none.
 *
 * @throws {SftpxError} `local-io` when it is somebody else's.
 */
export function enterOwn(parent: OpenDir, name: string): OpenDir {
  const place = parent.at(name);
  makeFolder(place, 0o700);
  const dir = openDir(place, parent.fd !== -1);
  try {
    const { uid, mode } = dir.fd === -1 ? lstatSync(place) : fstatSync(dir.fd);
    const us = Deno.uid(); // null where there are no such modes
    if (us !== null && uid !== us) {
      const text =
        `Cannot use the folder "${name}": it belongs to another user`;
      throw new SftpxError("local-io", text);
    }
    if (us !== null && (mode & 0o777) !== 0o700) {
      dir.fd === -1 ? chmodSync(place, 0o700) : fchmodSync(dir.fd, 0o700);
    }
    return dir;
  } catch (error) {
    closeDir(dir);
    throw error;
  }
}

/** How often others may tidy the folder away while we make one in it. */
const TRIES = 3;

/** Enters the folder of a session, and makes it if there is none. */
export function openSession(top: OpenDir, session: string): OpenDir {
  for (let left = TRIES;; left--) {
    try {
      const all = enterOwn(top, PARTIAL_FOLDER);
      try {
        return enterOwn(all, session);
      } finally {
        closeDir(all);
      }
    } catch (error) {
      if (errorCode(error) !== "ENOENT" || left === 0) {
        throw ioError("use the folder for parts", error);
      }
    }
  }
}

/** The slots of the parts in a folder, in order. */
export function listSlots(dir: OpenDir): number[] {
  return readdirSync(dir.at("."))
    .flatMap((name) => /^(0|[1-9]\d{0,15})\.part$/.exec(name)?.[1] ?? [])
    .map(Number)
    .filter(Number.isSafeInteger)
    .sort((a, b) => a - b);
}

/** Removes folders that were being filled when a process ended. */
export function removeNests(dir: OpenDir): void {
  let names: string[];
  try {
    names = readdirSync(dir.at("."));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return; // it was tidied away
    throw error;
  }
  for (const name of names) {
    if (!/^[1-9]\d*\.nest$/.test(name)) continue;
    rmSync(dir.at(name), { recursive: true, force: true });
  }
}

/** Syncs the folder for parts and the upload folder, which name the session's. */
export async function syncAbove(top: OpenDir): Promise<void> {
  const all = enterOwn(top, PARTIAL_FOLDER);
  try {
    await syncDir(all);
  } finally {
    closeDir(all);
  }
  await syncDir(top);
}
