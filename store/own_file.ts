/**
 * Places of our own files, below folders that the user named. Names from a peer
 * never come here: they go through `paths.ts`.
 *
 * @module
 */
import { localChild, SEPARATOR } from "./source_entry.ts";

/** The file `name` in the folder `dir`; `name` is a constant, or made of hex or base64url. */
export function fileIn(dir: string, name: string): string {
  if (!/^[\w.=-]+$/.test(name) || name.startsWith("..")) {
    throw new RangeError(`Cannot place "${name}": it is no name of ours`);
  }
  return dir === "" ? name : localChild(dir, name);
}

/** The folder that a file is in, as far as its path says. */
export function folderOf(path: string): string {
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf(SEPARATOR));
  return at < 0 ? "." : path.slice(0, Math.max(at, 1));
}
