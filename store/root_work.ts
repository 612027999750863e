/**
 * What an upload folder does once it is open; `root.ts` has the promises.
 *
 * @module
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readlinkSync,
  statfs,
} from "node:fs";
import { SftpxError } from "../core/errors.ts";
import { attempt, errorCode, ioError } from "./io_error.ts";
import { baseName, parentOf, quoted, type SafePath } from "./paths.ts";
import type { Root } from "./root.ts";
import { type Dir, makeFolder } from "./root_dir.ts";
import type { Dirs } from "./root_dirs.ts";
import { openFile, type ReadFile } from "./root_file.ts";
import type { Native } from "./root_native.ts";
import { ANY_MODE, freshFolders, OWNER_MODE, rootNow } from "./root_now.ts";
import { openPartial } from "./root_partial.ts";
import { removeEmptyPartials } from "./root_partial_dir.ts";
import { putLink, putNew, putOver } from "./root_place.ts";
import type { SmallFiles } from "./root_small.ts";
import {
  type EntryMeta,
  type LocalStamp,
  setMetaAt,
  setOpenMeta,
  stampAt,
} from "./root_stamp.ts";

/** What `openRoot()` made. */
export interface RootParts {
  readonly dir: string;
  readonly dirs: Dirs;
  readonly portable: boolean;
  readonly native: Native | undefined;
  readonly small: SmallFiles | undefined;
}

