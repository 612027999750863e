/**
 * What is remembered of a file that is in place.
 *
 * @module
 */
import type { FileEntry } from "../protocol/entry.ts";
import type { DoneRecord } from "./journal.ts";
import type { SafePath } from "./paths.ts";
import type { LocalStamp } from "./root.ts";

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
