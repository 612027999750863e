/**
 * The receiver's journal: what of a session may be on disk, across restarts.
 *
 * One file a session, an append-only chain of checked records (their layout is
 * in `journal_codec.ts`). It is a hint, never a proof: before anything in a part
 * file is offered to a peer it is read and hashed again, and a `done` record
 * holds only while the file it names has the very stamp it had then. So losing
 * a journal, or its tail, costs time and never correctness.
 *
 * Everything that changes it is kept in memory until {@linkcode Journal.flush},
 * which the caller calls after the data it speaks of was synced.
 *
 * @module
 */
import { ioError } from "./io_error.ts";
import {
  type Digest,
  type DoneRecord,
  MAX_HAVE_DIGESTS,
  type PartStamp,
} from "./journal_codec.ts";
import { type JournalDisk, journalDisk } from "./journal_disk.ts";
import { diskFs, type JournalFs } from "./journal_fs.ts";
import { openFile } from "./journal_open.ts";
import { chunksOf, type PartRecord, type Parts } from "./journal_parts.ts";
import { quoted } from "./paths.ts";

export type { DoneRecord, PartRecord, PartStamp };

/** What opening a journal takes. */
export interface OpenJournalOptions {
  /** The file, `<resume dir>/<session hex>.bitmap`. */
  readonly file: string;
  /** The session, 32 bytes. */
  readonly session: Uint8Array;
  /** What tells the upload directory from others. */
  readonly root: string;
  /** BLAKE3-256. */
  readonly digest: Digest;
  /** 8 bytes that no peer knows, for the index of paths. @default {numbers that anybody knows} */
  readonly secret?: Uint8Array;
  /** Forget what is there. @default {false} */
  readonly fresh?: boolean;
  /** @default {the disk} */
  readonly fs?: JournalFs;
}

/** A journal, and what became of the one that was there. */
export interface OpenedJournal {
  readonly journal: Journal;
  /**
   * `fresh`: there was none. `resumed`: all of it is there. `repaired`: its end
   * was damaged and is cut off. `replaced`: it was of no use, and set aside as
   * `….bad`.
   */
  readonly state: "fresh" | "resumed" | "repaired" | "replaced";
  /** What was wrong, for people. */
  readonly note?: string;
}

/** What of a session may be on disk. */
export interface Journal {
  /** Bytes of the log, with those not flushed yet. */
  readonly size: number;
  /** How many files are done. */
  readonly doneCount: number;
  /** Memory that the index of done files takes. */
  readonly indexBytes: number;
  parts(): Iterable<PartRecord>;
  part(slot: number): PartRecord | undefined;
  partFor(path: string): PartRecord | undefined;
  /** The last done record of a path. */
  doneFor(path: string): Promise<DoneRecord | undefined>;
  /** As `doneFor()`, if that record is in memory. */
  doneNow(path: string): DoneRecord | undefined;
  /**
   * Begins a part and returns its slot, which no other part ever had. It takes
   * the place of another part of that path. A part file of that name that is
   * there all the same is nobody's: a journal can lose its end.
   */
  begin(stamp: PartStamp): number;
  /** Adds consecutive chunks, with 32 bytes of digest each. */
  have(slot: number, first: number, digests: Uint8Array): void;
  /** Adds a file that is in place, and drops the part of that path. */
  done(record: DoneRecord): void;
  /** Forgets a part, if there is one. */
  drop(slot: number): void;
  /**
   * Writes and syncs all that was added before the call.
   *
   * @throws {SftpxError} `local-io`. Nothing is lost then: a later flush, when
   * the disk has room again, writes the same records.
   */
  flush(): Promise<void>;
  /** Writes the journal anew without what no longer counts, and flushes. */
  compact(): Promise<void>;
  /**
   * Flushes, and lets others open it. It is closed even when that fails.
   *
   * @param keepBlank Leaves a file to which nothing was ever added. @default {true}
   */
  close(keepBlank?: boolean): Promise<void>;
}

/** A log shorter than this is not worth writing anew when it is opened. */
const COMPACT_ON_OPEN_BYTES = 1 << 16;

/**
 * Opens the journal of a session, or begins one.
 *
 * @throws {SftpxError} `peer-busy` when another process has it open.
 */
export async function openJournal(
  options: OpenJournalOptions,
): Promise<OpenedJournal> {
  const { file, session, fs = diskFs } = options;
  if (session.length !== 32) {
    throw new RangeError(
      `Cannot open journal as session must have 32 bytes: current value has ${session.length}`,
    );
  }
  const what = `open journal ${quoted(file)}`;
  const loaded = await openFile({ ...options, fs }).catch((error) => {
    throw ioError(what, error);
  });
  const disk = journalDisk({ name: file, digest: options.digest, fs }, loaded);
  let { note } = loaded;
  if (disk.wasteful(COMPACT_ON_OPEN_BYTES)) {
    // The journal is as good as it was; it is only longer than it need be.
    await disk.compact().catch((error) => {
      note = note === undefined ? error.message : `${note}; ${error.message}`;
    });
  }
  const { state } = loaded;
  const journal = journalOf(disk, loaded.parts);
  return note === undefined ? { journal, state } : { journal, state, note };
}

function journalOf(disk: JournalDisk, parts: Parts): Journal {
  return {
    get size() {
      return disk.size;
    },
    get doneCount() {
      return disk.doneCount;
    },
    get indexBytes() {
      return disk.indexBytes;
    },
    parts: parts.all,
    part: parts.get,
    partFor: parts.forPath,
    doneFor: disk.doneFor,
    doneNow: disk.doneNow,
    begin(stamp) {
      const slot = parts.nextSlot;
      const { path, size, mtimeNs, chunkSize } = stamp;
      disk.add({ type: "begin", slot, path, size, mtimeNs, chunkSize });
      return slot;
    },
    have(slot, first, digests) {
      const part = parts.get(slot);
      const end = first + digests.length / 32;
      const chunks = part ? chunksOf(part.size, part.chunkSize) : 0;
      if (!(first >= 0 && end > first && end <= chunks)) {
        throw new RangeError(
          `Cannot add chunks ${first}..${end} to slot ${slot}: it has ${chunks}`,
        );
      }
      for (let at = 0; at < digests.length; at += 32 * MAX_HAVE_DIGESTS) {
        const some = digests.subarray(at, at + 32 * MAX_HAVE_DIGESTS);
        disk.add({ type: "have", slot, first: first + at / 32, digests: some });
      }
    },
    done(record) {
      disk.add({
        type: "done",
        path: record.path,
        size: record.size,
        mtimeNs: record.mtimeNs,
        digest: record.digest,
        finalPath: record.finalPath,
        local: record.local,
      });
    },
    drop(slot) {
      if (parts.get(slot) !== undefined) disk.add({ type: "drop", slot });
    },
    flush: disk.flush,
    compact: disk.compact,
    close: disk.close,
  };
}