/** Makes the upload folder that others use of its parts. */
export function rootOf(parts: RootParts): Root {
  const { dir, dirs, portable, native, small } = parts;
  const fresh = freshFolders();
  const now = rootNow({ dirs, portable, small, fresh, isOpen: () => isOpen });
  let links = 0;
  let isOpen = true;

  /** The number of a closed folder may be another one's by now. */
  function opened(): Dirs {
    if (!isOpen) {
      throw new SftpxError(
        "local-io",
        "Cannot use the upload folder: it is closed",
      );
    }
    return dirs;
  }

  /** Does work in the folder that will hold `path`, and notes that it did. */
  function beside(path: SafePath, work: (dir: Dir, name: string) => boolean) {
    const parent = parentOf(path);
    const name = baseName(path);
    const done = dirs.inside(parent, ANY_MODE, (at) => work(at, name));
    if (done === undefined) {
      const text = `Cannot put ${quoted(path)} in place: its folder is gone`;
      throw new SftpxError("local-io", text);
    }
    if (done) {
      dirs.touch(parent);
      fresh.filled(parent);
    }
    return done;
  }

  function makeDir(path: SafePath, mode: number): boolean {
    const wanted = (mode & ANY_MODE) | OWNER_MODE;
    return beside(path, (at, name) => {
      const place = at.at(name);
      const isNew = makeFolder(place, wanted);
      const found = isNew ? undefined : stampAt(native, place);
      if (found !== undefined && found.kind !== "dir") {
        const text = `Cannot make the folder ${quoted(path)}: ${
          KIND_WORDS[found.kind]
        } is in the way`;
        throw new SftpxError("local-io", text);
      }
      if (found !== undefined && (found.mode & OWNER_MODE) !== OWNER_MODE) {
        const meta = { mode: found.mode | OWNER_MODE, mtimeNs: found.mtimeNs };
        setMetaAt(native, place, meta, dirs.byDescriptor);
      }
      return isNew;
    });
  }

  function openRead(path: SafePath): ReadFile | undefined {
    const fd = dirs.inside(parentOf(path), undefined, (at) => {
      try {
        return openSync(at.at(baseName(path)), READ);
      } catch (error) {
        if (["ENOENT", "EACCES"].includes(errorCode(error) ?? "")) {
          return undefined;
        }
        throw error;
      }
    });
    if (fd !== undefined && !fstatSync(fd).isFile()) {
      closeSync(fd);
      throw new SftpxError(
        "local-io",
        `Cannot read ${quoted(path)}: it is not a file`,
      );
    }
    return fd === undefined ? undefined : openFile(fd, native);
  }

  function setMeta(path: SafePath, meta: EntryMeta): void {
    const done = dirs.inside(parentOf(path), undefined, (at) => {
      setMetaAt(native, at.at(baseName(path)), meta, dirs.byDescriptor);
      return true;
    });
    if (done === undefined) {
      const text = `Cannot set mode and time of ${quoted(path)}: it is gone`;
      throw new SftpxError("local-io", text);
    }
  }

  async function syncFileSystem(): Promise<boolean> {
    return await native?.syncFileSystem(opened().top.fd) ?? false;
  }

  return {
    dir,
    portable,
    lstat: (path) =>
      attempt(
        () => `look at ${quoted(path)}`,
        () =>
          dirs.inside(
            parentOf(path),
            undefined,
            (at) => stampAt(native, at.at(baseName(path))),
          ),
      ),
    makeDir: (path, mode = ANY_MODE) =>
      attempt(
        () => `make the folder ${quoted(path)}`,
        () => {
          fresh.forget(path);
          const isNew = makeDir(path, mode);
          if (isNew) fresh.made(path);
          return isNew;
        },
      ),
    isFresh: (path) => small !== undefined && fresh.has(path),
    endDir: fresh.ended,
    forgetDir: fresh.forget,
    ...now,
    openRead: (path) =>
      attempt(() => `read ${quoted(path)}`, () => openRead(path)),
    partial: (session) =>
      attempt(
        () => "use the folder for parts",
        () => openPartial(opened().top, session, native, small),
      ),
    commit: (part, slot, path, { replace }) =>
      attempt(() => `put ${quoted(path)} in place`, () => {
        const from = part.placeOf(slot);
        return beside(
          path,
          (at, name) =>
            replace
              ? putOver(from, at.at(name))
              : putNew(native, from, at.at(name)),
        );
      }),
    makeLink: (path, target, { replace }) =>
      attempt(
        () => `make the symbolic link ${quoted(path)}`,
        () =>
          beside(
            path,
            (at, name) =>
              putLink(dirs.top, ++links, target, at.at(name), replace),
          ),
      ),
    readLink: (path) =>
      attempt(
        () => `read the symbolic link ${quoted(path)}`,
        () =>
          dirs.inside(
            parentOf(path),
            undefined,
            (at) => linkTarget(at.at(baseName(path))),
          ),
      ),
    setMeta: (path, meta) =>
      attempt(
        () => `set mode and time of ${quoted(path)}`,
        () => setMeta(path, meta),
      ),
    fileMeta: (fd, meta) =>
      attempt(
        () => "set mode and time of a file",
        () => setOpenMeta(native, fd, meta),
      ),
    syncDirs: () => dirs.sync(syncFileSystem),
    syncFileSystem,
    free() {
      return new Promise((resolve, reject) => {
        statfs(dir, { bigint: true }, (error, facts) => {
          error
            ? reject(ioError("see how much room is left", error))
            : resolve(Number(facts.bavail * facts.bsize));
        });
      });
    },
    removeEmptyPartials: () =>
      attempt(
        () => "tidy the folder for parts",
        () => removeEmptyPartials(opened().top),
      ),
    close() {
      if (isOpen) {
        isOpen = false;
        dirs.close();
        native?.close();
        small?.close();
      }
    },
  };
}

/** The target of a link; `undefined` for anything else, and for nothing. */
function linkTarget(place: string): string | undefined {
  try {
    return readlinkSync(place);
  } catch (error) {
    if (["ENOENT", "EINVAL"].includes(errorCode(error) ?? "")) {
      return undefined;
    }
    throw error;
  }
}

/** Not to wait for a writer should it be a pipe. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) |
  (constants.O_NOFOLLOW ?? 0);

const KIND_WORDS: Readonly<Record<LocalStamp["kind"], string>> = {
  file: "a file",
  dir: "a folder",
  link: "a symbolic link",
  other: "a device or a pipe",
};
