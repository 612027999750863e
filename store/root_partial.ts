/**
 * Where the parts of one session wait until they are whole:
 * `<upload folder>/.sftpx-partial/<session>/<slot>.part`, and small files of a
 * new folder in `<number>.nest` beside them.
 *
 * Folders have mode 0700, whatever the umask, and must be ours: in an upload
 * folder that others may write to, one of them could have made the folder
 * beforehand. Parts have 0600 until they are whole; what is made whole at once
 * has its own mode, as nobody else comes to where it is.
 *
 * @module
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  openSync,
} from "node:fs";
import { attempt, errorCode, ioError } from "./io_error.ts";
import { PARTIAL_FOLDER } from "./paths.ts";
import {
  closeDir,
  type Dir,
  type OpenDir,
  removeFolder,
  removeName,
  syncDir,
} from "./root_dir.ts";
import { openFile, type PartFile } from "./root_file.ts";
import type { Native } from "./root_native.ts";
import { partName } from "./root_part_name.ts";
import {
  enterOwn,
  listSlots,
  openSession,
  removeNests,
  syncAbove,
} from "./root_partial_dir.ts";
import type { SmallFiles } from "./root_small.ts";
import type { EntryMeta } from "./root_stamp.ts";

/** The parts of one session. */
export interface PartialDir {
  /** Makes an empty part; one that is there already is an error. */
  create(slot: number): Promise<PartFile>;
  /** Opens a part that is there; `undefined` if it is not. */
  open(slot: number): Promise<PartFile | undefined>;
  /** Removes a part, if it is there. */
  remove(slot: number): Promise<void>;
  /** The slots of the parts that are there, in order. */
  list(): Promise<number[]>;
  /**
   * Makes sure that parts made since the last call are still there after a
   * crash of the machine. To be called before a journal counts on them.
   */
  sync(): Promise<void>;
  /** Removes all parts and the folder; a part made later makes it again. */
  removeAll(): Promise<void>;
  /** Closes the folder; open parts stay open. Again does nothing. */
  close(): void;
  /** Where a part is, for `Root.commit()`. */
  placeOf(slot: number): string;
  /**
   * Makes a part with its content, mode and time, at once.
   *
   * @returns Whether it did; if not, `create()` tells why.
   */
  createWhole(
    slot: number,
    bytes: Uint8Array<ArrayBuffer>,
    meta: EntryMeta,
  ): boolean;
  /**
   * The folder as another thread needs it to make a part as `createWhole()`
   * does; -1 where that cannot be. It stays open until `close()`.
   */
  beginWhole(): number;
  /** The folder that they are in, for `Root.commitNow()`. */
  readonly dir: Dir;
  /** Makes a folder beside the parts; `undefined` when that did not work. */
  makeNest():
    | { readonly dir: Dir; readonly name: string; readonly fd: number }
    | undefined;
  /** Removes the folders of `makeNest()` that are there, with all that is in them. */
  removeNests(): Promise<void>;
}

/**
 * Opens the parts of a session, and makes their folder.
 *
 * @param top The upload folder.
 * @param session Its id, in hex.
 */
