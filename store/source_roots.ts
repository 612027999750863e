/**
 * From what a person typed to what is sent under which name.
 *
 * `a/b/src` arrives as `src`. `.`, `..` and `dir/` have no last name of their
 * own, or mean what a link points to: they arrive under the name that the
 * folder really has.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { ioError } from "./io_error.ts";
import { PARTIAL_FOLDER, quoted } from "./paths.ts";
import { localChild, SEPARATOR, type SourceRoot } from "./source_entry.ts";

/**
 * Names what is at `paths`, and makes sure that it is there.
 *
 * @throws {SftpxError} "usage" when two would arrive under one name, or one has
 * none; "local-io" when one is not there.
 */
export function namedRoots(paths: readonly string[]): Promise<SourceRoot[]> {
  return Promise.try(namedNow, paths);
}

/** Few files, and few bytes in all of them, as far as is seen at once. */
export function areLittle(roots: readonly SourceRoot[]): boolean {
  let bytes = roots.length > FEW ? Infinity : 0;
  try {
    for (const { local } of bytes > 0 ? [] : roots) {
      const { isFile, size } = Deno.lstatSync(local);
      bytes += isFile ? size : Infinity;
    }
  } catch {
    return false; // the walk says what is wrong
  }
  return bytes <= LITTLE_BYTES;
}

/** See {@linkcode areLittle}. */
const FEW = 8;
const LITTLE_BYTES = 64 * 1024;

/**
 * Finds the place of `local` with every link on the way resolved, but not the
 * last one: that may be what is sent.
 */
export function canonical(local: string): Promise<string> {
  return Promise.try(canonicalNow, local);
}

// Each call of the system takes 10 µs, and ten times that on another thread.

function namedNow(paths: readonly string[]): SourceRoot[] {
  const roots = new Map<string, { readonly root: SourceRoot; path: string }>();
  for (const path of paths) {
    const root = namedRoot(path);
    const other = roots.get(root.name);
    if (other !== undefined) {
      throw new SftpxError(
        "usage",
        `Cannot send ${quoted(path)} with ${
          quoted(other.path)
        }: both would arrive as ${quoted(root.name)}`,
      );
    }
    roots.set(root.name, { root, path });
  }
  return [...roots.values()].map(({ root }) => root);
}

function canonicalNow(local: string): string {
  const { parent, name } = split(local);
  if (name === undefined) {
    return Deno.realPathSync(local);
  }
  return localChild(Deno.realPathSync(parent), name);
}

function namedRoot(path: string): SourceRoot {
  if (path === "") {
    throw new SftpxError("usage", `Cannot send "": it is not a path`);
  }
  let local: string;
  try {
    local = canonicalNow(path);
    Deno.lstatSync(local);
  } catch (error) {
    throw ioError(`send ${quoted(path)}`, error);
  }
  const { name } = split(local);
  if (name === undefined) {
    throw new SftpxError(
      "usage",
      `Cannot send ${quoted(path)}: it has no name`,
    );
  }
  if (name === PARTIAL_FOLDER) {
    throw new SftpxError(
      "usage",
      `Cannot send ${quoted(path)}: it holds unfinished files of a receiver`,
    );
  }
  return { name, local };
}

/** Cuts off the last name; there is none after a slash, and in `.` and `..`. */
function split(local: string): { parent: string; name: string | undefined } {
  const at = Math.max(local.lastIndexOf("/"), local.lastIndexOf(SEPARATOR));
  const name = local.slice(at + 1);
  if (
    name === "" || name === "." || name === ".." || /^[A-Za-z]:$/.test(name)
  ) {
    return { parent: local, name: undefined };
  }
  return { parent: at < 0 ? "." : local.slice(0, at + 1), name };
}
