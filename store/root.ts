/**
 * An upload folder: the one way in which anything of a peer gets onto this disk.
 *
 * Names come in as `SafePath`, folders are entered one at a time (`root_dirs.ts`),
 * files are written as parts (`root_partial.ts`) and put in place whole. A link
 * is never followed, whoever made it.
 *
 * What is quick is done at once, as handing it to another thread takes longer:
 * a file of 4 KiB made, written, given mode and time, and put in place took 70
 * to 150 µs at once and 190 to 360 µs by promises (ext4, two shared cores); by
 * this interface, with a look beforehand, 100 to 130 µs. Syncs, reads, and
 * writes of more than 64 KiB are done on another thread. On a network file
 * system each call may take a millisecond and hold the thread.
 *
 * @module
 */
import { ioError } from "./io_error.ts";
import { quoted, type SafePath } from "./paths.ts";
import { hasDescriptorPaths } from "./root_dir.ts";
import { openDirs } from "./root_dirs.ts";
import type { ReadFile } from "./root_file.ts";
import { openCalls, type RootCalls } from "./root_calls.ts";
import type { NestDir } from "./root_nest.ts";
import type { PartialDir } from "./root_partial.ts";
import type { EntryMeta, LocalStamp } from "./root_stamp.ts";
import { foldsCase, makeRoot } from "./root_start.ts";
import { rootOf } from "./root_work.ts";

export {
  type EntryMeta,
  type LocalStamp,
  sameMtime,
  stampOf,
} from "./root_stamp.ts";
export type { NestDir } from "./root_nest.ts";
export type { PartialDir } from "./root_partial.ts";
export type { PartFile, ReadFile } from "./root_file.ts";

/** What is to happen when something of that name is there. */
export interface PlaceOptions {
  /** Whether to replace it, a link as itself; a folder is never replaced. */
  readonly replace: boolean;
}

/** Folders that are open for another thread. */
export interface Folders {
  /** Their descriptors, in the order that was asked for; -1 for one that is not there. */
  readonly fds: readonly number[];
  /** Says that nobody uses them any more. */
  release(): void;
}

