/**
 * What a receiver decides about the files that are coming in.
 *
 * A large file is written to a part that the journal knows, so that it can go
 * on in a later run; a file of one chunk costs less to send again than to
 * remember. Whatever was there before, a part or a file of that name, is read
 * and hashed before it counts for anything, but for one thing: a file that we
 * put there, that nobody has touched since, and whose source says that it has
 * not changed either.
 *
 * @module
 */
import { renameSync } from "node:fs";
import { chunkCount, type FileEntry } from "../protocol/entry.ts";
import { type RangeSet, rangeSet } from "../protocol/ranges.ts";
import { type Incoming, incoming } from "./incoming.ts";
import { taken } from "./incoming_place.ts";
import { smallIncoming } from "./incoming_small.ts";
import { attempt } from "./io_error.ts";
import type { DoneRecord, Journal } from "./journal.ts";
import { createNests } from "./nests.ts";
import { parentOf, type SafePath, safePath } from "./paths.ts";
import type { LocalStamp, PartialDir, Root } from "./root.ts";

/** What to do with a name that is taken by other content. */
export type Conflict = "rename" | "skip" | "overwrite" | "fail";

/** What a vault needs. */
export interface VaultDeps {
  readonly root: Root;
  readonly partial: PartialDir;
  readonly journal: Journal;
  /** BLAKE3 of bytes; their buffer may move, so they come back. */
  readonly digest: (
    bytes: Uint8Array<ArrayBuffer>,
  ) => Promise<
    { readonly digest: Uint8Array; readonly bytes: Uint8Array<ArrayBuffer> }
  >;
  readonly onConflict: Conflict;
  /** Compares by content what looks unchanged. */
  readonly checksum: boolean;
  /** Takes disk space, or throws `local-io` when there is too little. */
  readonly reserve: (bytes: number) => Promise<void>;
  /** As `reserve()`, at once; false when that must be called. */
  readonly reserveNow?: (bytes: number) => boolean;
  readonly release: (bytes: number) => void;
}

/** What is decided about a file. */
export type Admission =
  /** It is in place. */
  | {
    readonly kind: "have";
    readonly digest: Uint8Array;
    readonly finalPath: string;
  }
  | { readonly kind: "want"; readonly file: Incoming }
  /** Chunks below `chunks` may be here: compare them. */
  | {
    readonly kind: "compare";
    readonly file: Incoming;
    readonly chunks: number;
  };

/** Decides about files. */
export interface Vault {
  /**
   * Decides what is to be had of a file.
   *
   * @param prior The same entry as it was announced before it changed.
   * @throws {SftpxError} `local-io` when it cannot be taken.
   */
  admit(
    entry: FileEntry,
    path: SafePath,
    prior?: Incoming,
  ): Promise<Admission>;
  /**
   * Takes a small file that can only be wanted, at once; `undefined` for any
   * other, which is `admit()`'s to judge.
   */
  admitNow(entry: FileEntry, path: SafePath): Incoming | undefined;
  /**
   * Says, at once, that a file is in place: one of ours, untouched since, whose
   * source has not changed either. No content is read for that.
   */
  haveNow(
    entry: FileEntry,
    path: SafePath,
  ): Extract<Admission, { kind: "have" }> | undefined;
  /** Says that a folder is complete. */
  endDir(path: SafePath): void;
  /** Lets go of what it holds, once nothing is written any more. */
  close(): void;
}

/** Slots from here on are of files that the journal does not know. */
const TRANSIENT_SLOTS = 2 ** 40;
/** Of what no checkpoint named, this much is read: more was never without one, bytes. */
const UNSAVED_BYTES = 512 * 1024 * 1024;

