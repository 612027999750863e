/**
 * Second looks of a sender at its files: one that changed while it was sent is
 * looked at again, and one that is to be summed is read once more.
 *
 * @module
 */
import type { Context } from "../core/actor.ts";
import { SftpxError } from "../core/errors.ts";
import { createSemaphore } from "../core/semaphore.ts";
import type { Digester } from "../crypto/digest.ts";
import { refreshed, type SourceFileEntry } from "../store/source.ts";
import type { LeaseReport } from "../workers/lane_send.ts";
import type { SendRun } from "./send_run.ts";
import { sumFile } from "./sum.ts";

/** What comes of a second look. */
export type SecondLookMessage =
  | {
    readonly type: "looked";
    readonly run: number;
    readonly index: number;
    readonly facts: SourceFileEntry | SftpxError;
  }
  | {
    readonly type: "summed";
    readonly run: number;
    readonly index: number;
    readonly gen: number;
    /** `undefined` when the file is not what it was. */
    readonly b3sum: Uint8Array | undefined;
  };

/** Takes second looks, beside an actor. */
export interface SecondLook {
  /** Looks again at files that are not what was announced. */
  look(
    run: SendRun,
    report: LeaseReport,
    cx: Pick<Context<SecondLookMessage>, "self" | "spawn">,
  ): void;
  /** Reads files once more, in order, for the digest of the whole of each. */
  sum(
    run: SendRun,
    cx: Pick<Context<SecondLookMessage>, "self" | "spawn">,
  ): void;
}

/** Creates second looks; files are summed one after the other. */
export function secondLook(digest: Digester): SecondLook {
  const summing = createSemaphore(1);
  return {
    look({ number, ledger }, { changed }, cx) {
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
    },
    sum({ number, takeUnsummed }, cx) {
      for (const { index, gen, source } of takeUnsummed()) {
        cx.spawn(async (signal) => {
          using _turn = await summing.acquire(signal);
          const b3sum = await sumFile(source, digest, signal);
          await cx.self.send(
            { type: "summed", run: number, index, gen, b3sum },
            signal,
          );
        });
      }
    },
  };
}
