/**
 * Chunks on disk: one file each, named by the sender's id, in one folder.
 *
 * A chunk is written under another name, synced, and put in place whole; then
 * the folder is synced. What is in place is what was uploaded, whenever the
 * power fails.
 *
 * @module
 */
import { type FileHandle, open } from "node:fs/promises";
import type { RandomBytes } from "../../crypto/random.ts";
import { errorCode, ioError } from "../../store/io_error.ts";
import { absolute, fileIn } from "../../store/own_path.ts";
import { onceMore } from "./once_more.ts";
import { base64 } from "./store_line.ts";
import { syncFolder } from "./sync_folder.ts";

/** A chunk on its way to the disk. */
export interface ChunkWriter {
  /** Adds bytes. They may be used again when it returns. */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes what was written last, still under its other name. */
  sync(): Promise<void>;
  /** Puts it in place, in place of what is there. */
  place(): Promise<void>;
  /** Removes it, unless it is in place; again does nothing. */
  discard(): Promise<void>;
}

/** A chunk on its way from the disk. */
export interface ChunkReader {
  /** Its bytes. */
  readonly size: number;
  /** Reads into `buffer`; 0 at the end. */
  read(buffer: Uint8Array): Promise<number>;
  /** Closes it; again does nothing. */
  close(): Promise<void>;
}

/** A folder of chunks. Every failure is `local-io`. */
export interface ChunkFiles {
  /** Where a chunk is, or would be. */
  pathOf(id: Uint8Array): string;
  /** Begins to write a chunk. */
  create(id: Uint8Array): Promise<ChunkWriter>;
  /** Opens a chunk; `undefined` if it is not there. */
  open(id: Uint8Array): Promise<ChunkReader | undefined>;
  /** Removes a chunk; false if it was not there. */
  remove(id: Uint8Array): Promise<boolean>;
  /** Removes what uploads that were cut off have left; says how many. */
  sweep(): Promise<number>;
}

/** How a file that is being written is called. */
const PART = /^upload-[0-9a-f]{16}\.part$/;

/** Whether a file of this name can be one of ours: a chunk, or part of one. */
export function isChunkName(name: string): boolean {
  return PART.test(name) || /^[\w-]{22}==$/.test(name);
}

/**
 * Opens a folder of chunks, and makes it for its owner if it is not there.
 *
 * @throws {SftpxError} `local-io`.
 */
export async function openChunkFiles(
  dir: string,
  random: RandomBytes,
): Promise<ChunkFiles> {
  try {
    await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw ioError(`make folder of chunks "${dir}"`, error);
  }
  const at = absolute(dir);
  const syncNames = onceMore(() => syncFolder(at));
  const pathOf = (id: Uint8Array): string => fileIn(at, base64(id));
  return {
    pathOf,
    create: (id) => {
      const part = fileIn(at, `upload-${random(8).toHex()}.part`);
      return guard("write chunk", () => writer(part, pathOf(id), syncNames));
    },
    open: (id) => guard("read chunk", () => reader(pathOf(id))),
    remove: (id) =>
      guard("remove chunk", async () => {
        if (!await removeIfThere(pathOf(id))) return false;
        await syncNames();
        return true;
      }),
    sweep: () =>
      guard("look for parts of chunks", async () => {
        let count = 0;
        for await (const { name } of Deno.readDir(at)) {
          if (PART.test(name) && await removeIfThere(fileIn(at, name))) count++;
        }
        return count;
      }),
  };
}

async function writer(
  part: string,
  place: string,
  syncNames: () => Promise<void>,
): Promise<ChunkWriter> {
  const file = await open(part, "wx", 0o600);
  let isOpen = true;
  let isPart = true;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await file.close();
  };
  return {
    write: (bytes) =>
      guard("write chunk", async () => {
        for (let at = 0; at < bytes.length;) {
          at += (await file.write(bytes, at)).bytesWritten;
        }
      }),
    sync: () =>
      guard("write chunk", async () => {
        await file.sync();
        await close();
      }),
    place: () =>
      guard("put chunk in place", async () => {
        await Deno.rename(part, place);
        isPart = false;
        await syncNames();
      }),
    discard: () =>
      guard("remove part of chunk", async () => {
        await close();
        if (!isPart) return;
        isPart = false;
        await removeIfThere(part);
      }),
  };
}

async function reader(path: string): Promise<ChunkReader | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await file.close();
  };
  try {
    const { size } = await file.stat();
    return {
      size,
      read: (buffer) =>
        guard("read chunk", async () => {
          const { bytesRead } = await file.read(buffer, 0, buffer.length);
          return bytesRead;
        }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function removeIfThere(path: string): Promise<boolean> {
  try {
    await Deno.remove(path);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

async function guard<T>(doing: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw ioError(doing, error);
  }
}
