/**
 * One open entry at the receiver's desk, and what part of a failure is its own.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import type { Entry } from "../protocol/entry.ts";
import type { RangeSet } from "../protocol/ranges.ts";
import type { Verdict } from "../protocol/status.ts";
import type { Incoming } from "../store/incoming.ts";
import { isPlaceFailure } from "../store/io_error.ts";
import type { SafePath } from "../store/paths.ts";
import type { CandidateRun, FinalFact } from "./facts.ts";
import type { CheckedChunk } from "./lane_receive.ts";

/** An entry that was announced. */
export interface Announced {
  readonly index: number;
  readonly gen: number;
  readonly entry: Entry;
}

/** A file that is all there, and what it is. */
export interface WholeFile {
  readonly index: number;
  readonly gen: number;
  readonly digest: Uint8Array;
  readonly b3sum: Uint8Array | undefined;
  /** What of it was written that was not told before. */
  readonly bytes: number;
}

/** An entry that is open. */
export interface Item extends Announced {
  path: SafePath | undefined;
  file: Incoming | undefined;
  /** `whole`: nothing more is to come, and the next checkpoint may finish it. */
  /** Where a link was put. */
  placed:
    | { readonly finalPath: SafePath; readonly skipped: boolean }
    | undefined;
  phase: "deciding" | "open" | "whole" | "final";
  verdict: Verdict | undefined;
  /** Chunks that are in the journal; made when there are any. */
  durable: RangeSet | undefined;
  /** What was offered for comparison so far. */
  offered: readonly CandidateRun[];
  /** Verified, and not yet in the journal. */
  fresh: CheckedChunk[] | undefined;
  /** How often all of it had to come again: a checkpoint says nothing of what came before. */
  rewinds: number;
  digest: Uint8Array | undefined;
  b3sum: Uint8Array | undefined;
  /** The next checkpoint has something to do with it. */
  isDirty: boolean;
  /** What it is once the checkpoint under way is done: it has its name. */
  named: FinalFact | undefined;
}

const NONE: Item["offered"] = [];

/** An entry of which nothing is decided. */
export function newItem(announced: Announced): Item {
  return {
    index: announced.index,
    gen: announced.gen,
    entry: announced.entry,
    path: undefined,
    file: undefined,
    placed: undefined,
    phase: "deciding",
    verdict: undefined,
    durable: undefined,
    offered: NONE,
    fresh: undefined,
    rewinds: 0,
    digest: undefined,
    b3sum: undefined,
    isDirty: false,
    named: undefined,
  };
}

/** True when a failure concerns one entry alone, and others may go on. */
export function isOwnFailure(error: unknown): error is SftpxError {
  if (!(error instanceof SftpxError)) return false;
  switch (error.code) {
    case "local-io":
      return isPlaceFailure(error);
    case "unauthorized":
    case "protocol": // a name that cannot be taken
      return true;
    default:
      return false;
  }
}
