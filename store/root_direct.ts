/**
 * Writing past the system's cache of files.
 *
 * What a large file brings is written once and not read again. To keep it in
 * the cache costs the processor a copy and the disk a second thought: on the
 * machine of docs/performance.md 0.4 to 1.2 s of processor time a GiB against
 * 0.1 s, and 0.4 s of waiting when it is synced. So whole blocks of a large
 * file go to the disk at once, from where the network put them, on another
 * thread; the odd end of it takes the usual way.
 *
 * It is done where the file system says that it can, and what it asks of
 * addresses. ext4 and xfs do; of others we do not ask.
 *
 * @module
 */
import { closeSync, constants, openSync } from "node:fs";
import { addressOf } from "./large_pages.ts";
import type { Native } from "./root_native.ts";

/** A file that is open a second time, for whole blocks. */
export interface DirectFile {
  /** Its descriptor, and what addresses, lengths and positions must be multiples of. */
  readonly fd: number;
  readonly align: number;
  /** True when these bytes can be written there so. */
  fits(bytes: Uint8Array, position: number): boolean;
  /**
   * Writes on another thread; `bytes` must be left alone until it is done.
   *
   * @returns How many bytes were written, or -1: then write them as usual.
   */
  write(bytes: Uint8Array, position: number): Promise<number>;
  /** Closes it, and not the file that it was made from. */
  close(): void;
}

/** Opens a file that is open for writing once more; `undefined` where that is of no use. */
export function openDirect(
  native: Native | undefined,
  file: number,
): DirectFile | undefined {
  const align = native?.directAlign(file) ?? 0;
  if (native === undefined || align === 0 || align > PAGE_BYTES) {
    return undefined;
  }
  let fd: number;
  try {
    fd = openSync(`/proc/self/fd/${file}`, DIRECT);
  } catch {
    return undefined;
  }
  return {
    fd,
    align,
    fits: (bytes, position) => isAligned(bytes, position, align),
    write: (bytes, position) => native.write(fd, bytes, position),
    close: () => closeSync(fd),
  };
}

/** Tells whether a direct write that asks for `align` can write these bytes there. */
export function isAligned(
  bytes: Uint8Array,
  position: number,
  align: number,
): boolean {
  return bytes.length > 0 && bytes.length % align === 0 &&
    position % align === 0 && addressOf(bytes) % align === 0;
}

/**
 * Makes room for `length` bytes of which the one at `at` lies where a direct
 * write can begin.
 */
export function alignedRoom(
  length: number,
  at: number,
): Uint8Array<ArrayBuffer> {
  const room = new Uint8Array(length + PAGE_BYTES);
  let start: number;
  try {
    start = (PAGE_BYTES - (addressOf(room) + at) % PAGE_BYTES) % PAGE_BYTES;
  } catch {
    start = 0; // we may not look at addresses, nor write directly then
  }
  return room.subarray(start, start + length);
}

/** No file system asks for more. */
const PAGE_BYTES = 4096;

/** `O_DIRECT`; no such open makes a file or cuts one. */
const DIRECT = constants.O_WRONLY | (constants.O_DIRECT ?? 0);
