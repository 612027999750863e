/**
 * The sender's view of its disk.
 *
 * A walk tells everything below the roots, depth first. A folder comes before
 * its content, and its `dir-end` after it; names within a folder, and the
 * roots, come in the order of their UTF-8 bytes. So the whole is in one order,
 * which does not depend on the disk: that of the paths' UTF-8 bytes when '/' is
 * read as byte 0 and a `dir-end` as its path, a byte 0 and a byte 255.
 *
 * Only the names in the folders on the way from the root are in memory: what
 * they are is looked up a few at a time, just before it is told.
 *
 * What cannot be sent is told as an `error`, and the walk goes on: it fails only
 * when it is aborted. What has the name of the receiver's own folder of part
 * files, and what is given as `leaveOut`, is not told at all.
 *
 * @module
 */
import type { IgnoreOptions, IgnoreScope } from "./ignore.ts";
import { PLAIN_DISK, type SourceDisk } from "./source_disk.ts";
import {
  localChild,
  type SourceDirEntry,
  type SourceEntry,
  type SourceRoot,
} from "./source_entry.ts";
import { reasonOf } from "./source_error.ts";
import {
  identity,
  lookUp,
  lookUpNow,
  type StandingEntry,
  type Walker,
} from "./source_lookup.ts";
import { canonical } from "./source_roots.ts";
import { unsizedDevices } from "./unsized.ts";

export type {
  SourceDirEndEntry,
  SourceDirEntry,
  SourceEntry,
  SourceErrorEntry,
  SourceFileEntry,
  SourceLinkEntry,
  SourceRoot,
} from "./source_entry.ts";
export { openSourceDisk, PLAIN_DISK, type SourceDisk } from "./source_disk.ts";
export {
  openSource,
  readSmallNow,
  refreshed,
  type SourceFile,
  wasReplaced,
} from "./source_file.ts";
export { areLittle, namedRoots } from "./source_roots.ts";

/** What a walk can be told. */
export interface WalkOptions {
  /** Tells what links point to, not the links. @default {false} */
  readonly follow?: boolean;
  /** Patterns of what stays here, as .gitignore has them. @default {[]} */
  readonly exclude?: readonly string[];
  /** Name of the files in the tree that hold more such patterns. @default {none} */
  readonly ignoreFile?: string;
  /** Loads what knows such patterns; needed where there are any. */
  readonly ignore?: () => Promise<typeof import("./ignore.ts")>;
  /** Files and folders that stay here: our own state. @default {[]} */
  readonly leaveOut?: readonly string[];
  /** @default {PLAIN_DISK} */
  readonly disk?: SourceDisk;
  readonly signal?: AbortSignal;
}

/** As `walk()` of `walk.ts`, some entries at a time: an await for each costs more than the look at it. */
export async function* walkInSteps(
  roots: readonly SourceRoot[],
  options: WalkOptions = {},
): AsyncGenerator<readonly SourceEntry[], void, void> {
  const { exclude = [], signal } = options;
  const disk = options.disk ?? PLAIN_DISK;
  const walker = {
    follow: options.follow ?? false,
    leftOut: await identities(options.leaveOut ?? [], disk),
    disk,
    unsized: unsizedDevices(),
  };
  const stack: Folder[] = [{
    end: undefined,
    found: foundRoots(walker, roots, await scopeOf({ ...options, exclude })),
    ahead: [],
  }];
  let told: SourceEntry[] = [];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    signal?.throwIfAborted();
    const found = top.ahead.pop();
    if (found === undefined) {
      if (told.length > 0) yield told; // before the disk is asked again
      told = [];
      const { value: more } = await top.found.next();
      if (more !== undefined) {
        top.ahead = more.reverse();
        continue;
      }
      stack.pop();
      if (top.end !== undefined) told.push({ ...top.end, kind: "dir-end" });
    } else if (found.entry.kind !== "dir") {
      told.push(found.entry);
    } else {
      const { entry } = found;
      const opened = await openFolder(walker, entry, found.scope, stack);
      if (typeof opened === "string") {
        told.push({ kind: "error", path: entry.path, reason: opened });
      } else {
        stack.push(opened);
        told.push(entry);
      }
    }
  }
  if (told.length > 0) yield told;
}

/** Compares two names by their UTF-8 bytes. */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left !== right) {
      return byBytes(left) - byBytes(right);
    }
  }
  return a.length - b.length;
}

