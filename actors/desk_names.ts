/**
 * Names of open entries at the receiver's desk: each is looked at before it
 * becomes a path, and no two entries that are open have the same.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { isHidden, quoted, type SafePath, safePath } from "../store/paths.ts";
import type { Item } from "./desk_item.ts";

/** The names that open entries have. */
export interface DeskNames {
  /**
   * The path of an entry, which is its own until it is freed.
   *
   * @throws {SftpxError} `protocol` or `unauthorized` when it may not have it.
   */
  take(item: Item): SafePath;
  /** Lets others have the path of an entry that is final. */
  free(item: Item): void;
}

/** Creates the names of a run of which nothing is open. */
export function deskNames(portable: boolean, allowHidden: boolean): DeskNames {
  const paths = new Map<SafePath, number>();
  return {
    take({ index, entry }) {
      const path = safePath(entry.path, { portable });
      if (isHidden(path) && !allowHidden) {
        throw new SftpxError(
          "unauthorized",
          `Cannot receive ${quoted(path)}: this receiver takes no hidden names`,
        );
      }
      if (entry.kind === "dir-end") return path;
      const other = paths.get(path);
      if (other !== undefined && other !== index) {
        throw new SftpxError(
          "protocol",
          `Cannot receive ${quoted(path)}: it was announced twice`,
        );
      }
      paths.set(path, index);
      return path;
    },
    free({ index, path }) {
      if (path !== undefined && paths.get(path) === index) paths.delete(path);
    },
  };
}
