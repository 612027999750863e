/**
 * What the journal keeps in memory: the part files, their have-sets and
 * chunk digests.
 *
 * Digests live in pages that come into being with their first chunk, so what a
 * peer *says* of a file's size takes no memory, only what it has sent.
 *
 * @module
 */
import { type RangeSet, rangeSet } from "../protocol/ranges.ts";
import type { ReadonlyRangeSet } from "../protocol/ranges.ts";
import {
  type JournalRecord,
  MAX_HAVE_DIGESTS,
  type PartStamp,
} from "./journal_codec.ts";

/** A part file, as the journal has it. */
export interface PartRecord extends PartStamp {
  /** Its number, and the name of its part file. */
  readonly slot: number;
  /** The chunks that may be on disk. */
  readonly chunks: ReadonlyRangeSet;
  /** The digest of a chunk that may be there; a view, not to be changed. */
  digest(chunk: number): Uint8Array | undefined;
}

/** The parts of a journal, by slot and by path. */
export interface Parts {
  /** The lowest slot that was never given out. */
  readonly nextSlot: number;
  get(slot: number): PartRecord | undefined;
  forPath(path: string): PartRecord | undefined;
  all(): Iterable<PartRecord>;
  /** Takes a record's effect. What makes no sense has none. */
  apply(record: JournalRecord): void;
  /** Bytes that the records of a fresh journal would take, roughly. */
  liveBytes(): number;
  /** The records that make these parts, as they are now. */
  snapshot(): Iterable<JournalRecord>;
}

/** Digests in a page: 4 KiB. */
const PAGE_DIGESTS = 128;
/** Head, check and numbers of a record; an estimate is enough. */
const RECORD_OVERHEAD_BYTES = 40;

interface Part extends PartRecord {
  readonly chunks: RangeSet;
  readonly pages: Map<number, Uint8Array>;
}

/** Creates a set of no parts. */
export function journalParts(): Parts {
  const bySlot = new Map<number, Part>();
  const byPath = new Map<string, Part>();
  let nextSlot = 0;

  const drop = (part: Part | undefined): void => {
    if (part === undefined) return;
    bySlot.delete(part.slot);
    byPath.delete(part.path);
  };

  return {
    get nextSlot() {
      return nextSlot;
    },
    get: (slot) => bySlot.get(slot),
    forPath: (path) => byPath.get(path),
    all: () => bySlot.values(),
    apply(record) {
      switch (record.type) {
        case "begin": {
          drop(bySlot.get(record.slot));
          drop(byPath.get(record.path));
          const part = newPart(record.slot, record);
          bySlot.set(record.slot, part);
          byPath.set(record.path, part);
          nextSlot = Math.max(nextSlot, record.slot + 1);
          return;
        }
        case "have":
          hold(bySlot.get(record.slot), record.first, record.digests);
          return;
        case "done":
          drop(byPath.get(record.path));
          return;
        case "drop":
          drop(bySlot.get(record.slot));
          return;
        case "floor":
          nextSlot = Math.max(nextSlot, record.slot);
          return;
      }
    },
    liveBytes() {
      let bytes = RECORD_OVERHEAD_BYTES; // the floor
      for (const { path, chunks } of bySlot.values()) {
        bytes += RECORD_OVERHEAD_BYTES * (1 + chunks.rangeCount) +
          path.length + 32 * chunks.count;
      }
      return bytes;
    },
    snapshot() {
      // Copied now, spelled out while it is written. Digests are shared: one
      // that changes meanwhile is in the log again, after the snapshot.
      const copies = [...bySlot.values()]
        .map((part) => ({ part, chunks: part.chunks.clone() }));
      return snapshotRecords(nextSlot, copies);
    },
  };
}

/** How many chunks a file of this size has. */
export function chunksOf(size: number, chunkSize: number): number {
  return Math.ceil(size / chunkSize);
}

function newPart(slot: number, stamp: PartStamp): Part {
  const { path, size, mtimeNs, chunkSize } = stamp;
  const pages = new Map<number, Uint8Array>();
  const chunks = rangeSet();
  return {
    slot,
    path,
    size,
    mtimeNs,
    chunkSize,
    chunks,
    pages,
    digest(chunk) {
      if (!chunks.has(chunk)) return undefined;
      const at = (chunk % PAGE_DIGESTS) * 32;
      return pages.get(Math.floor(chunk / PAGE_DIGESTS))?.subarray(at, at + 32);
    },
  };
}

function hold(
  part: Part | undefined,
  first: number,
  digests: Uint8Array,
): void {
  if (part === undefined) return;
  const end = first + digests.length / 32;
  if (end > chunksOf(part.size, part.chunkSize)) return;
  for (let chunk = first; chunk < end; chunk++) {
    const number = Math.floor(chunk / PAGE_DIGESTS);
    let page = part.pages.get(number);
    if (page === undefined) {
      page = new Uint8Array(PAGE_DIGESTS * 32);
      part.pages.set(number, page);
    }
    const at = (chunk - first) * 32;
    page.set(digests.subarray(at, at + 32), (chunk % PAGE_DIGESTS) * 32);
  }
  part.chunks.add(first, end);
}

function* snapshotRecords(
  nextSlot: number,
  copies: readonly { part: Part; chunks: RangeSet }[],
): Generator<JournalRecord, void> {
  yield { type: "floor", slot: nextSlot };
  for (const { part, chunks } of copies) {
    const { slot, path, size, mtimeNs, chunkSize } = part;
    yield { type: "begin", slot, path, size, mtimeNs, chunkSize };
    for (;;) {
      const range = chunks.takeFirst(MAX_HAVE_DIGESTS);
      if (range === undefined) break;
      const digests = new Uint8Array((range.end - range.start) * 32);
      for (let chunk = range.start; chunk < range.end; chunk++) {
        const digest = part.digest(chunk);
        if (digest !== undefined) {
          digests.set(digest, (chunk - range.start) * 32);
        }
      }
      yield { type: "have", slot, first: range.start, digests };
    }
  }
}
