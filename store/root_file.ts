/**
 * Files of the receiver that are open: a part that is being written, or a file
 * that is read to see what it holds.
 *
 * Reads and writes name their position and may overlap. What is large is done on
 * another thread, so that a disk that makes us wait does not stop the network.
 *
 * @module
 */
import {
  closeSync,
  fdatasync,
  fstatSync,
  ftruncateSync,
  read,
  writeSync,
} from "node:fs";
import { attempt, ioError } from "./io_error.ts";
import { type DirectFile, openDirect } from "./root_direct.ts";
import type { Native } from "./root_native.ts";
import { type EntryMeta, setOpenMeta } from "./root_stamp.ts";

/** A file open for reading. */
export interface ReadFile {
  /** For calls of `node:fs`; it must not be closed by them. */
  readonly fd: number;
  /**
   * Reads into `into` from `position` on.
   *
   * @returns How many bytes there were: fewer than asked is the end of the file.
   */
  read(into: Uint8Array, position: number): Promise<number>;
  /** How long the file is. */
  size(): Promise<number>;
  /** Closes it; again does nothing. */
  close(): void;
}

/** Bytes that another thread holds, which writes them itself. */
export interface BytesElsewhere {
  readonly length: number;
  /**
   * Writes them into a file, which stays open until it is done.
   *
   * @returns How many were written, from the first on.
   */
  writeTo(place: OpenPlace): Promise<number>;
  /** Brings those from `start` on here. */
  bring(start: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** A place in an open file. */
export interface OpenPlace {
  readonly fd: number;
  /** The same file past the cache, and what that asks of addresses; -1 where there is none. */
  readonly directFd: number;
  readonly directAlign: number;
  readonly position: number;
}

/** A part. */
export interface PartFile extends ReadFile {
  /** Writes all of `bytes`, which must be left alone until it is done. */
  write(bytes: Uint8Array | BytesElsewhere, position: number): Promise<void>;
  /** Makes it so long: cut, or with a hole at the end. */
  truncate(sizeBytes: number): Promise<void>;
  /** Gives it the mode and time that the finished file shall have. */
  setMeta(meta: EntryMeta): Promise<void>;
  /** Makes sure that its bytes are on disk. */
  sync(): Promise<void>;
}

/**
 * Takes over a descriptor.
 *
 * Once closed nothing is done by its number, which may be another file's by
 * then; what is under way when it is closed is finished first.
 */
export function openFile(fd: number, native: Native | undefined): PartFile {
  let isOpen = true;
  let isClosed = false;
  let underWay = 0;
  let direct: DirectFile | undefined;
  let isDirectTried = false;

  /** The same file past the cache, if there is a use for that. */
  function directFor(length: number, position: number): DirectFile | undefined {
    if (length < DIRECT_WRITE_BYTES) {
      return undefined;
    }
    if (!isDirectTried && position >= DIRECT_FROM_BYTES) {
      isDirectTried = true;
      direct = openDirect(native, fd);
    }
    return direct;
  }

  async function writeFrom(
    bytes: BytesElsewhere,
    position: number,
  ): Promise<void> {
    const past = directFor(bytes.length, position);
    const done = await bytes.writeTo({
      fd,
      directFd: past?.fd ?? -1,
      directAlign: past?.align ?? 0,
      position,
    });
    if (done === bytes.length) return;
    // Once more here: it tells what is wrong.
    await writeAt(fd, await bytes.bring(done), position + done, native);
  }

  function checkOpen(): void {
    if (!isOpen) {
      throw Object.assign(new Error("closed"), { code: "EBADF" });
    }
  }

  function quick<T>(what: string, work: () => T): Promise<T> {
    return attempt(() => what, () => {
      checkOpen();
      return work();
    });
  }

  async function slow<T>(what: string, work: () => Promise<T>): Promise<T> {
    underWay++;
    try {
      checkOpen();
      return await work();
    } catch (error) {
      throw ioError(what, error);
    } finally {
      underWay--;
      closeIfDone();
    }
  }

  function closeIfDone(): void {
    if (!isOpen && underWay === 0 && !isClosed) {
      isClosed = true;
      direct?.close();
      closeSync(fd);
    }
  }

  return {
    fd,
    read: (into, position) =>
      slow("read a file", () => readAt(fd, into, position)),
    size: () => quick("look at a file", () => fstatSync(fd).size),
    close() {
      isOpen = false;
      closeIfDone();
    },
    write: (bytes, position) =>
      slow("write a part", async () => {
        if (!(bytes instanceof Uint8Array)) {
          return await writeFrom(bytes, position);
        }
        const past = directFor(bytes.length, position);
        const isDirect = past?.fits(bytes, position) === true;
        const done = isDirect
          ? Math.max(0, await past.write(bytes, position))
          : 0;
        if (done === bytes.length) {
          return;
        }
        await writeAt(fd, bytes.subarray(done), position + done, native);
      }),
    truncate: (sizeBytes) =>
      quick("cut a part", () => ftruncateSync(fd, sizeBytes)),
    setMeta: (meta) =>
      quick(
        "set mode and time of a part",
        () => setOpenMeta(native, fd, meta),
      ),
    sync: () => slow("sync a part", () => syncData(fd)),
  };
}

/** A direct write that is shorter costs more than the copy that it saves. */
const DIRECT_WRITE_BYTES = 256 * 1024;
/** A file that does not reach as far may be one of hundreds that are open. */
const DIRECT_FROM_BYTES = 4 * 1024 * 1024;

/** A write as short as this takes 1 to 20 µs at once, and 19 µs to hand over. */
const SHORT_WRITE_BYTES = 64 * 1024;

async function readAt(
  fd: number,
  into: Uint8Array,
  position: number,
): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const count = await readSome(fd, into, done, position + done);
    if (count === 0) {
      break;
    }
    done += count;
  }
  return done;
}

function readSome(
  fd: number,
  into: Uint8Array,
  offset: number,
  position: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, into, offset, into.length - offset, position, (error, count) => {
      error ? reject(error) : resolve(count);
    });
  });
}

async function writeAt(
  fd: number,
  bytes: Uint8Array,
  position: number,
  native: Native | undefined,
): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const left = done === 0 ? bytes : bytes.subarray(done);
    const count = left.length > SHORT_WRITE_BYTES && native !== undefined
      ? await native.write(fd, left, position + done)
      : -1;
    // Once more at once if that failed: it tells why.
    done += count > 0
      ? count
      : writeSync(fd, left, 0, left.length, position + done);
  }
}

function syncData(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(fd, (error) => error ? reject(error) : resolve());
  });
}
