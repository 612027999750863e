/**
 * How the sender looks at its disk and reads from it.
 *
 * There are two ways. One asks the system at once: that takes 2 to 20 µs a
 * call, where another thread takes 50 µs, and a small file takes six calls. It
 * knows times to the nanosecond, and reads at once only what is in memory. The
 * other is that of `node:fs`, everywhere else, loaded when it is needed first.
 *
 * What one way found is not what the other finds, as times differ: an entry
 * remembers which it was.
 *
 * @module
 */
import type { BigIntStats } from "node:fs";
import {
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from "./file_modes.ts";
import { errorCode } from "./io_error.ts";
import {
  type NativeReader,
  type NativeStat,
  openReader,
} from "./native_read.ts";

/** What the sender wants to know of a thing. */
export type Facts = Pick<
  BigIntStats,
  | "isFile"
  | "isDirectory"
  | "isSymbolicLink"
  | "isFIFO"
  | "isSocket"
  | "mode"
  | "size"
  | "mtimeNs"
  | "ctimeNs"
  | "ino"
  | "dev"
>;

/** A disk to send from. What fails throws what `node:fs` throws. */
export interface SourceDisk {
  /** Looks at a name; a link is followed if it says so. */
  look(local: string, followed: boolean): Promise<Facts>;
  /** Opens a file for reading. */
  open(local: string, followed: boolean): Promise<DiskFile>;
  /** The names in a folder, at once; `undefined` when that does not work. */
  namesNow?(local: string): string[] | undefined;
  /** Looks at a name, links not followed, at once; `undefined` when that does not work. */
  lookNow?(local: string): NativeStat | undefined;
  /**
   * Reads a file that is in memory already, from its beginning, and says what
   * it is then; `undefined` when that does not work or fills less than `into`.
   */
  readNow?(local: string, into: Uint8Array): NativeStat | undefined;
}

/** A file that is open. */
export interface DiskFile {
  stat(): Promise<Facts>;
  /** Whether it was opened by that place, and no link led to it. */
  isAt(local: string): Promise<boolean>;
  /** Reads; fewer bytes than there is room for may be all there are now, 0 is the end. */
  read(into: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

/** The way of `node:fs`. */
export const PLAIN_DISK: SourceDisk = {
  async look(local, followed) {
    const { lstat, stat } = await import("node:fs/promises");
    return await (followed ? stat : lstat)(local, BIGINT);
  },
  open: (local, followed) => openHandle(local, followed, undefined),
};

/** The quick way where the system has it, else the other. */
export function openSourceDisk(): SourceDisk & { close(): void } {
  const native = openReader();
  return native === undefined
    ? { ...PLAIN_DISK, close() {} }
    : { ...quickDisk(native), close: () => native.close() };
}

const BIGINT = { bigint: true } as const;

/** The system at once; whatever it does not do, `node:fs` tries once more. */
function quickDisk(native: NativeReader): SourceDisk {
  return {
    namesNow: (local) => native.names(local),
    lookNow(local) {
      const found = native.stat(local);
      return found === "missing" ? undefined : found;
    },
    readNow(local, into) {
      const fd = native.openPlain(local);
      if (fd < 0) return undefined;
      const count = native.readCached(fd, into, 0);
      const found = count === into.length ? native.statOpen(fd) : undefined;
      native.closePlain(fd);
      return found;
    },
    look(local, followed) {
      const found = followed ? undefined : native.stat(local);
      return found === undefined || found === "missing"
        ? PLAIN_DISK.look(local, followed)
        : Promise.resolve(factsOf(found));
    },
    open(local, followed) {
      if (followed) return PLAIN_DISK.open(local, followed);
      const fd = native.openPlain(local);
      return fd < 0
        ? openHandle(local, false, native)
        : Promise.resolve(quickFile(native, fd));
    },
  };
}

/**
 * The number of a descriptor that was closed is soon another file's: so none is
 * used after that, and it is closed once nobody reads from it.
 */
function quickFile(native: NativeReader, fd: number): DiskFile {
  let isOpen = true;
  let readers = 0;
  const checkOpen = (): void => {
    if (!isOpen) throw failed("EBADF");
  };
  return {
    async stat() {
      checkOpen();
      return await statOpen(native, fd);
    },
    isAt: () => Promise.resolve(true), // it would not have been opened else
    async read(into, position) {
      checkOpen();
      const count = native.readCached(fd, into, position);
      if (count > 0 || into.length === 0) return count;
      readers++;
      try {
        const read = await native.read(fd, into, position);
        if (read < 0) throw failed("EIO");
        return read;
      } finally {
        if (--readers === 0 && !isOpen) native.closePlain(fd);
      }
    },
    close() {
      if (isOpen && readers === 0) native.closePlain(fd);
      isOpen = false;
      return Promise.resolve();
    },
  };
}

/** @param native Tells its times as `look()` did. */
async function openHandle(
  local: string,
  followed: boolean,
  native: NativeReader | undefined,
): Promise<DiskFile> {
  const { constants } = await import("node:fs");
  const { open } = await import("node:fs/promises");
  // Not to wait for a writer when a pipe has taken the file's place.
  const follow = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
  const noFollow = follow | (constants.O_NOFOLLOW ?? 0);
  const handle = await open(local, followed ? follow : noFollow);
  return {
    stat: () =>
      native === undefined ? handle.stat(BIGINT) : statOpen(native, handle.fd),
    isAt: (place) => isOpenAt(handle.fd, place),
    async read(into, position) {
      return (await handle.read(into, 0, into.length, position)).bytesRead;
    },
    close: () => handle.close(),
  };
}

/**
 * Makes sure that no link led to what is open. Linux knows the path of an open
 * file; elsewhere we ask for the path again, which leaves a small gap.
 */
async function isOpenAt(fd: number, local: string): Promise<boolean> {
  if (Deno.build.os === "linux") {
    try {
      return await Deno.readLink(`/proc/self/fd/${fd}`) === local;
    } catch (error) {
      if (errorCode(error) !== "ENOENT") {
        throw error;
      }
    }
  }
  return await Deno.realPath(local) === local;
}

function statOpen(native: NativeReader, fd: number): Promise<Facts> {
  const found = native.statOpen(fd);
  return found === undefined
    ? Promise.reject(failed("EIO"))
    : Promise.resolve(factsOf(found));
}

function factsOf(found: NativeStat): Facts {
  const { mode, size, ino, dev, mtimeNs, ctimeNs } = found;
  const is = (kind: number) => () => (mode & S_IFMT) === kind;
  return {
    isFile: is(S_IFREG),
    isDirectory: is(S_IFDIR),
    isSymbolicLink: is(S_IFLNK),
    isFIFO: is(S_IFIFO),
    isSocket: is(S_IFSOCK),
    mode: BigInt(mode),
    ...{ size, ino, dev, mtimeNs, ctimeNs },
  };
}

function failed(code: string): Error {
  return Object.assign(new Error("failed"), { code });
}
