/**
 * What the sender finds on its disk.
 *
 * @module
 */

import type { SourceDisk } from "./source_disk.ts";

/** A file or folder to send, and the name that it arrives under. */
export interface SourceRoot {
  /** One path segment: what the receiver calls it. */
  readonly name: string;
  /** Where it is here. */
  readonly local: string;
}

/** What all that can be sent has. */
interface SourceItem {
  /** Name on the wire: '/'-separated, the root's name first. */
  readonly path: string;
  /** Where it is here: absolute, and without links unless `followed`. */
  readonly local: string;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  /** Time of the last change of content. `node:fs` gives whole milliseconds of it. */
  readonly mtimeNs: bigint;
  /** Time of the last change of anything. `node:fs` gives whole seconds of it. */
  readonly ctimeNs: bigint;
  readonly ino: bigint;
  readonly dev: bigint;
  /** True when a link on the way was followed, as asked. */
  readonly followed: boolean;
  /** Who found it, and is to look at it again. */
  readonly disk: SourceDisk;
}

/** A regular file. */
export interface SourceFileEntry extends SourceItem {
  readonly kind: "file";
  readonly size: number;
}

/** A folder; its content follows, then its `dir-end`. */
export interface SourceDirEntry extends SourceItem {
  readonly kind: "dir";
}

/** The end of a folder: the same facts as at its beginning. */
export interface SourceDirEndEntry extends SourceItem {
  readonly kind: "dir-end";
}

/** A symbolic link that is sent as one. */
export interface SourceLinkEntry extends SourceItem {
  readonly kind: "link";
  readonly target: string;
}

/** Something that cannot be sent, and why. Nothing else of it is told. */
export interface SourceErrorEntry {
  readonly kind: "error";
  readonly path: string;
  readonly reason: string;
}

/** One step of a walk. */
export type SourceEntry =
  | SourceFileEntry
  | SourceDirEntry
  | SourceDirEndEntry
  | SourceLinkEntry
  | SourceErrorEntry;

/** The separator of this machine's own paths. */
export const SEPARATOR = Deno.build.os === "windows" ? "\\" : "/";

/** Where the child `name` of the folder at `local` is. */
export function localChild(local: string, name: string): string {
  return local.endsWith(SEPARATOR) ? local + name : local + SEPARATOR + name;
}
