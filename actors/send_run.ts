/**
 * One run of a conversation at the sender: what was found, what is open, what to
 * send next. A run lasts as long as both sides keep their half of it.
 *
 * @module
 */
import { createOutbox } from "../core/coalesce.ts";
import { SftpxError } from "../core/errors.ts";
import type { Totals } from "../core/events.ts";
import type { Digester } from "../crypto/digest.ts";
import { chunkCount } from "../protocol/entry.ts";
import { createWriter } from "../protocol/cursor.ts";
import { type ManifestFrame, manifestFrames } from "../protocol/manifest.ts";
import {
  type OutEntry,
  type Outgoing,
  outgoing,
  type Work,
} from "../protocol/outgoing.ts";
import { createPlan, type Plan } from "../protocol/plan.ts";
import type { SenderRules } from "../protocol/session.ts";
import type { StatusFrame, WireStatus } from "../protocol/status.ts";
import { plainStatus } from "../protocol/status_list.ts";
import {
  openSource,
  readSmallNow,
  type SourceEntry,
  type SourceFile,
  type SourceFileEntry,
} from "../store/source.ts";
import { type Credit, wireEntry } from "./chunker.ts";
import type { LeaseReport, Payload, Readable } from "../workers/lane_send.ts";

/** Something that was not sent, and why. */
export interface Failure {
  readonly path: string;
  readonly reason: string;
}

/** What a run needs. */
export interface SendRunDeps {
  readonly number: number;
  readonly digest: Digester;
  readonly chunkSize: (size: number) => number;
  readonly failed: (failure: Failure) => void;
  /** What may be said and heard; it outlives runs. */
  readonly rules: SenderRules;
  /** Every file comes with its own BLAKE3. */
  readonly b3sum: boolean;
}

/** Where an entry comes from. */
export interface Source extends Readable {
  /** What the walk, or a later look, found. */
  facts: SourceEntry;
}

/** One run. */
export interface SendRun {
  readonly number: number;
  readonly ledger: Outgoing<Source>;
  /** How far the walk may go. */
  readonly credit: Credit;
  readonly totals: Totals;
  /** What lanes should do next. A new connection begins with an empty one. */
  readonly plan: Plan;
  /** True when so many entries were found that some will have to be read. */
  readonly hasMany: boolean;
  /** True when the receiver was told of all that it may be told of now. */
  readonly isTold: boolean;
  /** The receiver holds this many entries open at most. */
  setWindow(entries: number): void;
  /** Takes what was found; returns frames to announce. */
  found(entries: readonly SourceEntry[], ended: boolean): Uint8Array;
  /** Takes what the receiver says. */
  heard(frames: readonly WireStatus[]): void;
  /** What was sent over a connection that is gone: what is not durable goes again. */
  again(work: Work): void;
  /** Books what a lane wrote. */
  wrote(payload: Payload): void;
  /** Takes the report of a lane; returns frames to announce. */
  report(report: LeaseReport): Uint8Array;
  /**
   * What to announce of files that were read whole since the last call. A lane
   * that is lost or left tells of none: so this is asked whenever one may be.
   */
  read(): Uint8Array;
  /** Files that were read and wait for the digest of the whole, since the last call. */
  takeUnsummed(): OutEntry<Source>[];
  /** Takes the digest of a whole file; returns frames to announce. */
  summed(
    index: number,
    gen: number,
    b3sum: Uint8Array | undefined,
  ): Uint8Array;
  /** Takes another look at a file that changed; returns frames to announce. */
  looked(index: number, facts: SourceFileEntry | SftpxError): Uint8Array;
  /** A new connection to the same receiver; returns what it may not have heard. */
  reconnect(next: number): Uint8Array;
  /** The root digest, once every entry is final; `undefined` before. */
  root(): Uint8Array | undefined;
}

/** A file that changes this often while it is sent is given up. */
const MAX_CHANGES = 8;

/** Of so many some will have to be read. */
const MANY_ENTRIES = 256;
const NOTHING = new Uint8Array();