export function openPartial(
  top: OpenDir,
  session: string,
  native: Native | undefined,
  small?: SmallFiles,
): PartialDir {
  if (!/^[0-9a-f]{2,128}$/.test(session)) {
    throw new RangeError(
      `Cannot open parts as the session id must be hex: current value is "${session}"`,
    );
  }
  let dir = openSession(top, session);
  let isTouched = true;
  let isOpen = true;
  let isGone = false; // we removed it
  let nests = 0;
  const gone: OpenDir[] = []; // open, as another thread may be using them

  /** The number of a closed folder may be another one's by now. */
  function openedDir(): OpenDir {
    if (!isOpen) {
      throw Object.assign(new Error("closed"), { code: "EBADF" });
    }
    return dir;
  }

  function placeOf(slot: number): string {
    if (!Number.isSafeInteger(slot) || slot < 0) {
      throw new RangeError(
        `Cannot place a part as its slot must be >= 0: current value is ${slot}`,
      );
    }
    return openedDir().at(partName(slot));
  }

  function makeAgain(): void {
    const next = openSession(top, session);
    gone.push(dir);
    dir = next;
    isGone = false;
  }

  /** The folder as calls need it that do not tell when it is gone; -1 without them. */
  function quickDir(): number {
    if (!isOpen || small === undefined || dir.fd === -1) return -1;
    isTouched = true;
    if (isGone) makeAgain();
    return dir.fd;
  }

  function create(slot: number): PartFile {
    isTouched = true;
    try {
      return openFile(openSync(placeOf(slot), CREATE, 0o600), native);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") {
        throw error;
      }
    }
    makeAgain(); // another receiver tidied it away while it was empty
    return openFile(openSync(placeOf(slot), CREATE, 0o600), native);
  }

  function open(slot: number): PartFile | undefined {
    const fd = openExisting(placeOf(slot));
    return fd === undefined ? undefined : openFile(fd, native);
  }

  function removeAll(): void {
    removeNests(openedDir());
    listSlots(openedDir()).forEach((slot) => removeName(placeOf(slot)));
    const all = enterOwn(top, PARTIAL_FOLDER);
    try {
      removeFolder(all.at(session));
      isGone = true;
    } finally {
      closeDir(all);
    }
  }

  return {
    placeOf,
    get dir() {
      return openedDir();
    },
    createWhole: (slot, bytes, meta) =>
      quickDir() !== -1 &&
      small?.make(dir, partName(slot), bytes, meta) !== undefined,
    beginWhole: quickDir,
    makeNest() {
      if (small === undefined || quickDir() === -1) return undefined;
      const name = `${++nests}.nest`;
      const fd = small.makeFolder(dir, name);
      return fd < 0 ? undefined : { dir, name, fd };
    },
    removeNests: () =>
      attempt(
        () => "remove unfinished folders",
        () => removeNests(openedDir()),
      ),
    create: (slot) => attempt(() => `make part ${slot}`, () => create(slot)),
    open: (slot) => attempt(() => `open part ${slot}`, () => open(slot)),
    remove: (slot) =>
      attempt(() => `remove part ${slot}`, () => removeName(placeOf(slot))),
    list: () => attempt(() => "list the parts", () => listSlots(openedDir())),
    removeAll: () => attempt(() => "remove the parts", removeAll),
    async sync() {
      if (!isTouched) {
        return;
      }
      isTouched = false;
      try {
        await syncDir(openedDir());
        await syncAbove(top);
      } catch (error) {
        isTouched = true;
        throw ioError("sync the folder for parts", error);
      }
    },
    close() {
      if (isOpen) {
        isOpen = false;
        closeDir(dir);
        gone.forEach(closeDir);
      }
    },
  };
}

const CREATE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL |
  (constants.O_NOFOLLOW ?? 0);

/** Not to wait for a writer should it be a pipe. */
const OPEN = constants.O_RDWR | (constants.O_NONBLOCK ?? 0) |
  (constants.O_NOFOLLOW ?? 0);

function openExisting(place: string): number | undefined {
  let fd: number;
  try {
    fd = openOwn(place);
  } catch (error) {
    if (errorCode(error) === "ELOOP") {
      removeName(place); // a link, which we never make here, is nobody's part
      return undefined;
    }
    if (errorCode(error) === "ENOENT") {
      return undefined;
    }
    throw error;
  }
  const facts = fstatSync(fd);
  if (facts.isFile() && facts.nlink === 1) {
    return fd;
  }
  closeSync(fd);
  // A file with a second name was being put in place when we were killed: what
  // is written to it would change the finished file.
  removeName(place);
  return undefined;
}

/** Opens a part of ours, also one that has the mode of a file that nobody may write. */
function openOwn(place: string): number {
  try {
    return openSync(place, OPEN);
  } catch (error) {
    if (errorCode(error) !== "EACCES") throw error;
  }
  const { mode } = lstatSync(place); // no link: that is ELOOP
  chmodSync(place, 0o600);
  const fd = openSync(place, OPEN);
  fchmodSync(fd, mode & 0o7777);
  return fd;
}
