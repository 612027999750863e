/**
 * What the sender's ledger knows of entries, and what it can be asked and told;
 * `outgoing.ts` has the ledger itself.
 *
 * @module
 */
import type { ErrorCode } from "../core/errors.ts";
import type { Writer } from "./cursor.ts";
import type { Entry, Outcome } from "./entry.ts";
import type { Final } from "./ledger_row.ts";
import type { StatusFrame } from "./status.ts";

/** Chunks that must be read, and sent or found to be the same. */
export interface Work {
  readonly index: number;
  readonly gen: number;
  readonly first: number;
  readonly count: number;
}

/** One entry, as long as it is not final at the receiver. */
export interface OutEntry<S> {
  readonly index: number;
  /** Where it comes from; the ledger does not look inside. */
  readonly source: S;
  /** What was announced last, and its generation. */
  readonly entry: Entry;
  readonly gen: number;
  /** The digest of the content, once known. */
  readonly digest: Uint8Array | undefined;
  /** The file's own BLAKE3, where it was asked for and is known. */
  readonly b3sum: Uint8Array | undefined;
  /** True once it was read whole and had not changed. */
  readonly unchanged: boolean;
  readonly outcome: Outcome;
  readonly code: ErrorCode | undefined;
  readonly reason: string | undefined;
  /** True when the receiver had it in place already. */
  readonly skipped: boolean;
  /** Chunks from here on are wanted without a look at candidates; `undefined` before a verdict. */
  readonly wantedFrom: number | undefined;
}

/** What to do with a chunk that was read. */
export type ChunkUse =
  /** Send it. */
  | "data"
  /** Say that the receiver's candidate is right. */
  | "same"
  /** Drop it: the entry was announced anew, or is final. */
  | "stale"
  /** The file is not what it was: announce it anew. */
  | "changed";

/** Counts over entries that are final, and bytes as they stand. */
export interface OutTotals {
  /** Files, links and folders that are final. */
  readonly entries: number;
  /** Bytes of files that are final and here. */
  readonly bytes: number;
  /** Bytes that are verified and on the receiver's disk. */
  readonly durable: number;
  /** Bytes found so far. */
  readonly found: number;
  readonly skipped: number;
  readonly failed: number;
}

/** The ledger. */
export interface Outgoing<S> {
  /** The lowest index that is not final. */
  readonly base: number;
  /** The index that the next entry gets. */
  readonly next: number;
  /** True once no entry will follow. */
  readonly ended: boolean;
  readonly totals: OutTotals;
  add(entry: Entry, source: S): OutEntry<S>;
  get(index: number): OutEntry<S> | undefined;
  /** Entries that are not final, in order. */
  live(): Iterable<OutEntry<S>>;
  end(): void;
  /** Takes what the receiver says. */
  heard(frame: StatusFrame): readonly Work[];
  /**
   * A new connection to the same receiver: forgets candidates, which it offers
   * again, and returns what it is known to want, by entry.
   */
  reconnected(): ReadonlyMap<OutEntry<S>, readonly Work[]>;
  /** Books the digest of a chunk that was read from the source. */
  chunkRead(
    index: number,
    gen: number,
    chunk: number,
    digest: Uint8Array,
  ): ChunkUse;
  /**
   * What of `work` is wanted and not durable. What is durable and was never
   * booked as read counts as missing: its digest is lost with who read it.
   */
  missing(work: Work): readonly Work[];
  /** Whether there is anything of `work` that `missing()` tells. */
  isMissing(work: Work): boolean;
  /** The digests of `work` that are known, and those that the receiver offers; zeros elsewhere. */
  digests(work: Work): {
    readonly known: Uint8Array<ArrayBuffer>;
    readonly offered: Uint8Array<ArrayBuffer>;
  };
  /** True when every chunk of this generation has been read and its content digest is not yet settled. */
  isRead(index: number, gen: number): boolean;
  /**
   * Books that a file was read whole and had not changed, and settles its digest
   * unless its own BLAKE3 is still to come. Told before the last of it is sent:
   * the receiver may have it, and the line be cut, before the lane says so.
   */
  wasRead(index: number, gen: number): void;
  /** Files that were read whole since the last call; they may have changed or be final since. */
  takeRead(): readonly OutEntry<S>[];
  /** Settles the content digest of a file that was read whole and had not changed; returns what to announce. */
  settle(index: number, b3sum?: Uint8Array): OutEntry<S> | undefined;
  /** Announces a changed file anew; `undefined` when it is final already. */
  change(index: number, entry: Entry): OutEntry<S> | undefined;
  /** Gives an entry up; `undefined` when it is final already. */
  giveUp(
    index: number,
    code: ErrorCode,
    reason: string,
  ): OutEntry<S> | undefined;
  /** Final entries since the last call, for those who report them. */
  takeFinal(): OutEntry<S>[];
}

/** What a ledger needs: hashes of bytes and the running root. */
export interface OutgoingDeps {
  /** Files come with their own BLAKE3; that of one chunk is its digest. */
  readonly b3sum?: boolean;
  /** BLAKE3 of `bytes`. */
  readonly digest: (bytes: Uint8Array) => Uint8Array;
  /** Takes what is to be added to the root digest. */
  readonly records: Writer;
  /** What becomes of an entry, as both sides know it. */
  readonly final: (index: number) => Final | undefined;
}
