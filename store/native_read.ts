/**
 * What a sender asks of the C library of Linux: see `root_native.ts`. To open
 * the calls takes 0.15 ms for each, so these are apart.
 *
 * @module
 */

import { writeAscii } from "../protocol/text.ts";
import { addNames } from "./root_names.ts";
import { type NativeStat, statParser } from "./root_statx.ts";

export type { NativeStat };

/** The calls that look and read; none of them tells why it failed. */
export interface NativeReader {
  /** Looks at a name without following a link; `undefined` when it failed. */
  stat(path: string): NativeStat | "missing" | undefined;
  /** Looks at an open file; `undefined` when it failed. */
  statOpen(fd: number): NativeStat | undefined;
  /**
   * Opens for reading what is at a place, if no link is on the way to it.
   *
   * @returns Its descriptor, for calls of this interface only, or -1.
   */
  openPlain(path: string): number;
  /** The names in a folder, in no order; `undefined` when it failed. */
  names(path: string): string[] | undefined;
  /** Closes what `openPlain()` opened. */
  closePlain(fd: number): void;
  /** Reads, at once, what is in memory; returns how many bytes that were, or -1. */
  readCached(fd: number, into: Uint8Array, position: number): number;
  /** Reads on another thread; returns how many bytes there were, or -1. */
  read(fd: number, into: Uint8Array, position: number): Promise<number>;
  /** Lets go of the library; no call may follow. */
  close(): void;
}

/** Opens them, where it is a library we know. */
export function openReader(): NativeReader | undefined {
  if (Deno.build.os !== "linux") return undefined;
  try {
    const library = Deno.dlopen("libc.so.6", READ_SYMBOLS);
    return readerOf({
      symbols: library.symbols,
      close: () => library.close(),
    });
  } catch {
    return undefined; // another C library, an old one, or no permission
  }
}

/** What looks and reads by the calls of an open library. */
export function readerOf(
  { symbols, close }: {
    readonly symbols: Deno.DynamicLibrary<typeof READ_SYMBOLS>["symbols"];
    readonly close: () => void;
  },
): NativeReader {
  const facts = new BigInt64Array(32); // struct statx is 256 bytes
  const parse = statParser(new DataView(facts.buffer));
  const how = new BigUint64Array([OPEN_FLAGS, 0n, RESOLVE_NO_LINKS]);
  const vector = new BigUint64Array(2); // one struct iovec
  const path = newPath();
  let last: ArrayBufferLike | undefined;
  let lastAt = 0n;
  /** Where bytes are. To ask for that takes longer than to read a small file. */
  const addressOf = (bytes: Uint8Array<ArrayBuffer>): bigint => {
    const { buffer, byteOffset } = bytes;
    if (buffer !== last) {
      lastAt = Deno.UnsafePointer.value(Deno.UnsafePointer.of(buffer));
      last = buffer;
    }
    return lastAt + BigInt(byteOffset);
  };
  // Each thread has an error number of its own, at a place that never changes.
  const number = errorNumber(symbols.__errno_location());
  return {
    stat(name) {
      // Only this very call can have said that the name is missing.
      number[0] = 0;
      const failed = symbols.statx(
        AT_FDCWD,
        path(name),
        AT_SYMLINK_NOFOLLOW,
        STATX_BASIC_STATS,
        facts,
      );
      if (failed !== 0) return number[0] === ENOENT ? "missing" : undefined;
      return parse();
    },
    statOpen(fd) {
      const failed = symbols.statx(
        fd,
        NO_NAME,
        AT_EMPTY_PATH,
        STATX_BASIC_STATS,
        facts,
      );
      return failed === 0 ? parse() : undefined;
    },
    openPlain: (name) =>
      Number(symbols.openat2(OPENAT2, AT_FDCWD, path(name), how, HOW_BYTES)),
    names(name) {
      const fd = Number(
        symbols.openat2(OPENAT2, AT_FDCWD, path(name), how, HOW_BYTES),
      );
      if (fd < 0) return undefined;
      const list: string[] = [];
      const room = new Uint8Array(NAMES_BYTES);
      let count: number;
      do {
        count = Number(
          symbols.getdents64(GETDENTS64, fd, room, BigInt(room.length)),
        );
        addNames(list, room, count);
      } while (count > 0);
      symbols.close(fd);
      return count < 0 ? undefined : list;
    },
    closePlain(fd) {
      symbols.close(fd);
    },
    readCached(fd, into, position) {
      const bytes = into as Uint8Array<ArrayBuffer>;
      vector[0] = addressOf(bytes);
      vector[1] = BigInt(bytes.length);
      const count = symbols
        .preadv2(fd, vector, 1, BigInt(position), 0n, RWF_NOWAIT);
      return Number(count);
    },
    async read(fd, into, position) {
      const count = await symbols.pread(
        fd,
        into as Uint8Array<ArrayBuffer>,
        BigInt(into.length),
        BigInt(position),
      );
      return Number(count);
    },
    close,
  };
}

/** How the C library calls them. */
export const READ_SYMBOLS = {
  statx: {
    parameters: ["i32", "buffer", "i32", "u32", "buffer"],
    result: "i32",
  },
  __errno_location: { parameters: [], result: "pointer" },
  // The C library has no function for this call of the kernel.
  openat2: {
    name: "syscall",
    parameters: ["i64", "i32", "buffer", "buffer", "usize"],
    result: "i64",
  },
  getdents64: {
    name: "syscall",
    parameters: ["i64", "i32", "buffer", "usize"],
    result: "i64",
  },
  close: { parameters: ["i32"], result: "i32" },
  preadv2: {
    parameters: ["i32", "buffer", "i32", "i64", "i64", "i32"],
    result: "isize",
  },
  pread: {
    parameters: ["i32", "buffer", "usize", "i64"],
    result: "isize",
    nonblocking: true,
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** Names are looked up in the folder that the process is in. */
export const AT_FDCWD = -100; // every path here is absolute
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;
const ENOENT = 2;
const OPENAT2 = 437n; // on every processor
const GETDENTS64 = Deno.build.arch === "aarch64" ? 61n : 217n;
/** Some thousand names are asked for at a time. */
const NAMES_BYTES = 128 * 1024;
const HOW_BYTES = 24n; // struct open_how: flags, mode, resolve
const RESOLVE_NO_LINKS = 0x04n | 0x02n; // no symbolic ones, nor those of /proc
const RWF_NOWAIT = 8;

const O_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;
const O_NOFOLLOW = Deno.build.arch === "aarch64" ? 0o100000 : 0o400000;

/** For reading; not to wait for a writer when a pipe has taken the file's place. */
export const OPEN_FLAGS = BigInt(O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

const encoder = new TextEncoder();
/** The name of what is open. */
export const NO_NAME = cString("");

function errorNumber(place: Deno.PointerValue): Int32Array {
  if (place === null) throw new TypeError("Cannot find the error number");
  return new Int32Array(Deno.UnsafePointerView.getArrayBuffer(place, 4));
}

/** A C string of its own. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(`${text}\0`);
}

/** Makes C strings in one place: each is good until the next. */
export function newPath(): (text: string) => Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(PATH_BYTES);
  return (text) => {
    // What is not ASCII may take three times the room.
    if (text.length * 3 >= PATH_BYTES) return cString(text);
    const { length } = text;
    const end = writeAscii(bytes, 0, text)
      ? length
      : encoder.encodeInto(text, bytes).written;
    bytes[end] = 0;
    return bytes;
  };
}

/** Longer paths are rare. */
const PATH_BYTES = 4096;
