/**
 * What `node:fs` of Deno 2.9 cannot do, asked of the C library of Linux.
 *
 * - `lstat` there knows times of change to the millisecond, and of the inode to
 *   the second; `futimes` takes floating point, and no time before 1970.
 * - `fs.write` with a callback writes before it returns: 128 MiB held the thread
 *   for 40 to 300 ms. `pwrite` here runs on another thread.
 * - `rename` always replaces; `syncfs` is not there.
 *
 * - An open that follows no link anywhere on the way, and a read that does not
 *   wait for the disk, are not there either.
 *
 * All of it is optional: without the library, or without the permission to call
 * it, `openNative()` gives `undefined`, and callers do the next best.
 *
 * @module
 */

import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  cString,
  type NativeReader,
  type NativeStat,
  newPath,
  NO_NAME,
  READ_SYMBOLS,
  readerOf,
} from "./native_read.ts";
import { fillTimes, newTimes } from "./root_times.ts";

export type { NativeStat };

/**
 * The calls. They do not tell why they failed, but that a name is missing: to
 * learn more, callers ask `node:fs` once more, which throws what it finds.
 */
export interface Native extends NativeReader {
  /** Sets the time of change of a name, links not followed. */
  setTime(path: string, mtimeNs: bigint): boolean;
  /** Sets the time of change of an open file. */
  setOpenTime(fd: number, mtimeNs: bigint): boolean;
  /** Renames unless something of the new name is there. */
  renameNew(from: string, to: string): boolean;
  /**
   * Writes on another thread; `bytes` must be left alone until it is done.
   *
   * @returns How many bytes were written, or -1.
   */
  write(fd: number, bytes: Uint8Array, position: number): Promise<number>;
  /** As `write()`, on this thread. */
  writeNow(fd: number, bytes: Uint8Array, position: number): number;
  /**
   * What addresses, lengths and positions of writes past the cache must be
   * multiples of; 0 where there are no such writes.
   */
  directAlign(fd: number): number;
  /** Syncs the whole file system that `fd` is on, on another thread. */
  syncFileSystem(fd: number): Promise<boolean>;
}

/** Opens the C library, where it is one we know. */
export function openNative(): Native | undefined {
  if (Deno.build.os !== "linux") {
    return undefined;
  }
  let library: Deno.DynamicLibrary<typeof SYMBOLS>;
  try {
    library = Deno.dlopen("libc.so.6", SYMBOLS);
  } catch {
    return undefined; // another C library, an old one, or no permission
  }
  const { symbols } = library;
  const reader = readerOf({ symbols, close: () => library.close() });
  const facts = new BigInt64Array(32); // struct statx is 256 bytes
  const view = new DataView(facts.buffer);
  const times = newTimes();
  const path = newPath();
  return {
    ...reader,
    setTime(name, mtimeNs) {
      fillTimes(times, mtimeNs);
      return symbols.utimensat(
        AT_FDCWD,
        path(name),
        times,
        AT_SYMLINK_NOFOLLOW,
      ) === 0;
    },
    setOpenTime(fd, mtimeNs) {
      fillTimes(times, mtimeNs);
      return symbols.futimens(fd, times) === 0;
    },
    renameNew(from, to) {
      return symbols.renameat2(
        AT_FDCWD,
        cString(from),
        AT_FDCWD,
        cString(to),
        RENAME_NOREPLACE,
      ) === 0;
    },
    async write(fd, bytes, position) {
      const length = BigInt(bytes.byteLength);
      const written = await symbols.pwrite(
        fd,
        bytes as Uint8Array<ArrayBuffer>,
        length,
        BigInt(position),
      );
      return Number(written);
    },
    writeNow: (fd, bytes, position) =>
      Number(
        symbols.pwriteNow(
          fd,
          bytes as Uint8Array<ArrayBuffer>,
          BigInt(bytes.byteLength),
          BigInt(position),
        ),
      ),
    directAlign(fd) {
      view.setBigUint64(DIO_ALIGN_AT, 0n); // older kernels leave it as it is
      const failed = symbols.statx(
        fd,
        NO_NAME,
        AT_EMPTY_PATH,
        STATX_DIOALIGN,
        facts,
      );
      const [memory, offset] = [DIO_ALIGN_AT, DIO_ALIGN_AT + 4]
        .map((at) => view.getUint32(at, LITTLE));
      return failed === 0 ? Math.max(memory ?? 0, offset ?? 0) : 0;
    },
    async syncFileSystem(fd) {
      return await symbols.syncfs(fd) === 0;
    },
  };
}

const STATX_DIOALIGN = 0x2000;
const DIO_ALIGN_AT = 152;
const RENAME_NOREPLACE = 1;

const SYMBOLS = {
  ...READ_SYMBOLS,
  utimensat: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  futimens: { parameters: ["i32", "buffer"], result: "i32" },
  renameat2: {
    parameters: ["i32", "buffer", "i32", "buffer", "u32"],
    result: "i32",
  },
  pwrite: {
    parameters: ["i32", "buffer", "usize", "i64"],
    result: "isize",
    nonblocking: true,
  },
  pwriteNow: {
    name: "pwrite",
    parameters: ["i32", "buffer", "usize", "i64"],
    result: "isize",
  },
  syncfs: { parameters: ["i32"], result: "i32", nonblocking: true },
} as const satisfies Deno.ForeignLibraryInterface;

const LITTLE = true; // as every processor that Deno runs on is
