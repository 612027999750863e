/**
 * The sender's ledger: every entry that the receiver has not yet called final,
 * what is known of its chunks, and the root digest over those that are.
 *
 * It is pure. What came in goes in (`add`, `heard`, `chunkRead`), what must be
 * sent comes out as {@linkcode Work}; who sends it, and over what, is not its
 * business. Entries leave in index order, so its size is bounded by the window.
 *
 * @module
 */
import { unreachable } from "../core/actor.ts";
import { type ErrorCode, SftpxError } from "../core/errors.ts";
import {
  type ChunkDigests,
  chunkDigests,
  isZeroDigest,
  sameDigest,
} from "./digests.ts";
import { chunkCount, chunkLength, writeRootRecord } from "./entry.ts";
import { digestsOf, gaps, isUnread, missing } from "./outgoing_missing.ts";
import { type RangeSet, rangeSet } from "./ranges.ts";
import type {
  OutEntry,
  Outgoing,
  OutgoingDeps,
  Work,
} from "./outgoing_types.ts";

export type {
  ChunkUse,
  OutEntry,
  Outgoing,
  OutgoingDeps,
  OutTotals,
  Work,
} from "./outgoing_types.ts";

type Live<S> =
  & {
    -readonly [K in keyof OutEntry<S>]: OutEntry<S>[K];
  }
  & {
    digests: ChunkDigests;
    candidates: ChunkDigests | undefined;
    /** It is nobody's to change while it is `NOTHING`. */
    durable: RangeSet;
    durableBytes: number;
  };

/** What is durable of most entries until they are final. */
const NOTHING: RangeSet = rangeSet();

