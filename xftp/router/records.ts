/**
 * What the router knows of its chunks, in memory: the store's log has the same
 * on disk. Found by the sender's id, and by each recipient's.
 *
 * @module
 */
import { toBase64Url } from "../../core/bytes.ts";
import type { Bytes } from "../encoding.ts";
import type { Blocking } from "../faults.ts";
import type { PublicKey } from "../keys.ts";

/** What is to be done with a chunk: `off` is as if it were not there. */
export type ChunkStatus =
  | { readonly type: "active" | "off" }
  | { readonly type: "blocked"; readonly blocking: Blocking };

/** A chunk. */
export interface ChunkRecord {
  /** What its sender calls it. */
  readonly id: Bytes;
  /** What its sender signs with. */
  readonly senderKey: PublicKey;
  /** Its bytes. */
  readonly size: number;
  /** Its SHA-256. */
  readonly digest: Bytes;
  /** When it was made, in seconds since 1970; whole hours. */
  readonly createdS: number;
  /** Keys of recipients, by their ids. */
  readonly recipients: ReadonlyMap<string, PublicKey>;
  /** Whether it may be used. */
  readonly status: ChunkStatus;
  /** Whether it is on disk, and so counts in the quota. */
  readonly uploaded: boolean;
}

/** A recipient of a chunk. */
export interface Recipient {
  /** What it calls the chunk. */
  readonly id: Bytes;
  /** What it signs with. */
  readonly key: PublicKey;
}

/** All chunks. */
export interface Records {
  /** How many there are. */
  readonly count: number;
  /** How many of them were not uploaded yet. */
  readonly pending: number;
  /** How many are on disk. */
  readonly stored: number;
  /** The bytes of those on disk. */
  readonly storedBytes: number;
  /** The chunk that its sender calls `id`. */
  ofSender(id: Uint8Array): ChunkRecord | undefined;
  /** The chunk that a recipient calls `id`, and that one's key. */
  ofRecipient(
    id: Uint8Array,
  ): { readonly chunk: ChunkRecord; readonly key: PublicKey } | undefined;
  /** Adds a chunk; false when the id is in use. */
  add(
    chunk: Omit<ChunkRecord, "recipients" | "status" | "uploaded">,
    status?: ChunkStatus,
  ): boolean;
  /** Adds recipients; false, and none of them, when an id is in use. */
  addRecipients(
    chunk: ChunkRecord,
    recipients: readonly Recipient[],
  ): boolean;
  /** Says whether a chunk is on disk. */
  setUploaded(chunk: ChunkRecord, uploaded: boolean): void;
  /** Says whether a chunk may be used. */
  setStatus(chunk: ChunkRecord, status: ChunkStatus): void;
  /** Removes a chunk and its recipients. */
  remove(chunk: ChunkRecord): void;
  /** Removes a recipient. */
  removeRecipient(id: Uint8Array): void;
  /** All chunks, in the order in which they came. */
  all(): IterableIterator<ChunkRecord>;
}

interface Entry extends ChunkRecord {
  recipients: Map<string, PublicKey>;
  status: ChunkStatus;
  uploaded: boolean;
}

/** The status of a chunk that may be used. */
export const ACTIVE: ChunkStatus = Object.freeze({ type: "active" });

/** Creates records of nothing. */
export function createRecords(): Records {
  const chunks = new Map<string, Entry>();
  const recipients = new Map<string, Entry>();
  let stored = 0;
  let storedBytes = 0;
  /** Only what is still among the records may change them. */
  const entryOf = (chunk: ChunkRecord): Entry | undefined => {
    const entry = chunks.get(toBase64Url(chunk.id));
    return entry === chunk ? entry : undefined;
  };
  const setUploaded = (entry: Entry, uploaded: boolean): void => {
    if (entry.uploaded === uploaded) return;
    entry.uploaded = uploaded;
    stored += uploaded ? 1 : -1;
    storedBytes += uploaded ? entry.size : -entry.size;
  };
  return {
    get count() {
      return chunks.size;
    },
    get pending() {
      return chunks.size - stored;
    },
    get stored() {
      return stored;
    },
    get storedBytes() {
      return storedBytes;
    },
    ofSender: (id) => chunks.get(toBase64Url(id)),
    ofRecipient(id) {
      const name = toBase64Url(id);
      const chunk = recipients.get(name);
      const key = chunk?.recipients.get(name);
      return chunk === undefined || key === undefined
        ? undefined
        : { chunk, key };
    },
    add(chunk, status = ACTIVE) {
      const name = toBase64Url(chunk.id);
      if (chunks.has(name)) return false;
      const { id, senderKey, size, digest, createdS } = chunk;
      chunks.set(name, {
        id,
        senderKey,
        size,
        digest,
        createdS,
        status,
        recipients: new Map(),
        uploaded: false,
      });
      return true;
    },
    addRecipients(chunk, added) {
      const entry = entryOf(chunk);
      const names = added.map(({ id }) => toBase64Url(id));
      if (
        entry === undefined || names.some((name) => recipients.has(name)) ||
        new Set(names).size < names.length
      ) return false;
      for (const { id, key } of added) {
        const name = toBase64Url(id);
        recipients.set(name, entry);
        entry.recipients.set(name, key);
      }
      return true;
    },
    setUploaded(chunk, uploaded) {
      const entry = entryOf(chunk);
      if (entry !== undefined) setUploaded(entry, uploaded);
    },
    setStatus(chunk, status) {
      const entry = entryOf(chunk);
      if (entry !== undefined) entry.status = status;
    },
    remove(chunk) {
      const entry = entryOf(chunk);
      if (entry === undefined) return;
      setUploaded(entry, false);
      for (const name of entry.recipients.keys()) recipients.delete(name);
      chunks.delete(toBase64Url(chunk.id));
    },
    removeRecipient(id) {
      const name = toBase64Url(id);
      recipients.get(name)?.recipients.delete(name);
      recipients.delete(name);
    },
    all: () => chunks.values(),
  };
}
