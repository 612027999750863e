/**
 * One run of a conversation at the receiver: which entries are final, what the
 * root digest over them is, and what the sender must hear.
 *
 * @module
 */
import type { TransferEvent } from "../core/events.ts";
import type { Digest } from "../crypto/digest.ts";
import { createWriter } from "../protocol/cursor.ts";
import { writeRootRecord } from "../protocol/entry.ts";
import type { RangeSet } from "../protocol/ranges.ts";
import type { ReceiverRules } from "../protocol/session.ts";
import type { StatusFrame } from "../protocol/status.ts";
import { statusFrames } from "../protocol/status_list.ts";
import { type Fact, type FinalFact, mergeFacts } from "./facts.ts";

/** Counts over final entries. */
export interface ReceiveTotals {
  entries: number;
  bytes: number;
  skipped: number;
  refused: number;
}

/** What becomes of an entry, for those who watch. */
export type EntryEvent = Omit<
  Extract<TransferEvent, { type: "entry" }>,
  "session"
>;

/** One run. */
export interface ReceiveRun {
  readonly number: number;
  readonly totals: Readonly<ReceiveTotals>;
  /** Takes facts; while `isOpen` is false they wait. Returns what to say now, which may be nothing. */
  heard(facts: ReadonlyMap<number, Fact>, isOpen: boolean): Uint8Array;
  /** What a new connection must hear that the last one may not have. */
  repeat(): Uint8Array;
  /** Entries that became final since the last call. */
  takeFinal(): EntryEvent[];
  /** The root digest, once every entry is final; `undefined` before. */
  root(): Uint8Array | undefined;
}

/** Creates a run in which nothing was announced. */
export function receiveRun(
  number: number,
  rules: ReceiverRules,
  digest: Digest,
): ReceiveRun {
  const hasher = digest.hasher();
  const finals = new Map<number, FinalFact>();
  const totals = { entries: 0, bytes: 0, skipped: 0, refused: 0 };
  let unsaid = new Map<number, Fact>();
  let told: EntryEvent[] = [];
  let root: Uint8Array | undefined;

  const frames = statusFrames();
  const records = createWriter("ROOT");
  const say = (frame: StatusFrame): void => {
    rules.saidStatus(frame);
    frames.add(frame);
  };
  const sayRanges = (
    type: "durable" | "corrupt",
    index: number,
    gen: number,
    set: RangeSet,
  ): void => {
    for (const { start, end } of set.ranges()) {
      say({ type, index, gen, first: start, count: end - start });
    }
  };
  const sayFact = (index: number, fact: Fact): void => {
    const known = rules.known(index);
    const { gen, verdict, candidates, durable, corrupt } = fact;
    if (known === undefined || known.gen !== gen) return; // announced anew since
    if (verdict !== undefined) {
      say({ type: "verdict", index, gen, verdict });
    }
    const judged = known.judged?.verdict.kind;
    if (judged !== "want" && judged !== "compare") return;
    if (candidates !== undefined && judged === "compare") {
      for (const { first, digests } of candidates) {
        say({ type: "candidates", index, gen, first, digests });
      }
    }
    if (durable !== undefined) sayRanges("durable", index, gen, durable);
    if (corrupt !== undefined) sayRanges("corrupt", index, gen, corrupt);
  };
  /** Folds entries into the root, in index order, as far as they are final. */
  const retire = (): void => {
    let next = rules.retired;
    for (;; next++) {
      const fact = finals.get(next);
      const final = rules.final(next);
      if (fact === undefined || final === undefined) break;
      finals.delete(next);
      const { entry, outcome } = final;
      const isFile = entry.kind === "file" && outcome === "here";
      writeRootRecord(
        records,
        entry,
        outcome,
        isFile ? final.digest ?? fact.digest : undefined,
      );
      if (entry.kind === "dir-end") continue;
      totals.entries++;
      if (outcome !== "here") totals.refused++;
      else if (fact.skipped) totals.skipped++;
      if (isFile) totals.bytes += entry.size;
      const verdict = rules.known(next)?.judged?.verdict;
      const isMoved = fact.finalPath !== undefined &&
        fact.finalPath !== entry.path;
      told.push({
        type: "entry",
        path: entry.path,
        kind: entry.kind,
        outcome: outcome !== "here"
          ? outcome
          : fact.skipped
          ? "skipped"
          : "received",
        bytes: entry.kind === "file" ? entry.size : 0,
        ...(isMoved && fact.finalPath !== undefined &&
          { finalPath: fact.finalPath }),
        ...(verdict?.kind === "refused" && { reason: verdict.reason }),
      });
    }
    if (records.length > 0) hasher.update(records.take()); // one call for all
    if (next > rules.retired) say({ type: "retired", next });
  };

  return {
    number,
    totals,
    heard(facts, isOpen) {
      facts.forEach((fact, index) => {
        if (fact.run !== number) return;
        if (fact.final !== undefined) finals.set(index, fact.final);
        if (isOpen) sayFact(index, fact);
        else unsaid.set(index, mergeFacts(unsaid.get(index), fact));
      });
      if (isOpen) retire();
      return frames.take();
    },
    repeat() {
      for (const frame of rules.repeats()) frames.add(frame);
      const waiting = unsaid;
      unsaid = new Map();
      return this.heard(waiting, true);
    },
    takeFinal() {
      const list = told;
      told = [];
      return list;
    },
    root() {
      if (rules.total === undefined || rules.retired < rules.total) {
        return undefined;
      }
      root ??= hasher.digest();
      return root;
    },
  };
}
