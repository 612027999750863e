/**
 * The router's store: records in memory, their log and the chunks on disk, kept
 * in step. It is what everything that the router does goes through.
 *
 * What adds (a chunk, recipients, an upload) is in the log before it is said
 * to be done, and undone when the log cannot be written. What removes takes the
 * file first and the record last, so that a crash leaves a record without a
 * file, which is answered as if it were not there, and never a file that nobody
 * knows of.
 *
 * @module
 */
import type { Bytes } from "../encoding.ts";
import type { Blocking } from "../faults.ts";
import type { PublicKey } from "../keys.ts";
import type { ChunkFiles } from "./chunk_files.ts";
import type { LogFile } from "./log_file.ts";
import {
  ACTIVE,
  type ChunkRecord,
  type Recipient,
  type Records,
} from "./records.ts";
import { formatStoreLine, type StoreEvent } from "./store_line.ts";

/** What a store is made of. */
export interface StoreDeps {
  /** What is known. */
  readonly records: Records;
  /** Where it is kept; without, it is gone with the process. */
  readonly log?: LogFile;
  /** The chunks. */
  readonly files: ChunkFiles;
  /** The most bytes that may be stored; without, as many as the disk takes. */
  readonly quotaBytes?: number;
}

/** A chunk that is to be made. */
export interface NewChunk {
  readonly id: Bytes;
  readonly senderKey: PublicKey;
  readonly size: number;
  readonly digest: Bytes;
  readonly createdS: number;
}

/** Bytes of the quota, until they are in use or given back. */
export interface Reservation {
  /** Gives them back; again does nothing. */
  release(): void;
}

/** How a chunk can be found. */
export type StoreView = Pick<
  Records,
  | "count"
  | "pending"
  | "stored"
  | "storedBytes"
  | "ofSender"
  | "ofRecipient"
  | "all"
>;

/** Chunks, and what can be done to them. Failures are `local-io`. */
export interface Store {
  /** What there is. */
  readonly records: StoreView;
  /** The chunks on disk. */
  readonly files: ChunkFiles;
  /** Bytes that are stored or reserved. */
  readonly usedBytes: number;
  /** The most bytes that may be stored, if there is a limit. */
  readonly quotaBytes: number | undefined;
  /** Adds a chunk; false when its id is in use. */
  add(chunk: NewChunk): Promise<boolean>;
  /** Adds recipients; false, and none of them, when an id is in use. */
  addRecipients(
    chunk: ChunkRecord,
    recipients: readonly Recipient[],
  ): Promise<boolean>;
  /** Reserves bytes of the quota; `undefined` when there are not enough. */
  reserve(bytes: number): Reservation | undefined;
  /**
   * Says that a chunk is in place on disk; what was reserved for it is in use
   * then. It may be gone or blocked by now, or have been there before.
   */
  uploaded(
    chunk: ChunkRecord,
    reservation: Reservation,
  ): Promise<"stored" | "again" | "gone">;
  /** Removes a chunk. */
  remove(chunk: ChunkRecord): Promise<void>;
  /** Removes a chunk from the disk and keeps its record, which says why. */
  block(chunk: ChunkRecord, blocking: Blocking): Promise<void>;
  /** Removes a recipient. */
  acknowledge(recipientId: Bytes): Promise<void>;
  /** Waits for what was begun, and closes the log. */
  close(): Promise<void>;
}

/** Creates a store of what is given. */
export function createStore(deps: StoreDeps): Store {
  const { records, log, files, quotaBytes } = deps;
  let reservedBytes = 0;
  const write = async (event: StoreEvent): Promise<void> => {
    await log?.append(formatStoreLine(event));
  };
  /** Does what can be undone, then writes it down. */
  const adding = async (
    event: StoreEvent,
    undo: () => void,
  ): Promise<void> => {
    try {
      await write(event);
    } catch (error) {
      undo();
      throw error;
    }
  };
  const isUsable = (chunk: ChunkRecord): boolean =>
    records.ofSender(chunk.id) === chunk && chunk.status.type === "active";
  /** The file, and with it what the chunk counts in the quota. */
  const removeFile = async (chunk: ChunkRecord): Promise<void> => {
    await files.remove(chunk.id);
    records.setUploaded(chunk, false);
  };
  return {
    records,
    files,
    quotaBytes,
    get usedBytes() {
      return records.storedBytes + reservedBytes;
    },
    async add(chunk) {
      if (!records.add(chunk)) return false;
      const { id } = chunk;
      await adding({ ...chunk, type: "FNEW", status: ACTIVE }, () => {
        const added = records.ofSender(id);
        if (added !== undefined) records.remove(added);
      });
      return true;
    },
    async addRecipients(chunk, recipients) {
      if (!records.addRecipients(chunk, recipients)) return false;
      await adding({ type: "FADD", id: chunk.id, recipients }, () => {
        for (const { id } of recipients) records.removeRecipient(id);
      });
      return true;
    },
    reserve(bytes) {
      const used = records.storedBytes + reservedBytes;
      if (quotaBytes !== undefined && used + bytes > quotaBytes) {
        return undefined;
      }
      reservedBytes += bytes;
      let held = bytes;
      return {
        release() {
          reservedBytes -= held;
          held = 0;
        },
      };
    },
    async uploaded(chunk, reservation) {
      if (!isUsable(chunk)) return "gone";
      if (chunk.uploaded) return "again";
      const { id } = chunk;
      // Not before it is written: who sees it as uploaded may tell its client.
      await write({ type: "FPUT", id, path: files.pathOf(id) });
      if (!isUsable(chunk)) return "gone";
      reservation.release();
      records.setUploaded(chunk, true);
      return "stored";
    },
    async remove(chunk) {
      await removeFile(chunk);
      await write({ type: "FDEL", id: chunk.id });
      records.remove(chunk);
    },
    async block(chunk, blocking) {
      // First, so that what is being uploaded is not put in place any more.
      records.setStatus(chunk, { type: "blocked", blocking });
      await removeFile(chunk);
      await write({ type: "FBLK", id: chunk.id, blocking });
    },
    async acknowledge(recipientId) {
      await write({ type: "FACK", id: recipientId });
      records.removeRecipient(recipientId);
    },
    async close() {
      await log?.close();
    },
  };
}
