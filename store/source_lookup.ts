/**
 * What stands under one name on the sender's disk.
 *
 * @module
 */
import { S_IFMT, S_IFREG } from "./file_modes.ts";
import type { IgnoreScope } from "./ignore.ts";
import { MAX_PATH_BYTES, PARTIAL_FOLDER, quoted, safePath } from "./paths.ts";
import type { Facts, SourceDisk } from "./source_disk.ts";
import type { SourceEntry } from "./source_entry.ts";
import { reasonOf } from "./source_error.ts";

/** What can be found under a name. */
export type StandingEntry = Exclude<SourceEntry, { readonly kind: "dir-end" }>;

/** What holds for the whole walk. */
export interface Walker {
  readonly follow: boolean;
  readonly leftOut: ReadonlySet<string>;
  readonly disk: SourceDisk;
  /** Devices whose files may have content and no size. */
  readonly unsized: () => ReadonlySet<bigint>;
}

/** A name to look up. */
export interface Wanted {
  readonly name: string;
  readonly path: string;
  readonly local: string;
  readonly followed: boolean;
}

/** Says what stands under a name; `undefined` when it stays here. */
export async function lookUp(
  walker: Walker,
  wanted: Wanted,
  scope: IgnoreScope,
  twice = false,
): Promise<StandingEntry | undefined> {
  const { name, path, local } = wanted;
  const error = (reason: string) => ({ kind: "error", path, reason } as const);
  if (name === PARTIAL_FOLDER) {
    return undefined;
  }
  if (twice) { // two names decoded to one: only one of them can be this text
    return error("its name is not valid UTF-8");
  }
  try {
    const own = await walker.disk.look(local, false);
    const follow = walker.follow && own.isSymbolicLink();
    if (follow && scope.ignores(name, false)) {
      return undefined;
    }
    const followed = wanted.followed || follow;
    const facts = followed ? await walker.disk.look(local, true) : own;
    if (
      scope.ignores(name, facts.isDirectory()) ||
      walker.leftOut.has(identity(facts))
    ) {
      return undefined;
    }
    const refused = whyRefused(path);
    if (refused !== undefined) {
      return error(refused);
    }
    return await described(
      { ...wanted, followed },
      walker,
      facts,
    );
  } catch (cause) {
    if (scope.ignores(name, false)) {
      return undefined; // it may have gone: who writes such files renames them
    }
    return error(
      name.includes(REPLACEMENT)
        ? "its name is not valid UTF-8"
        : reasonOf(cause),
    );
  }
}

/** As `lookUp()`, at once, for a file that can be sent; `undefined` for all else. */
export function lookUpNow(
  { disk, leftOut, unsized }: Walker,
  { name, path, local, followed }: Wanted,
  scope: IgnoreScope,
): StandingEntry | undefined {
  if (followed || name === PARTIAL_FOLDER) return undefined;
  const found = disk.lookNow?.(local);
  if (found === undefined || (found.mode & S_IFMT) !== S_IFREG) {
    return undefined;
  }
  const { mtimeNs, ctimeNs, ino, dev, size } = found;
  if (size === 0n && unsized().has(dev)) return undefined;
  if (scope.ignores(name, false)) return undefined;
  if (leftOut.size > 0 && leftOut.has(identity(found))) return undefined;
  if (whyRefused(path) !== undefined) return undefined;
  return {
    kind: "file",
    path,
    local,
    mode: found.mode & 0o7777,
    mtimeNs,
    ctimeNs,
    ino,
    dev,
    disk,
    followed,
    size: Number(size),
  };
}

/** What makes a file the same under another name. */
export function identity({ dev, ino }: Pick<Facts, "dev" | "ino">): string {
  return `${dev}:${ino}`;
}

/** What a name that is not UTF-8 is decoded to, in part. */
const REPLACEMENT = "\ufffd";

const UTF8 = new TextEncoder();

/** No receiver takes such a name, so it is not offered. */
function whyRefused(path: string): string | undefined {
  try {
    safePath(path);
    return undefined;
  } catch (error) {
    const what = `Cannot use the name ${quoted(path)}: `;
    return reasonOf(error).replace(what, "");
  }
}

async function described(
  { path, local, followed }: Wanted,
  walker: Walker,
  facts: Facts,
): Promise<StandingEntry> {
  const { disk } = walker;
  const { mtimeNs, ctimeNs, ino, dev } = facts;
  const mode = Number(facts.mode & 0o7777n);
  const times = { mtimeNs, ctimeNs };
  const item = { path, local, mode, ...times, ino, dev, followed, disk };
  if (facts.isFile()) {
    const mayHaveContent = facts.size === 0n && walker.unsized().has(dev);
    if (mayHaveContent && await hasContent(disk, local, followed)) {
      const reason = "it has content, but the system tells no size of it";
      return { kind: "error", path, reason };
    }
    return { kind: "file", ...item, size: Number(facts.size) };
  }
  if (facts.isDirectory()) {
    return { kind: "dir", ...item };
  }
  if (!facts.isSymbolicLink()) {
    return { kind: "error", path, reason: `it is ${special(facts)}` };
  }
  const { readlink } = await import("node:fs/promises"); // it decodes any name
  const target = await readlink(local);
  if (target.includes(REPLACEMENT)) {
    return { kind: "error", path, reason: "its target is not valid UTF-8" };
  }
  if (UTF8.encode(target).length > MAX_PATH_BYTES) {
    return { kind: "error", path, reason: "its target is too long" };
  }
  return { kind: "link", ...item, target };
}

/** Makes sure that a file that is told to be empty is. */
async function hasContent(
  disk: SourceDisk,
  local: string,
  followed: boolean,
): Promise<boolean> {
  const file = await disk.open(local, followed);
  try {
    const first = await file.read(new Uint8Array(1), 0);
    return first > 0 && (await file.stat()).size === 0n; // else it grew just now
  } finally {
    await file.close();
  }
}

function special(facts: Facts): string {
  if (facts.isFIFO()) {
    return "a pipe";
  }
  return facts.isSocket() ? "a socket" : "a device";
}
