/**
 * What the journal asks of the file system, and the real one.
 *
 * It is an interface so that tests can fill the disk and pull the plug.
 *
 * @module
 */
import { type FileHandle, open } from "node:fs/promises";
import { SftpxError } from "../core/errors.ts";
import { quoted } from "./paths.ts";

/** An open file, read and written at positions. */
export interface JournalFile {
  size(): Promise<number>;
  /** Reads what there is at `position`; fewer bytes only where the file ends. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Writes all of `bytes`, or fails. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  truncate(size: number): Promise<void>;
  /** Returns when the content is on disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** A lock that its process holds, and loses when it dies. */
export interface JournalLock {
  release(): Promise<void>;
}

/** The file operations of a journal. They fail with the platform's errors. */
export interface JournalFs {
  /** Makes a directory only its owner can enter, unless there is one. */
  makeDir(path: string): Promise<void>;
  /** Opens an existing file; `undefined` when there is none. */
  open(path: string): Promise<JournalFile | undefined>;
  /** Creates an empty file, or empties the one there is. */
  create(path: string): Promise<JournalFile>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, if there is one. */
  remove(path: string): Promise<void>;
  /** Returns when the names in a directory are on disk. */
  syncDir(path: string): Promise<void>;
  /** Takes a lock of its own; `undefined` when another holds it. */
  lock(path: string): Promise<JournalLock | undefined>;
}

const OWNER_ONLY_FILE = 0o600;
const OWNER_ONLY_DIR = 0o700;

/** The disk. */
export const diskFs: JournalFs = Object.freeze(
  {
    async makeDir(path) {
      await Deno.mkdir(path, { recursive: true, mode: OWNER_ONLY_DIR });
    },
    async open(path) {
      try {
        if (!(await Deno.lstat(path)).isFile) {
          throw new SftpxError(
            "local-io",
            `Cannot open journal ${quoted(path)}: it is not a file`,
          );
        }
        // It names files, so it is nobody else's business.
        if (Deno.build.os !== "windows") {
          await Deno.chmod(path, OWNER_ONLY_FILE);
        }
        return journalFile(await open(path, "r+"));
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      }
    },
    async create(path) {
      return journalFile(await open(path, "w+", OWNER_ONLY_FILE));
    },
    rename: (from, to) => Deno.rename(from, to),
    async remove(path) {
      try {
        await Deno.remove(path);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    },
    async syncDir(path) {
      // Windows has no way to sync a directory; its rename is journaled anyway.
      if (Deno.build.os === "windows") return;
      using dir = await Deno.open(path);
      await dir.sync();
    },
    lock: lockFile,
  } satisfies JournalFs,
);

function journalFile(handle: FileHandle): JournalFile {
  return {
    async size() {
      return (await handle.stat()).size;
    },
    async read(into, position) {
      let done = 0;
      while (done < into.length) {
        const left = into.length - done;
        const { bytesRead } = await handle.read(
          into,
          done,
          left,
          position + done,
        );
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    },
    async write(bytes, position) {
      let done = 0;
      while (done < bytes.length) {
        const left = bytes.length - done;
        const { bytesWritten } = await handle.write(
          bytes,
          done,
          left,
          position + done,
        );
        if (bytesWritten === 0) throw new Error("nothing was written");
        done += bytesWritten;
      }
    },
    truncate: (size) => handle.truncate(size),
    sync: () => handle.datasync(),
    close: () => handle.close(),
  };
}

async function lockFile(path: string): Promise<JournalLock | undefined> {
  for (;;) {
    const file = await Deno.open(path, {
      create: true,
      write: true,
      mode: OWNER_ONLY_FILE,
    });
    let mine = false;
    try {
      if (!await file.tryLock(true)) return undefined;
      // Whoever held it before may have removed the name since it was opened:
      // a lock on a file that nobody else can find locks nobody out.
      mine = await isNamed(file, path);
      if (mine) return { release: () => release(file, path) };
    } finally {
      if (!mine) file.close();
    }
  }
}

async function release(file: Deno.FsFile, path: string): Promise<void> {
  try {
    // While it is held, so that the name removed is that of this lock.
    if (Deno.build.os !== "windows") await diskFs.remove(path);
  } finally {
    file.close();
  }
}

async function isNamed(file: Deno.FsFile, path: string): Promise<boolean> {
  try {
    const [held, named] = [await file.stat(), await Deno.stat(path)];
    return held.ino === named.ino && held.dev === named.dev;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