/** An upload folder that is open. Every failure is `local-io`. */
export interface Root {
  /** Its absolute path, links resolved. */
  readonly dir: string;
  /** Whether names must be checked for a system that folds case. */
  readonly portable: boolean;
  /** What is there; `undefined` if nothing is, or a folder on the way is missing. */
  lstat(path: SafePath): Promise<LocalStamp | undefined>;
  /** As `lstat()`, at once; `undefined` when that must be called. */
  lstatNow(path: SafePath): LocalStamp | undefined;
  /**
   * Makes a folder and those on the way. Its owner may use it, whatever `mode`
   * says, until `setMeta()`.
   *
   * @returns Whether it is new.
   */
  makeDir(path: SafePath, mode?: number): Promise<boolean>;
  /**
   * As `makeDir()` does, at once, in a folder that is there; false if anything
   * of that name is there, or it failed: `makeDir()` goes on from there.
   */
  makeDirNow(path: SafePath, mode?: number): boolean;
  /**
   * Whether a folder was made by the last `makeDir()` of it and `endDir()` was
   * not called since: nobody but us has put anything there, so far as one can
   * know. False where small files have no quick way.
   */
  isFresh(path: SafePath | ""): boolean;
  /** Says that a folder is complete. */
  endDir(path: SafePath): void;
  /** Says that nobody will ask for a `nest()` of a folder any more. */
  forgetDir(path: SafePath): void;
  /** Opens a file, and only a file, for reading; `undefined` if there is none that we may read. */
  openRead(path: SafePath): Promise<ReadFile | undefined>;
  /** Opens the parts of a session, to be closed before the root. */
  partial(session: string): Promise<PartialDir>;
  /**
   * Puts a part in place under its name, at once as a whole; makes the folders on
   * the way. The part should be synced before.
   *
   * @returns False if something is there that must not be replaced.
   */
  commit(
    part: PartialDir,
    slot: number,
    path: SafePath,
    options: PlaceOptions,
  ): Promise<boolean>;
  /**
   * As `commit()` does, at once, if nothing of that name is there.
   *
   * @returns What stands there now; `undefined` if it did not work, and then
   * `commit()` tells why.
   */
  commitNow(
    part: PartialDir,
    slot: number,
    path: SafePath,
  ): LocalStamp | undefined;
  /**
   * The folders that hold these places, for another thread that puts something
   * there, as `commitNow()` does; they count as changed. `undefined` where that
   * cannot be.
   */
  foldersOf(paths: readonly SafePath[]): Folders | undefined;
  /**
   * A folder that is filled out of sight, to take the place of the one at
   * `path`, which we made and put nothing in; `undefined` where that cannot be.
   */
  nest(part: PartialDir, path: SafePath): NestDir | undefined;
  /**
   * Makes a symbolic link, as `commit()` does a file. Where it may lead is for
   * the caller to judge: `linkStaysInside()`.
   */
  makeLink(
    path: SafePath,
    target: string,
    options: PlaceOptions,
  ): Promise<boolean>;
  /** Where the symbolic link at `path` leads; `undefined` if there is none. */
  readLink(path: SafePath): Promise<string | undefined>;
  /** Gives what is there its mode and time; a link its time, never followed. */
  setMeta(path: SafePath, meta: EntryMeta): Promise<void>;
  /** As `setMeta()` does to a folder, at once; false if it is none, or that failed. */
  setDirMetaNow(path: SafePath, meta: EntryMeta): boolean;
  /** Gives an open file its mode and time. */
  fileMeta(fd: number, meta: EntryMeta): Promise<void>;
  /** Makes sure that all names made since the last call are on disk. */
  syncDirs(): Promise<void>;
  /**
   * Syncs the whole file system: quicker than many files one by one.
   *
   * @returns False if this system cannot; nothing is synced then.
   */
  syncFileSystem(): Promise<boolean>;
  /** How many bytes we may still write. */
  free(): Promise<number>;
  /** Removes folders for parts that are empty. */
  removeEmptyPartials(): Promise<void>;
  /** Closes everything; again does nothing. */
  close(): void;
}

/** What `openRoot()` can be told. */
export interface RootOptions {
  /**
   * How many folders stay open. A tree is received depth first, so few do.
   *
   * @default {64}
   */
  readonly maxOpenDirs?: number;
  /**
   * Whether to hold folders by descriptors and to use the C library, where that
   * can be; without, this works as it does on other systems.
   *
   * @default {true}
   */
  readonly native?: boolean;
  /**
   * Calls that were lent to it; it gives them back when it closes, or does not open.
   *
   * @default its own
   */
  readonly calls?: RootCalls;
}

/** The options that `openRoot()` has if none are given. */
export const DEFAULT_ROOT_OPTIONS: Readonly<
  Required<Omit<RootOptions, "calls">>
> = Object
  .freeze({ maxOpenDirs: 64, native: true });

/**
 * Opens an upload folder, and makes it if there is none.
 *
 * @param dir The user's own choice: links in it are followed.
 * @throws {SftpxError} `local-io` when it cannot be used.
 */
export async function openRoot(
  dir: string,
  options: RootOptions = {},
): Promise<Root> {
  const { maxOpenDirs, native: useNative } = {
    ...DEFAULT_ROOT_OPTIONS,
    ...options,
  };
  try {
    const place = await makeRoot(dir);
    const dirs = openDirs(place, {
      capacity: maxOpenDirs,
      byDescriptor: useNative && hasDescriptorPaths(),
    });
    try {
      const portable = foldsCase(dirs.top);
      const { native, small } = useNative
        ? options.calls ?? openCalls()
        : NO_CALLS;
      return rootOf({ dir: place, dirs, portable, native, small });
    } catch (error) {
      dirs.close();
      throw error;
    }
  } catch (error) {
    options.calls?.native?.close();
    options.calls?.small?.close();
    throw error instanceof RangeError
      ? error
      : ioError(`open the upload folder ${quoted(dir)}`, error);
  }
}

const NO_CALLS: RootCalls = { native: undefined, small: undefined };