/** Creates a run in which nothing was found yet. */
export function sendRun(deps: SendRunDeps): SendRun {
  const { rules } = deps;
  const hasher = deps.digest.hasher();
  const records = createWriter("ROOT");
  /** Hashes what was folded, all of it in one call. */
  const fold = (): void => {
    if (records.length > 0) hasher.update(records.take());
  };
  let root: Uint8Array | undefined;
  const ledger = outgoing<Source>({
    b3sum: deps.b3sum,
    digest: deps.digest.digest,
    records,
    final: (index) => rules.final(index),
  });
  const credit: Credit = createOutbox((old, add) => Math.max(old ?? 0, add));
  let plan = createPlan();
  let window = 0;
  let isEnded = false; // the walk
  let skippedByWalk = 0;
  const unsummed = new Map<OutEntry<Source>, "new" | "taken">();
  let sent = 0;
  let same = 0;
  const fail = (path: string, reason: string): void =>
    deps.failed({ path, reason });
  const extend = (): void => {
    credit.add("entries", ledger.base + window + skippedByWalk);
  };
  const frames = manifestFrames();
  const say = (frame: ManifestFrame): void => {
    rules.saidManifest(frame);
    frames.add(frame);
  };
  const sayEntry = (item: OutEntry<Source>): void =>
    say({
      type: "entry",
      index: item.index,
      gen: item.gen,
      entry: item.entry,
    });
  const sayDigest = (item: OutEntry<Source>): void => {
    const { index, gen, digest, b3sum } = item;
    const least = deps.b3sum ? 1 : 2;
    if (digest === undefined || chunkCount(item.entry) < least) return;
    say({ type: "digest", index, gen, digest, b3sum });
  };
  const sayGone = (item: OutEntry<Source>): void =>
    say({
      type: "gone",
      index: item.index,
      gen: item.gen,
      code: item.code ?? "local-io",
      reason: item.reason ?? "",
    });
  const sayEnd = (): void =>
    say({
      type: "end",
      entries: ledger.next,
      bytes: ledger.totals.found,
    });
  /** Plans what a frame asks for; `work` is what of it is not durable yet. */
  const planFor = (frame: StatusFrame, work: readonly Work[]): void => {
    if (frame.type === "durable") {
      const { index, gen, first, count } = frame;
      plan.removeRange(index, gen, first, count);
      return;
    }
    if (frame.type !== "verdict") {
      for (const { index, gen, first, count } of work) {
        plan.addRange(index, gen, first, count);
      }
      return;
    }
    const { index, gen, verdict } = frame;
    const item = ledger.get(index);
    if (item?.gen !== gen) return;
    if (verdict.kind === "want" || verdict.kind === "compare") {
      planItem(item, work);
    } else plan.removeEntry(index);
  };
  /** Plans `work` of a file, and nothing else of it. */
  const planItem = (item: OutEntry<Source>, work: readonly Work[]): void => {
    const { index, gen, entry } = item;
    const chunks = chunkCount(entry);
    if (entry.kind !== "file" || chunks === 0) return;
    plan.addWant(index, gen, chunks, entry.chunkSize, entry.size);
    const [all] = work;
    if (work.length === 1 && all?.first === 0 && all.count === chunks) return;
    let end = 0;
    for (const { first, count } of work) {
      plan.removeRange(index, gen, end, first - end);
      end = first + count;
    }
    plan.removeRange(index, gen, end, chunks - end);
  };
  const toSum = (item: OutEntry<Source>): void => {
    if (item.unchanged && !unsummed.has(item)) unsummed.set(item, "new");
  };
  const giveUp = (index: number, reason: string): void => {
    const item = ledger.giveUp(index, "local-io", reason);
    if (item === undefined) return;
    plan.removeEntry(index);
    sayGone(item);
  };

  return {
    number: deps.number,
    ledger,
    credit,
    get plan() {
      return plan;
    },
    get totals() {
      const { entries, bytes, skipped, failed } = ledger.totals;
      return {
        entries,
        bytes,
        sent,
        reused: same,
        skipped,
        failed: failed + skippedByWalk,
      };
    },
    get hasMany() {
      return ledger.next >= MANY_ENTRIES;
    },
    get isTold() {
      return isEnded || ledger.next >= ledger.base + window;
    },
    setWindow(entries) {
      window = entries;
      extend();
    },
    found(entries, ended) {
      for (const facts of entries) {
        const entry = wireEntry(facts, deps.chunkSize);
        if (entry === undefined) {
          skippedByWalk++;
          if (facts.kind === "error") fail(facts.path, facts.reason);
          continue;
        }
        sayEntry(ledger.add(entry, new FoundSource(facts)));
      }
      extend();
      if (ended) {
        isEnded = true;
        ledger.end();
        sayEnd();
      }
      return frames.take();
    },
    heard(frames) {
      for (const frame of plainStatus(frames)) {
        // What becomes of an entry is known only until it retires.
        if (frame.type === "retired") ledger.heard(frame);
        if (rules.heardStatus(frame) === "drop") continue;
        if (frame.type === "retired") plan.removeBelow(frame.next);
        else planFor(frame, ledger.heard(frame));
      }
      fold();
      extend();
    },
    again(work) {
      for (const { index, gen, first, count } of ledger.missing(work)) {
        plan.addRange(index, gen, first, count);
      }
    },
    wrote(payload) {
      sent += payload.sent;
      same += payload.same;
    },
    report(report) {
      for (const { index, reason } of report.failed) giveUp(index, reason);
      return frames.take();
    },
    read() {
      for (const item of ledger.takeRead()) {
        if (ledger.get(item.index) !== item || !item.unchanged) continue;
        if (item.digest !== undefined) sayDigest(item);
        else toSum(item);
      }
      return frames.take();
    },
    takeUnsummed() {
      const list = [...unsummed].filter(([, state]) => state === "new");
      for (const [item] of list) unsummed.set(item, "taken");
      return list.map(([item]) => item);
    },
    summed(index, gen, b3sum) {
      const item = ledger.get(index);
      if (item !== undefined) unsummed.delete(item);
      if (!ledger.isRead(index, gen)) return NOTHING;
      if (b3sum === undefined) {
        giveUp(index, `Cannot send "${item?.entry.path}": it changed`);
      } else {
        const settled = ledger.settle(index, b3sum);
        if (settled !== undefined) sayDigest(settled);
      }
      return frames.take();
    },
    looked(index, facts) {
      const item = ledger.get(index);
      if (item === undefined) return NOTHING;
      if (facts instanceof SftpxError) {
        giveUp(index, facts.message);
        return frames.take();
      }
      if (item.gen >= MAX_CHANGES) {
        giveUp(index, `Cannot send "${item.entry.path}": it keeps changing`);
        return frames.take();
      }
      const entry = wireEntry(facts, deps.chunkSize);
      if (entry === undefined) return NOTHING;
      item.source.facts = facts;
      plan.removeEntry(index);
      const again = ledger.change(index, entry);
      if (again !== undefined) sayEntry(again);
      return frames.take();
    },
    reconnect(next) {
      plan = createPlan();
      for (const [item, work] of ledger.reconnected()) planItem(item, work);
      ledger.takeRead(); // they are among those that follow
      for (const item of ledger.live()) {
        if (item.index >= next || item.gen > 0) sayEntry(item);
        if (item.outcome === "gone") sayGone(item);
        else if (item.digest !== undefined) sayDigest(item);
        else toSum(item);
      }
      if (ledger.ended) sayEnd();
      return frames.take();
    },
    root() {
      if (!ledger.ended || ledger.base < ledger.next) return undefined;
      fold();
      root ??= hasher.digest();
      return root;
    },
  };
}

/** A class, as there is one for every entry that is open. */
class FoundSource implements Source {
  facts: SourceEntry;

  constructor(facts: SourceEntry) {
    this.facts = facts;
  }

  open(): Promise<SourceFile> {
    if (this.facts.kind !== "file") {
      throw new TypeError(`Cannot open "${this.facts.path}": it is no file`);
    }
    return openSource(this.facts);
  }

  readNow(into: Uint8Array): boolean {
    return this.facts.kind === "file" && readSmallNow(this.facts, into);
  }
}