/** Creates an empty ledger. */
export function outgoing<S>(deps: OutgoingDeps): Outgoing<S> {
  const live = new Map<number, Live<S>>();
  const totals = {
    entries: 0,
    bytes: 0,
    durable: 0,
    found: 0,
    skipped: 0,
    failed: 0,
  };
  let base = 0;
  let next = 0;
  let ended = false;
  let final: OutEntry<S>[] = [];

  const forget = (item: Live<S>): void => {
    const chunks = chunkCount(item.entry);
    item.digests = chunkDigests(chunks);
    item.candidates = undefined;
    item.durable = NOTHING;
    totals.durable -= item.durableBytes;
    item.durableBytes = 0;
    item.digest = undefined;
    item.b3sum = undefined;
    item.unchanged = false;
    item.skipped = false;
    item.wantedFrom = undefined;
  };
  /** The live entry that a frame speaks of; `undefined` for an older generation. */
  const named = (
    frame: { index: number; gen: number },
  ): Live<S> | undefined => {
    if (frame.index >= next) {
      throw new SftpxError(
        "protocol",
        `Cannot accept status of entry ${frame.index}: it was not announced`,
      );
    }
    const item = live.get(frame.index);
    return item?.gen === frame.gen ? item : undefined;
  };
  const addDurable = (item: Live<S>, first: number, count: number): void => {
    if (item.entry.kind !== "file") return;
    for (const { start, end } of gaps(item.durable, first, first + count)) {
      const last = chunkLength(item.entry, end - 1);
      const bytes = (end - 1 - start) * item.entry.chunkSize + last;
      item.durableBytes += bytes;
      totals.durable += bytes;
    }
    if (item.durable === NOTHING) item.durable = rangeSet();
    item.durable.add(first, first + count);
  };
  /** What was durable was wrong: it must come again. */
  const takeBack = (item: Live<S>, first: number, end: number): void => {
    const before = item.durableBytes;
    const kept = item.durable.clone();
    kept.remove(first, end);
    item.durable = NOTHING;
    item.durableBytes = 0;
    totals.durable -= before;
    for (const { start, end } of kept.ranges()) {
      addDurable(item, start, end - start);
    }
  };
  const inside = (item: Live<S>, first: number, count: number): void => {
    if (first + count > chunkCount(item.entry)) {
      throw new SftpxError(
        "protocol",
        `Cannot accept status of entry ${item.index}: it has no chunk ${
          first + count - 1
        }`,
      );
    }
  };
  const refuse = (item: Live<S>, code: ErrorCode, reason: string): void => {
    forget(item);
    item.outcome = "refused";
    item.code = code;
    item.reason = reason;
  };
  const retire = (upTo: number): void => {
    if (upTo > next || upTo < base) {
      throw new SftpxError(
        "protocol",
        `Cannot accept that entries below ${upTo} are final: ${base} to ${next} are open`,
      );
    }
    for (; base < upTo; base++) {
      const item = live.get(base);
      if (item === undefined) continue;
      const outcome = deps.final(base);
      if (outcome === undefined) {
        throw new SftpxError(
          "protocol",
          `Cannot accept that entry ${base} is final: it is not`,
        );
      }
      const { entry } = outcome;
      item.outcome = outcome.outcome;
      const isHere = item.outcome === "here";
      const digest = isHere && entry.kind === "file"
        ? outcome.digest ?? item.digest
        : undefined;
      if (isHere && entry.kind === "file" && digest === undefined) {
        throw new SftpxError(
          "protocol",
          `Cannot accept that entry ${base} is final: it was not all sent`,
        );
      }
      item.digest = digest;
      writeRootRecord(deps.records, entry, item.outcome, digest);
      live.delete(base);
      if (entry.kind !== "dir-end") {
        totals.entries++;
        final.push(item);
        if (!isHere) totals.failed++;
      }
      if (item.skipped) totals.skipped++;
      if (isHere && entry.kind === "file") {
        totals.bytes += entry.size;
        totals.durable += entry.size - item.durableBytes;
      }
    }
  };

  const wereRead: OutEntry<S>[] = [];
  const settle: Outgoing<S>["settle"] = (index, b3sum) => {
    const item = live.get(index);
    if (item === undefined || item.digest !== undefined) return undefined;
    const all = item.digests.concat();
    item.digest = all.length === 32 ? all : deps.digest(all);
    item.b3sum = b3sum ?? (deps.b3sum && all.length === 32 ? all : undefined);
    return item;
  };

  return {
    get base() {
      return base;
    },
    get next() {
      return next;
    },
    get ended() {
      return ended;
    },
    totals,
    add(entry, source) {
      const item: Live<S> = {
        index: next++,
        source,
        entry,
        gen: 0,
        digest: undefined,
        b3sum: undefined,
        unchanged: false,
        outcome: "here",
        code: undefined,
        reason: undefined,
        skipped: false,
        wantedFrom: undefined,
        digests: chunkDigests(chunkCount(entry)),
        candidates: undefined,
        durable: NOTHING,
        durableBytes: 0,
      };
      live.set(item.index, item);
      if (entry.kind === "file") {
        totals.found += entry.size;
        if (entry.size === 0) item.digest = deps.digest(new Uint8Array());
        if (deps.b3sum) item.b3sum = item.digest;
      }
      return item;
    },
    get: (index) => live.get(index),
    live: () => live.values(),
    end() {
      ended = true;
    },
    heard(frame) {
      switch (frame.type) {
        case "verdict": {
          const item = named(frame);
          const { verdict } = frame;
          if (item === undefined) return [];
          // A file that we gave up may be there all the same, or be refused.
          const isGone = item.outcome !== "here";
          if (isGone && verdict.kind !== "have") return [];
          item.outcome = "here";
          switch (verdict.kind) {
            case "want":
              item.wantedFrom = 0;
              return missing(item, 0, chunkCount(item.entry));
            case "compare":
              inside(item, 0, verdict.chunks);
              item.wantedFrom = verdict.chunks;
              item.candidates = chunkDigests(chunkCount(item.entry));
              return missing(item, verdict.chunks, chunkCount(item.entry));
            case "have":
              if (
                item.digest !== undefined &&
                !sameDigest(item.digest, verdict.digest)
              ) {
                throw new SftpxError(
                  "integrity",
                  `Cannot accept that the receiver has "${item.entry.path}": its digest is another`,
                );
              }
              item.digest = verdict.digest.slice();
              item.skipped = item.digests.known === 0;
              addDurable(item, 0, chunkCount(item.entry));
              return [];
            case "refused":
              refuse(item, verdict.code, verdict.reason);
              return [];
            default:
              return unreachable(verdict);
          }
        }
        case "candidates": {
          const item = named(frame);
          if (item === undefined || item.outcome !== "here") return [];
          const count = frame.digests.length / 32;
          inside(item, frame.first, count);
          for (let n = 0; n < count; n++) {
            const digest = frame.digests.subarray(n * 32, n * 32 + 32);
            if (isZeroDigest(digest)) item.candidates?.clear(frame.first + n);
            else item.candidates?.set(frame.first + n, digest);
          }
          return missing(item, frame.first, frame.first + count);
        }
        case "durable": {
          const item = named(frame);
          if (item === undefined || item.outcome !== "here") return [];
          inside(item, frame.first, frame.count);
          addDurable(item, frame.first, frame.count);
          return [];
        }
        case "corrupt": {
          const item = named(frame);
          if (item === undefined || item.outcome !== "here") return [];
          inside(item, frame.first, frame.count);
          for (let n = 0; n < frame.count; n++) {
            item.candidates?.clear(frame.first + n);
          }
          takeBack(item, frame.first, frame.first + frame.count);
          return missing(item, frame.first, frame.first + frame.count);
        }
        case "retired":
          retire(frame.next);
          return [];
        case "progress":
        case "arrived":
          return [];
        default:
          return unreachable(frame);
      }
    },
    reconnected() {
      const wanted = new Map<OutEntry<S>, readonly Work[]>();
      for (const item of live.values()) {
        const from = item.wantedFrom;
        const chunks = chunkCount(item.entry);
        item.candidates = from === 0 ? undefined : chunkDigests(chunks);
        if (from !== undefined && item.outcome === "here") {
          wanted.set(item, missing(item, from, chunks));
        }
      }
      return wanted;
    },
    chunkRead(index, gen, chunk, digest) {
      const item = live.get(index);
      if (item?.gen !== gen || item.outcome !== "here") return "stale";
      const before = item.digests.get(chunk);
      if (before === undefined) item.digests.set(chunk, digest);
      else if (!sameDigest(before, digest)) return "changed";
      const candidate = item.candidates?.get(chunk);
      return candidate !== undefined && sameDigest(candidate, digest)
        ? "same"
        : "data";
    },
    missing({ index, gen, first, count }) {
      const item = live.get(index);
      if (item?.gen !== gen || item.outcome !== "here") return [];
      return missing(item, first, first + count, isUnread(item));
    },
    isMissing(work) {
      const item = live.get(work.index);
      if (item?.gen !== work.gen || item.outcome !== "here") return false;
      return item.durable.isEmpty()
        ? work.count > 0
        : this.missing(work).length > 0;
    },
    digests({ index, gen, first, count }) {
      const item = live.get(index);
      return digestsOf(item?.gen === gen ? item : undefined, first, count);
    },
    isRead(index, gen) {
      const item = live.get(index);
      return item?.gen === gen && item.digest === undefined &&
        item.digests.known === chunkCount(item.entry);
    },
    wasRead(index, gen) {
      const item = live.get(index);
      if (item?.gen !== gen || item.digest !== undefined) return;
      item.unchanged = true;
      wereRead.push(item);
      if (!deps.b3sum || chunkCount(item.entry) === 1) settle(index);
    },
    takeRead: () => wereRead.splice(0),
    settle,
    change(index, entry) {
      const item = live.get(index);
      if (item === undefined || item.outcome !== "here") return undefined;
      if (item.entry.kind === "file") totals.found -= item.entry.size;
      item.entry = entry;
      item.gen++;
      forget(item);
      if (entry.kind === "file") {
        totals.found += entry.size;
        if (entry.size === 0) item.digest = deps.digest(new Uint8Array());
      }
      return item;
    },
    giveUp(index, code, reason) {
      const item = live.get(index);
      if (item === undefined || item.outcome !== "here") return undefined;
      refuse(item, code, reason);
      item.outcome = "gone";
      return item;
    },
    takeFinal() {
      const list = final;
      final = [];
      return list;
    },
  };
}
