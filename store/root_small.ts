/**
 * Small files at once: made, filled and put in place by as few calls of the
 * system as that takes, and without a promise.
 *
 * With tens of thousands of them the time goes into what surrounds a call: a
 * path that leads through `/proc`, an exception that says that a name is free,
 * a promise for what is done already. Here names are looked up in folders that
 * are open, and a call that fails says no more than that: callers then go the
 * long way, which tells why.
 *
 * @module
 */
import { writeAscii } from "../protocol/text.ts";
import type { Dir } from "./root_dir.ts";
import { type NativeStat, statParser } from "./root_statx.ts";
import type { EntryMeta } from "./root_stamp.ts";

/** The calls; each is done when it returns. */
export interface SmallFiles {
  /**
   * Makes a file with this content, mode and time; one that is there is left
   * alone.
   *
   * @returns Whether all of it was done. If not, something may have been made.
   */
  make(
    dir: Pick<Dir, "fd">,
    name: string,
    bytes: Uint8Array<ArrayBuffer>,
    meta: EntryMeta,
  ): boolean;
  /** Renames unless something of the new name is there; says whether it did. */
  renameNew(
    from: Pick<Dir, "fd">,
    name: string,
    to: Pick<Dir, "fd">,
    newName: string,
  ): boolean;
  /** Looks at a name without following a link; `undefined` when it failed. */
  stat(dir: Pick<Dir, "fd">, name: string): NativeStat | undefined;
  /** Lets go of the library; no call may follow. */
  close(): void;
}

/** Opens the C library of Linux; `undefined` where it is not to be had. */
export function openSmallFiles(): SmallFiles | undefined {
  if (Deno.build.os !== "linux") return undefined;
  let library: Deno.DynamicLibrary<typeof SYMBOLS>;
  try {
    library = Deno.dlopen("libc.so.6", SYMBOLS);
  } catch {
    return undefined; // another C library, or no permission
  }
  const { symbols } = library;
  const facts = new BigInt64Array(32); // struct statx is 256 bytes
  const parse = statParser(new DataView(facts.buffer));
  const times = new BigInt64Array(4); // two of struct timespec
  const one = newName();
  const other = newName();

  return {
    make(dir, name, bytes, meta) {
      if (!one.set(name)) return false;
      const fd = symbols.openat(dir.fd, one.bytes, MAKE, PRIVATE);
      if (fd < 0) return false;
      const seconds = meta.mtimeNs / NS;
      // Before 1970 it is the nanoseconds that must not be negative.
      const rest = meta.mtimeNs - seconds * NS;
      times[0] = times[2] = rest < 0n ? seconds - 1n : seconds;
      times[1] = times[3] = rest < 0n ? rest + NS : rest;
      const length = BigInt(bytes.length);
      const isDone = symbols.write(fd, bytes, length) === length &&
        symbols.fchmod(fd, meta.mode & MODE_TAKEN) === 0 &&
        symbols.futimens(fd, times) === 0;
      return symbols.close(fd) === 0 && isDone;
    },
    renameNew(from, name, to, newName) {
      return one.set(name) && other.set(newName) &&
        symbols.renameat2(
            from.fd,
            one.bytes,
            to.fd,
            other.bytes,
            RENAME_NOREPLACE,
          ) === 0;
    },
    stat(dir, name) {
      if (!one.set(name)) return undefined;
      const failed = symbols
        .statx(
          dir.fd,
          one.bytes,
          AT_SYMLINK_NOFOLLOW,
          STATX_BASIC_STATS,
          facts,
        );
      return failed === 0 ? parse() : undefined;
    },
    close: () => library.close(),
  };
}

/**
 * O_WRONLY, O_CREAT, O_EXCL, which follows no link, and O_CLOEXEC: the same on
 * every processor. A Worker that loads `node:fs` for them starts 25 ms later.
 */
const MAKE = 0o1 | 0o100 | 0o200 | 0o2000000;
/** Nobody else reads it before it is whole. */
const PRIVATE = 0o600;
/** Setuid, setgid and sticky bits of a peer are never taken. */
const MODE_TAKEN = 0o777;
const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_BASIC_STATS = 0x7ff;
const RENAME_NOREPLACE = 1;
const NS = 1_000_000_000n;
/** No file system takes a name longer than this, bytes. */
const NAME_BYTES = 255;

const SYMBOLS = {
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  futimens: { parameters: ["i32", "buffer"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  renameat2: {
    parameters: ["i32", "buffer", "i32", "buffer", "u32"],
    result: "i32",
  },
  statx: {
    parameters: ["i32", "buffer", "i32", "u32", "buffer"],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

const ENCODER = new TextEncoder();

/** A place for one name at a time, as C has it: UTF-8 that ends with a 0. */
function newName(): {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** False when it is no name of one component. */
  set(name: string): boolean;
} {
  const bytes = new Uint8Array(NAME_BYTES + 1);
  const room = bytes.subarray(0, NAME_BYTES);
  return {
    bytes,
    set(name) {
      if (name === "" || name.length > NAME_BYTES) return false;
      let length = name.length;
      if (!writeAscii(room, 0, name)) {
        const { read, written } = ENCODER.encodeInto(name, room);
        if (read !== name.length) return false;
        length = written;
      }
      bytes[length] = 0;
      return !name.includes("/") && !name.includes("\0");
    },
  };
}
