/**
 * Places of our own files, below folders that the user named. Names from a peer
 * never come here: they go through `paths.ts`.
 *
 * @module
 */
import { join, resolve } from "node:path";

/** The file `name` in the folder `dir`; `name` is a constant, or made of hex or base64url. */
export function fileIn(dir: string, name: string): string {
  if (!/^[\w.=-]+$/.test(name) || name.startsWith("..")) {
    throw new RangeError(`Cannot place "${name}": it is no name of ours`);
  }
  return join(dir, name);
}

/** The absolute path of a folder that the user named. */
export function absolute(dir: string): string {
  return resolve(dir);
}
