/**
 * Later looks at what a sender sends: at files that changed while they were
 * read, and at whole files for their own digests.
 *
 * @module
 */
import type { Context } from "../core/actor.ts";
import { SftpxError } from "../core/errors.ts";
import type { Semaphore } from "../core/semaphore.ts";
import type { Digest } from "../crypto/digest.ts";
import { refreshed, type SourceFileEntry } from "../store/source.ts";
import type { LeaseReport } from "./lane_send.ts";
import type { SendRun } from "./send_run.ts";
import { sumFile } from "./sum.ts";

/** What a file is that was not what it had been. */
export interface Looked {
  readonly type: "looked";
  readonly run: number;
  readonly index: number;
  readonly facts: SourceFileEntry | SftpxError;
}

/** The digest of a whole file. */
export interface Summed {
  readonly type: "summed";
  readonly run: number;
  readonly index: number;
  readonly gen: number;
  /** `undefined` when the file is not what it was. */
  readonly b3sum: Uint8Array | undefined;
}

/** Looks at files that a lane found changed. */
export function lookAgain(
  { number, ledger }: SendRun,
  { changed }: LeaseReport,
  cx: Context<Looked>,
): void {
  for (const { index, gen } of changed) {
    const item = ledger.get(index);
    if (item?.gen !== gen || item.source.facts.kind !== "file") continue;
    const { facts } = item.source;
    cx.spawn(async (signal) => {
      const now = await refreshed(facts).catch((error) => {
        if (error instanceof SftpxError) return error;
        throw error;
      });
      await cx.self.send(
        { type: "looked", run: number, index, facts: now },
        signal,
      );
    });
  }
}

/** Reads files once more, one after the other, for the digest of the whole of each. */
export function sumFiles(
  { number, takeUnsummed }: SendRun,
  digest: Digest,
  turns: Semaphore,
  cx: Context<Summed>,
): void {
  for (const { index, gen, source } of takeUnsummed()) {
    cx.spawn(async (signal) => {
      using _turn = await turns.acquire(signal);
      const b3sum = await sumFile(source, digest, signal);
      await cx.self.send(
        { type: "summed", run: number, index, gen, b3sum },
        signal,
      );
    });
  }
}
