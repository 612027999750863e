/**
 * How a file that came in gets its name, or leaves what is there alone.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { FileEntry } from "../protocol/entry.ts";
import type { IncomingOptions, Placement } from "./incoming.ts";
import { errorCode } from "./io_error.ts";
import type { DoneRecord } from "./journal.ts";
import { numberedPath, quoted, type SafePath } from "./paths.ts";
import type { LocalStamp, PartFile, PartialDir } from "./root.ts";
import type { VaultDeps } from "./vault.ts";

/** Names that are tried when one is taken. */
const MAX_NUMBER = 9999;

/** What the journal is to know of a file that is in place. */
export function doneRecord(
  entry: FileEntry,
  path: SafePath,
  finalPath: SafePath,
  digest: Uint8Array,
  { size, mtimeNs, ctimeNs, ino }: LocalStamp,
): DoneRecord {
  return {
    path,
    size: entry.size,
    mtimeNs: entry.mtimeNs,
    digest,
    finalPath,
    local: { size, mtimeNs, ctimeNs, ino },
  };
}

/** Makes an empty part; one that is there is nobody's. */
export async function makePart(
  partial: PartialDir,
  slot: number,
): Promise<PartFile> {
  try {
    return await partial.create(slot);
  } catch (error) {
    const cause = error instanceof SftpxError ? error.cause : undefined;
    if (errorCode(cause) !== "EEXIST") throw error;
    await partial.remove(slot);
    return await partial.create(slot);
  }
}

/** Leaves in place what is the same. It gets the new time and mode if it is ours, or its owner wants it so. */
export async function keepInPlace(
  deps: VaultDeps,
  { entry, path, slot, found, replaces }: IncomingOptions,
): Promise<Placement> {
  const finalPath = found?.kind === "file" ? found.path : path;
  if (deps.onConflict === "overwrite" || replaces !== undefined) {
    await deps.root.setMeta(finalPath, entry);
  }
  await deps.partial.remove(slot);
  return { finalPath, skipped: true };
}

export async function commitPart(
  { root, partial, onConflict }: VaultDeps,
  { path, slot, replaces }: IncomingOptions,
): Promise<Placement> {
  if (replaces !== undefined || onConflict === "overwrite") {
    const finalPath = replaces ?? path;
    if (await root.commit(partial, slot, finalPath, { replace: true })) {
      return { finalPath, skipped: false };
    }
    // A folder is in the way.
  } else if (await root.commit(partial, slot, path, { replace: false })) {
    return { finalPath: path, skipped: false };
  }
  if (onConflict === "rename") {
    for (let number = 1; number <= MAX_NUMBER; number++) {
      const finalPath = numberedPath(path, number);
      if (await root.commit(partial, slot, finalPath, { replace: false })) {
        return { finalPath, skipped: false };
      }
    }
  }
  throw taken(path);
}

/** A file that somebody thinks is whole, and is not. */
export function incomplete(path: SafePath): SftpxError {
  return new SftpxError(
    "internal",
    `Cannot finish ${quoted(path)}: chunks of it are missing`,
  );
}

/** The failure of a name that is taken. */
export function taken(path: SafePath): SftpxError {
  return new SftpxError(
    "local-io",
    `Cannot receive ${quoted(path)}: something of that name is there already`,
  );
}
