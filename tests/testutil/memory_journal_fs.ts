/**
 * A disk in memory for journals, which can be full, fail, and be copied at any
 * moment.
 *
 * @module
 */
import type { JournalFile, JournalFs } from "../../store/journal_fs.ts";

/** What can be made to fail. */
export type DiskOperation =
  | "write"
  | "sync"
  | "truncate"
  | "rename"
  | "syncDir";

/** A disk in memory. */
export interface MemoryDisk {
  readonly fs: JournalFs;
  /** The content of the files, by name. Replace one to damage it. */
  readonly files: Map<string, Uint8Array>;
  /** Every operation that was asked for, in order. */
  readonly calls: DiskOperation[];
  /** How many files are open, and locks held. */
  readonly open: { files: number; locks: Set<string> };
  /** Bytes that can still be written; what does not fit is cut off. */
  room: number;
  /** Fails the next so many operations of a kind. */
  readonly failing: Map<DiskOperation, number>;
  /** Awaited before each operation, to hold it up. */
  before: (operation: DiskOperation) => Promise<void> | void;
  /** Awaited in the middle of each read. */
  reading: () => Promise<void>;
}

/** An error as the system makes it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** Creates an empty disk. */
export function memoryDisk(): MemoryDisk {
  const names = new Map<string, { bytes: Uint8Array }>();
  const files = new Map<string, Uint8Array>();
  // The map that tests see, kept up with the files by name.
  const show = (): void => {
    files.clear();
    for (const [name, { bytes }] of names) files.set(name, bytes);
  };
  const set = files.set.bind(files);
  files.set = (name, bytes) => {
    const node = names.get(name);
    if (node) node.bytes = bytes;
    else names.set(name, { bytes });
    return set(name, bytes);
  };
  const act = async (operation: DiskOperation): Promise<void> => {
    disk.calls.push(operation);
    await disk.before(operation);
    const left = disk.failing.get(operation) ?? 0;
    if (left === 0) return;
    disk.failing.set(operation, left - 1);
    throw systemError("EIO");
  };
  const opened = (node: { bytes: Uint8Array }): JournalFile => {
    disk.open.files++;
    let closed = false;
    const check = (): void => {
      if (closed) throw systemError("EBADF");
    };
    return {
      async size() {
        await Promise.resolve();
        check();
        return node.bytes.length;
      },
      async read(into, position) {
        await disk.reading();
        check();
        const bytes = node.bytes.subarray(position, position + into.length);
        into.set(bytes);
        return bytes.length;
      },
      async write(bytes, position) {
        check();
        await act("write");
        const end = position + Math.min(bytes.length, disk.room);
        const next = new Uint8Array(Math.max(node.bytes.length, end));
        next.set(node.bytes);
        next.set(bytes.subarray(0, end - position), position);
        node.bytes = next;
        show();
        disk.room -= end - position;
        if (end - position < bytes.length) throw systemError("ENOSPC");
      },
      async truncate(size) {
        check();
        await act("truncate");
        node.bytes = node.bytes.slice(0, size);
        show();
      },
      async sync() {
        check();
        await act("sync");
      },
      async close() {
        await Promise.resolve();
        check();
        closed = true;
        disk.open.files--;
      },
    };
  };
  const disk: MemoryDisk = {
    files,
    calls: [],
    open: { files: 0, locks: new Set() },
    room: Infinity,
    failing: new Map(),
    before: () => {},
    reading: () => Promise.resolve(),
    fs: {
      makeDir: () => Promise.resolve(),
      open(path) {
        const node = names.get(path);
        return Promise.resolve(node && opened(node));
      },
      create(path) {
        const node = names.get(path) ?? { bytes: new Uint8Array(0) };
        node.bytes = new Uint8Array(0);
        names.set(path, node);
        show();
        return Promise.resolve(opened(node));
      },
      async rename(from, to) {
        await act("rename");
        const node = names.get(from);
        if (node === undefined) throw systemError("ENOENT");
        names.delete(from);
        names.set(to, node);
        show();
      },
      remove(path) {
        names.delete(path);
        show();
        return Promise.resolve();
      },
      syncDir: () => act("syncDir"),
      lock(path) {
        if (disk.open.locks.has(path)) return Promise.resolve(undefined);
        disk.open.locks.add(path);
        return Promise.resolve({
          release() {
            disk.open.locks.delete(path);
            return Promise.resolve();
          },
        });
      },
    },
  };
  return disk;
}
