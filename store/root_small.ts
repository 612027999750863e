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
import { fillTimes, newTimes } from "./root_times.ts";

/** The calls; each is done when it returns. */
export interface SmallFiles {
  /**
   * Makes a file with this content, mode and time; one that is there is left
   * alone. The folder must be one that nobody else may enter, as the file has
   * its mode from the beginning.
   *
   * @returns What it is now; `undefined` when not all of it was done, and then
   * something may have been made.
   */
  make(
    dir: Pick<Dir, "fd">,
    name: string,
    bytes: Uint8Array<ArrayBuffer>,
    meta: EntryMeta,
  ): NativeStat | undefined;
  /** Renames unless something of the new name is there; says whether it did. */
  renameNew(
    from: Pick<Dir, "fd">,
    name: string,
    to: Pick<Dir, "fd">,
    newName: string,
  ): boolean;
  /** Looks at a name without following a link; `undefined` when it failed. */
  stat(dir: Pick<Dir, "fd">, name: string): NativeStat | undefined;
  /** Makes a folder; false if anything of that name is there, or it failed. */
  makeDir(dir: Pick<Dir, "fd">, name: string, mode: number): boolean;
  /** Gives a folder, and nothing else, its mode and time; says whether it did. */
  setDirMeta(dir: Pick<Dir, "fd">, name: string, meta: EntryMeta): boolean;
  /** Makes a folder that nobody else may enter; returns its descriptor, or -1. */
  makeFolder(dir: Pick<Dir, "fd">, name: string): number;
  /**
   * Renames a folder, over an empty folder if one has the new name, and gives it
   * a mode before; says whether it did.
   *
   * @param folder Its descriptor.
   */
  renameFolder(
    folder: number,
    mode: number,
    from: Pick<Dir, "fd">,
    name: string,
    to: Pick<Dir, "fd">,
    newName: string,
  ): boolean;
  /** Whether what is made in the folder at `place` gets rights from it. */
  hasDefaultRights(place: string): boolean;
  /** Removes the name of a file, or of an empty folder; says whether it did. */
  remove(dir: Pick<Dir, "fd">, name: string, what: "file" | "folder"): boolean;
  /** Closes a descriptor of `makeFolder()`. */
  closeFolder(folder: number): void;
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
  const times = newTimes();
  const one = newName();
  const other = newName();
  /** Looks at what is open, once it has its mode: a umask may have taken of it. */
  const lookWith = (fd: number, mode: number): NativeStat | undefined => {
    const look = (): NativeStat | undefined =>
      symbols.statx(fd, NO_NAME, AT_EMPTY_PATH, STATX_BASIC_STATS, facts) === 0
        ? parse()
        : undefined;
    const found = look();
    if (found === undefined || (found.mode & MODES) === mode) return found;
    return symbols.fchmod(fd, mode) === 0 ? look() : undefined;
  };

  return {
    make(dir, name, bytes, meta) {
      if (!one.set(name)) return undefined;
      const mode = meta.mode & MODE_TAKEN;
      const fd = symbols.openat(dir.fd, one.bytes, MAKE, mode);
      if (fd < 0) return undefined;
      fillTimes(times, meta.mtimeNs);
      const length = BigInt(bytes.length);
      const isDone = symbols.write(fd, bytes, length) === length &&
        symbols.futimens(fd, times) === 0;
      const found = isDone ? lookWith(fd, mode) : undefined;
      return symbols.close(fd) === 0 ? found : undefined;
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
    makeDir: (dir, name, mode) =>
      one.set(name) && symbols.mkdirat(dir.fd, one.bytes, mode) === 0,
    setDirMeta(dir, name, meta) {
      if (!one.set(name)) return false;
      const fd = symbols.openat(dir.fd, one.bytes, ENTER, 0);
      if (fd < 0) return false;
      fillTimes(times, meta.mtimeNs);
      const isDone = symbols.fchmod(fd, meta.mode & MODE_TAKEN) === 0 &&
        symbols.futimens(fd, times) === 0;
      return symbols.close(fd) === 0 && isDone;
    },
    makeFolder(dir, name) {
      if (!one.set(name)) return -1;
      if (symbols.mkdirat(dir.fd, one.bytes, PRIVATE_FOLDER) !== 0) return -1;
      return symbols.openat(dir.fd, one.bytes, ENTER, 0);
    },
    renameFolder(folder, mode, from, name, to, newName) {
      return one.set(name) && other.set(newName) &&
        symbols.fchmod(folder, mode) === 0 &&
        symbols.renameat2(from.fd, one.bytes, to.fd, other.bytes, 0) === 0;
    },
    hasDefaultRights(place) {
      const name = ENCODER.encode(`${place}\0`);
      return symbols.lgetxattr(name, DEFAULT_RIGHTS, null, 0n) >= 0;
    },
    remove(dir, name, what) {
      const flags = what === "folder" ? AT_REMOVEDIR : 0;
      return one.set(name) && symbols.unlinkat(dir.fd, one.bytes, flags) === 0;
    },
    closeFolder(folder) {
      symbols.close(folder);
    },
    close: () => library.close(),
  };
}

/**
 * O_WRONLY, O_CREAT, O_EXCL, which follows no link, and O_CLOEXEC: the same on
 * every processor. A Worker that loads `node:fs` for them starts 25 ms later.
 */
const MAKE = 0o1 | 0o100 | 0o200 | 0o2000000;
/** O_DIRECTORY, O_NOFOLLOW and O_CLOEXEC. */
const ENTER = Deno.build.arch === "aarch64"
  ? 0o40000 | 0o100000 | 0o2000000
  : 0o200000 | 0o400000 | 0o2000000;
const PRIVATE_FOLDER = 0o700;
/** Setuid, setgid and sticky bits of a peer are never taken. */
const MODE_TAKEN = 0o777;
const MODES = 0o7777;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const AT_REMOVEDIR = 0x200;
const STATX_BASIC_STATS = 0x7ff;
const RENAME_NOREPLACE = 1;
/** No file system takes a name longer than this, bytes. */
const NAME_BYTES = 255;

const SYMBOLS = {
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  futimens: { parameters: ["i32", "buffer"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  mkdirat: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  unlinkat: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  lgetxattr: {
    parameters: ["buffer", "buffer", "pointer", "usize"],
    result: "isize",
  },
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
const NO_NAME = new Uint8Array(1);
const DEFAULT_RIGHTS = ENCODER.encode("system.posix_acl_default\0");

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
