/**
 * What stands at a place on disk, and the modes and times we give it.
 *
 * Paths here are places that `root_dirs.ts` made, never names from a peer.
 *
 * @module
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  futimesSync,
  lstatSync,
  lutimesSync,
  openSync,
  type Stats,
} from "node:fs";
import type { Native, NativeStat } from "./root_native.ts";

/** What is at a place; two that are equal mean that nobody changed it. */
export interface LocalStamp {
  /** What it is; a link is never looked through. */
  readonly kind: "file" | "dir" | "link" | "other";
  /** In bytes. */
  readonly size: number;
  /** Permission bits with setuid, setgid and sticky: at most 0o7777. */
  readonly mode: number;
  /** To the nanosecond, or to the millisecond where the system tells no more. */
  readonly mtimeNs: bigint;
  /** As `mtimeNs`; some systems tell no more than the second. */
  readonly ctimeNs: bigint;
  /** Its number on that file system. */
  readonly ino: bigint;
  /** Which file system it is on. */
  readonly dev: bigint;
}

/** What a received entry shall have. */
export interface EntryMeta {
  /** Permission bits; of these only 0o777 are taken. */
  readonly mode: number;
  /** When its content changed, in nanoseconds since 1970. */
  readonly mtimeNs: bigint;
}

/** Whether two times are the same as far as the coarser of them tells. */
export function sameMtime(one: bigint, other: bigint): boolean {
  if (one === other) {
    return true;
  }
  const coarse = one % MS === 0n || other % MS === 0n;
  return coarse && floorMs(one) === floorMs(other);
}

/** Looks at a place, without following a link; `undefined` if there is nothing. */
export function stampAt(
  native: Native | undefined,
  place: string,
): LocalStamp | undefined {
  const quick = native?.stat(place);
  if (quick === "missing") return undefined;
  if (quick !== undefined) return stampOf(quick);
  const facts = lstatSync(place, { bigint: true, throwIfNoEntry: false });
  if (facts === undefined) {
    return undefined;
  }
  const { mtimeNs, ctimeNs, ino, dev } = facts;
  const size = Number(facts.size);
  return { ...modeParts(Number(facts.mode)), size, mtimeNs, ctimeNs, ino, dev };
}

/** What the C library says of a thing, as a stamp. */
export function stampOf(found: NativeStat): LocalStamp {
  const { mode, size, ino, dev, mtimeNs, ctimeNs } = found;
  return { ...modeParts(mode), size: Number(size), mtimeNs, ctimeNs, ino, dev };
}

/** Gives an open file its mode and time. */
export function setOpenMeta(
  native: Native | undefined,
  fd: number,
  meta: EntryMeta,
): void {
  fchmodSync(fd, meta.mode & MODE_TAKEN);
  if (native?.setOpenTime(fd, meta.mtimeNs) === true) {
    return;
  }
  const time = dateOf(meta.mtimeNs);
  if (Deno.build.os === "linux") {
    Deno.utimeSync(`/proc/self/fd/${fd}`, time, time);
  } else {
    const seconds = Math.max(0, time.getTime() / 1000); // less means now, there
    futimesSync(fd, seconds, seconds);
  }
}

/**
 * Gives what is at a place its mode and time: the thing itself, not what a link
 * leads to. A link has no mode of its own.
 *
 * With `byDescriptor` the thing is held while it is changed. Without, it could
 * be swapped for a link between the look and the change.
 */
export function setMetaAt(
  native: Native | undefined,
  place: string,
  meta: EntryMeta,
  byDescriptor: boolean,
): void {
  if (!byDescriptor) {
    setMetaOf(native, lstatSync(place), place, place, meta);
    return;
  }
  const fd = openSync(place, O_PATH | constants.O_NOFOLLOW);
  try {
    setMetaOf(native, fstatSync(fd), place, `/proc/self/fd/${fd}`, meta);
  } finally {
    closeSync(fd);
  }
}

/** Setuid, setgid and sticky bits of a peer are never taken. */
const MODE_TAKEN = 0o777;

/** Opens the thing as such, readable or not; `node:fs` has no name for it. */
const O_PATH = 0o10000000;

const MS = 1_000_000n;

function setMetaOf(
  native: Native | undefined,
  facts: Stats,
  place: string,
  held: string,
  meta: EntryMeta,
): void {
  if (facts.isFile() || facts.isDirectory()) {
    chmodSync(held, meta.mode & MODE_TAKEN);
  }
  if (native?.setTime(place, meta.mtimeNs) === true) {
    return;
  }
  const time = dateOf(meta.mtimeNs);
  if (facts.isSymbolicLink()) {
    const past = time.getTime() < 0; // would mean now
    lutimesSync(place, past ? new Date(0) : time, past ? new Date(0) : time);
  } else {
    Deno.utimeSync(held, time, time);
  }
}

function modeParts(bits: number): Pick<LocalStamp, "kind" | "mode"> {
  const kind = KINDS.get(bits & constants.S_IFMT) ?? "other";
  return { kind, mode: bits & 0o7777 };
}

const KINDS: ReadonlyMap<number, LocalStamp["kind"]> = new Map([
  [constants.S_IFREG, "file"],
  [constants.S_IFDIR, "dir"],
  [constants.S_IFLNK, "link"],
]);

function dateOf(ns: bigint): Date {
  return new Date(Number(floorMs(ns)));
}

/** Whole milliseconds, rounded down before 1970 as well. */
function floorMs(ns: bigint): bigint {
  const cut = ns / MS;
  return cut * MS > ns ? cut - 1n : cut;
}
