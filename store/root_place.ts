/**
 * How a finished file or a link comes to stand under its name: at once, whole,
 * and over something else only if that was asked for.
 *
 * @module
 */
import { linkSync, renameSync, symlinkSync } from "node:fs";
import { SftpxError } from "../core/errors.ts";
import { errorCode } from "./io_error.ts";
import { MAX_PATH_BYTES, PARTIAL_FOLDER } from "./paths.ts";
import { closeDir, type OpenDir, removeName } from "./root_dir.ts";
import type { Native } from "./root_native.ts";
import { enterOwn } from "./root_partial_dir.ts";
import { stampAt } from "./root_stamp.ts";

/** Renames a file, over another if there is one; fails on a folder. */
export function putOver(from: string, to: string): boolean {
  renameSync(from, to);
  return true;
}

/**
 * Renames a file unless something of that name is there.
 *
 * Where the system cannot do that in one step the file has both names for a
 * moment; where it cannot have two names, another program that makes a file in
 * the moment between the look and the renaming loses it.
 *
 * @returns Whether it was renamed.
 */
export function putNew(
  native: Native | undefined,
  from: string,
  to: string,
): boolean {
  if (native?.renameNew(from, to) === true) {
    return true;
  }
  try {
    linkSync(from, to);
  } catch (error) {
    const code = errorCode(error) ?? "";
    if (code === "EEXIST") {
      return false;
    }
    if (!NO_SECOND_NAME.includes(code)) {
      throw error;
    }
    return stampAt(native, to) === undefined && putOver(from, to);
  }
  removeName(from);
  return true;
}

/**
 * Makes a symbolic link.
 *
 * @param top The upload folder, for the link's temporary name.
 * @param id To be used once in a process.
 * @returns Whether it was made.
 * @throws {SftpxError} `protocol` for a target that no link can have.
 */
export function putLink(
  top: OpenDir,
  id: number,
  target: string,
  to: string,
  replace: boolean,
): boolean {
  checkTarget(target);
  try {
    symlinkSync(target, to);
    return true;
  } catch (error) {
    if (errorCode(error) !== "EEXIST") {
      throw error;
    }
  }
  return replace && replaceByLink(top, id, target, to);
}

/** What `link` fails with where a file can have one name only. */
const NO_SECOND_NAME = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

function replaceByLink(
  top: OpenDir,
  id: number,
  target: string,
  to: string,
): boolean {
  const all = enterOwn(top, PARTIAL_FOLDER);
  const temporary = all.at(`${Deno.pid}-${id}.link`);
  try {
    removeName(temporary); // of a process before us that had the same number
    symlinkSync(target, temporary);
    return putOver(temporary, to);
  } catch (error) {
    removeName(temporary);
    throw error;
  } finally {
    closeDir(all);
  }
}

function checkTarget(target: string): void {
  const bytes = new TextEncoder().encode(target).length;
  if (
    target === "" || target.includes("\0") || !target.isWellFormed() ||
    bytes > MAX_PATH_BYTES
  ) {
    throw new SftpxError(
      "protocol",
      "Cannot make a symbolic link: no link can have such a target",
    );
  }
}