/** A folder on the way from the root to where the walk is. */
interface Folder {
  /** `undefined` for the place in which the roots are. */
  readonly end: SourceDirEntry | undefined;
  readonly found: AsyncGenerator<Found[], void, void>;
  /** Found and not told yet, the next one last. */
  ahead: Found[];
}

/** One thing in a folder, and the patterns that hold there. */
interface Found {
  readonly entry: StandingEntry;
  readonly scope: IgnoreScope;
}

/** Without patterns nothing stays here. */
const EVERYTHING: IgnoreScope = {
  ignores: () => false,
  enter: () => Promise.resolve(EVERYTHING),
};

/** What knows patterns takes 20 ms to load. */
async function scopeOf(
  options: IgnoreOptions & Pick<WalkOptions, "ignore">,
): Promise<IgnoreScope> {
  if (options.exclude.length === 0 && options.ignoreFile === undefined) {
    return EVERYTHING;
  }
  if (options.ignore === undefined) {
    throw new TypeError("Cannot leave out by patterns: nobody knows them");
  }
  const { rootScope } = await options.ignore();
  return rootScope(options);
}

/** Looked up at once: enough to keep the disk busy, few enough to be fresh. */
const AHEAD = 32;

/** Surrogates stand for code points above U+FFFF, but below U+E000 in UTF-16. */
function byBytes(unit: number): number {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

async function* foundRoots(
  walker: Walker,
  roots: readonly SourceRoot[],
  scope: IgnoreScope,
): AsyncGenerator<Found[], void, void> {
  for (const root of roots.toSorted((a, b) => compareNames(a.name, b.name))) {
    const { name } = root;
    const local = await canonical(root.local).catch(() => root.local);
    const wanted = { name, path: name, local, followed: false };
    const entry = await lookUp(walker, wanted, scope);
    if (entry !== undefined) {
      yield [{ entry, scope }];
    }
  }
}

/** Lists a folder; the answer is a reason when that cannot be. */
async function openFolder(
  walker: Walker,
  entry: SourceDirEntry,
  scope: IgnoreScope,
  above: readonly Folder[],
): Promise<Folder | string> {
  const isLoop = above.some(({ end }) =>
    end !== undefined && end.dev === entry.dev && end.ino === entry.ino
  );
  if (entry.followed && isLoop) {
    return "its links go in a circle";
  }
  try {
    const names = (!entry.followed && entry.disk.namesNow?.(entry.local)) ||
      await namesIn(entry.local);
    const name = entry.path.slice(entry.path.lastIndexOf("/") + 1);
    const inside = await scope.enter(name, entry.local);
    // The names are only told if they are those of the folder that was found.
    const now = await entry.disk.look(entry.local, entry.followed);
    const isSame = now.isDirectory() && now.ino === entry.ino &&
      now.dev === entry.dev;
    if (!isSame) {
      return "it was replaced while it was read";
    }
    const found = foundIn(walker, entry, names, inside);
    return { end: entry, found, ahead: [] };
  } catch (error) {
    return reasonOf(error);
  }
}

/** The system's own list; that of `node:fs` takes four times the memory. */
async function namesIn(local: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(local)) {
    names.push(name);
  }
  return names;
}

async function* foundIn(
  walker: Walker,
  folder: SourceDirEntry,
  names: string[],
  scope: IgnoreScope,
): AsyncGenerator<Found[], void, void> {
  names.sort(compareNames);
  const { followed } = folder;
  for (let from = 0; from < names.length; from += AHEAD) {
    const ahead: ReturnType<typeof lookUpNow | typeof lookUp>[] = [];
    const end = Math.min(from + AHEAD, names.length);
    for (let at = from; at < end; at++) {
      const name = names[at] ?? "";
      const wanted = {
        name,
        path: `${folder.path}/${name}`,
        local: localChild(folder.local, name),
        followed,
      };
      const isTwice = names[at - 1] === name;
      ahead.push(
        !isTwice && lookUpNow(walker, wanted, scope) ||
          lookUp(walker, wanted, scope, isTwice),
      );
    }
    const found: Found[] = [];
    for (const entry of ahead) {
      const known = entry instanceof Promise ? await entry : entry;
      if (known !== undefined) found.push({ entry: known, scope });
    }
    if (found.length > 0) yield found;
  }
}

async function identities(
  locals: readonly string[],
  disk: SourceDisk,
): Promise<ReadonlySet<string>> {
  const found = await Promise.allSettled(
    locals.map(async (local) => disk.look(await Deno.realPath(local), false)),
  );
  return new Set(
    found.flatMap((it) =>
      it.status === "fulfilled" ? [identity(it.value)] : []
    ),
  );
}
