/**
 * Journals for tests: opened on a disk in memory, filled, and told as data.
 *
 * @module
 */
import { hash } from "blake3-jit";
import {
  type DoneRecord,
  type Journal,
  type OpenedJournal,
  openJournal,
  type PartStamp,
} from "../../store/journal.ts";
import type { MemoryDisk } from "./memory_journal_fs.ts";

/** The name under which the tests have their journal. */
export const FILE = "resume/aa.bitmap";
/** BLAKE3. */
export const blake3 = (bytes: Uint8Array): Uint8Array => hash(bytes);
/** 32 bytes that begin with a number. */
export function digestOf(number: number): Uint8Array {
  const digest = new Uint8Array(32);
  new DataView(digest.buffer).setFloat64(0, number);
  return digest;
}

/** Opens the tests' journal. */
export function openOn(
  disk: MemoryDisk,
  options: { session?: Uint8Array; root?: string; fresh?: boolean } = {},
): Promise<OpenedJournal> {
  const session = options.session ?? new Uint8Array(32).fill(1);
  const root = options.root ?? "/uploads";
  const fresh = options.fresh ?? false;
  const { fs } = disk;
  return openJournal({ file: FILE, session, root, digest: blake3, fresh, fs });
}

/** A file of so many chunks of 64 KiB. */
export function stampOf(path: string, chunks = 1): PartStamp {
  return { path, size: chunks << 16, mtimeNs: -5n, chunkSize: 1 << 16 };
}

/** A done record that differs from others of the path by `seed`. */
export function doneOf(path: string, seed = 0): DoneRecord {
  return {
    path,
    size: seed,
    mtimeNs: 1_700_000_000_123_456_789n + BigInt(seed),
    digest: digestOf(seed),
    finalPath: seed % 2 === 0 ? path : `${path} (1)`,
    local: {
      size: seed,
      mtimeNs: -1n,
      ctimeNs: 2n ** 62n,
      ino: 2n ** 64n - 1n,
    },
  };
}

/** All that a journal says, of the paths asked for, as plain data. */
export async function contentOf(
  journal: Journal,
  paths: Iterable<string>,
): Promise<{ parts: unknown[]; done: DoneRecord[] }> {
  const parts = [...journal.parts()].map((part) => {
    const { slot, path, size, mtimeNs, chunkSize, chunks } = part;
    const digests = [...chunks.ranges()].flatMap(({ start, end }) =>
      Array.from({ length: end - start }, (_, i) => [
        start + i,
        part.digest(start + i)?.toHex(),
      ])
    );
    return { slot, path, size, mtimeNs, chunkSize, digests };
  }).sort((a, b) => a.slot - b.slot);
  const done: DoneRecord[] = [];
  for (const path of paths) {
    const record = await journal.doneFor(path);
    if (record !== undefined) done.push(record);
  }
  return { parts, done };
}