/** Creates a vault. */
export function createVault(deps: VaultDeps): Vault {
  const { root, partial, journal } = deps;
  const nests = createNests(root, partial);
  let transient = TRANSIENT_SLOTS;

  /**
   * What a part may hold: the chunks that are known of, and those that a killed
   * process had written since its last checkpoint. None when the part is gone.
   */
  const heldBy = async (
    slot: number,
    known: Incoming["written"],
    { size, chunkSize }: FileEntry,
  ): Promise<RangeSet> => {
    const part = await partial.open(slot);
    if (part === undefined) return rangeSet();
    try {
      const end = Math.ceil(Math.min(await part.size(), size) / chunkSize);
      const held = known.clone();
      let left = Math.floor(UNSAVED_BYTES / chunkSize);
      for (const { start, end: stop } of known.missing(end)) {
        const count = Math.min(left, stop - start);
        if (count > 0) held.add(start, start + count);
        left -= count;
      }
      return held;
    } finally {
      part.close();
    }
  };

  /** The part of a file: its own, one under a new stamp, or a new one. */
  const partOf = async (
    entry: FileEntry,
    path: SafePath,
    prior: Incoming | undefined,
  ): Promise<
    { slot: number; claimed: Incoming["written"] | undefined }
  > => {
    const old = journal.partFor(path);
    const stamp = {
      path,
      size: entry.size,
      mtimeNs: entry.mtimeNs,
      chunkSize: entry.chunkSize,
    };
    if (old === undefined) {
      return { slot: journal.begin(stamp), claimed: undefined };
    }
    if (old.chunkSize !== entry.chunkSize) {
      await partial.remove(old.slot);
      return { slot: journal.begin(stamp), claimed: undefined };
    }
    const named = prior === undefined
      ? old.chunks
      : prior.written.union(old.chunks);
    const claimed = await heldBy(old.slot, named, entry);
    if (old.size === entry.size && old.mtimeNs === entry.mtimeNs) {
      return { slot: old.slot, claimed };
    }
    const slot = journal.begin(stamp);
    await attempt(() => "keep a part", () => {
      renameSync(partial.placeOf(old.slot), partial.placeOf(slot));
    }).catch(() => {}); // nothing was written to it yet
    return { slot, claimed };
  };

  return {
    admitNow(entry, path) {
      const folder = parentOf(path);
      if (chunkCount(entry) !== 1 || folder === "" || !root.isFresh(folder)) {
        return undefined;
      }
      if (deps.reserveNow?.(entry.size) !== true) return undefined;
      const nest = nests.of(folder);
      return smallIncoming(deps, entry, path, transient++, nest);
    },
    endDir(path) {
      root.endDir(path);
      if (!nests.ended(path)) root.forgetDir(path);
    },
    close: nests.close,
    haveNow(entry, path) {
      if (deps.checksum) return undefined;
      const done = journal.doneNow(path);
      if (
        done === undefined || done.size !== entry.size ||
        done.mtimeNs !== entry.mtimeNs
      ) return undefined;
      const { digest, finalPath, local } = done;
      const placed = root.lstatNow(safePath(finalPath));
      return placed !== undefined && isUntouched(placed, local) &&
          placed.mode === (entry.mode & 0o777)
        ? { kind: "have", digest, finalPath }
        : undefined;
    },
    async admit(entry, path, prior) {
      prior?.close();
      await prior?.settled(); // what it writes is of another version
      const done = await journal.doneFor(path);
      const finalPath = done && safePath(done.finalPath);
      const placed = finalPath && await root.lstat(finalPath);
      const isOurs = done !== undefined && placed !== undefined &&
        isUntouched(placed, done.local);
      if (
        isOurs && !deps.checksum && done.size === entry.size &&
        done.mtimeNs === entry.mtimeNs
      ) {
        if (placed.mode !== (entry.mode & 0o777)) {
          await refreshMeta(deps, done, finalPath ?? path, entry);
        }
        const { digest } = done;
        return { kind: "have", digest, finalPath: done.finalPath };
      }
      const at = isOurs && finalPath !== undefined ? finalPath : path;
      const there = isOurs ? placed : await root.lstat(path);
      const chunks = chunkCount(entry);
      const isSameSize = there?.kind === "file" && there.size === entry.size;
      const mayReplace = isOurs || deps.onConflict === "overwrite";
      const refuses = deps.onConflict === "skip" || deps.onConflict === "fail";
      if (there !== undefined && !mayReplace && !isSameSize && refuses) {
        throw taken(path);
      }
      const isKept = chunks > 1;
      const { slot, claimed } = isKept
        ? await partOf(entry, path, prior)
        : { slot: transient++, claimed: undefined };
      if (!isKept && prior !== undefined) await prior.discard();
      const found = claimed !== undefined && claimed.count > 0
        ? { kind: "part", chunks: claimed } as const
        : there?.kind === "file" && (isSameSize || mayReplace)
        ? { kind: "file", path: at, size: there.size } as const
        : undefined;
      const held = (claimed?.count ?? 0) * entry.chunkSize;
      const reserved = Math.max(0, entry.size - held);
      try {
        await deps.reserve(reserved);
      } catch (error) {
        // A file that cannot come leaves nothing in the journal.
        if (isKept && claimed === undefined) journal.drop(slot);
        throw error;
      }
      const file = incoming(deps, {
        entry,
        path,
        slot,
        isKept,
        found,
        reserved,
        replaces: isOurs ? at : undefined,
      });
      if (found === undefined || chunks === 0) return { kind: "want", file };
      const reach = found.kind === "file"
        ? Math.ceil(found.size / entry.chunkSize)
        : lastOf(found.chunks) + 1;
      return { kind: "compare", file, chunks: Math.min(chunks, reach) };
    },
  };
}

/** True when a file is just as we left it. */
function isUntouched(now: LocalStamp, then: DoneRecord["local"]): boolean {
  return now.kind === "file" && now.size === then.size &&
    now.mtimeNs === then.mtimeNs && now.ctimeNs === then.ctimeNs &&
    now.ino === then.ino;
}

/** Gives a file that is in place its new mode, and remembers it as it is then. */
async function refreshMeta(
  { root, journal }: VaultDeps,
  done: DoneRecord,
  finalPath: SafePath,
  entry: FileEntry,
): Promise<void> {
  await root.setMeta(finalPath, entry);
  const stamp = await root.lstat(finalPath);
  if (stamp === undefined) return;
  const { size, mtimeNs, ctimeNs, ino } = stamp;
  journal.done({ ...done, local: { size, mtimeNs, ctimeNs, ino } });
}

function lastOf(set: Incoming["written"]): number {
  let last = -1;
  for (const { end } of set.ranges()) last = end - 1;
  return last;
}
