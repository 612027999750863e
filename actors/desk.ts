/**
 * The receiver's desk: the entries of one run that are open, between the
 * manifest and the disk.
 *
 * It decides what is wanted, takes note of what came, and says what is final.
 * How things become durable is in `desk_checkpoint.ts`.
 *
 * @module
 */
import { SftpxError } from "../core/errors.ts";
import { createSemaphore } from "../core/semaphore.ts";
import type { Digest } from "../crypto/digest.ts";
import type { Verdict } from "../protocol/status.ts";
import type { Journal } from "../store/journal.ts";
import type { SafePath } from "../store/paths.ts";
import type { PartialDir, Root } from "../store/root.ts";
import type { Admission, Conflict, Vault } from "../store/vault.ts";
import type { FileMaker } from "../workers/file_maker.ts";
import { saveBatch } from "./desk_checkpoint.ts";
import { offerCandidates } from "./desk_compare.ts";
import { createDirty } from "./desk_dirty.ts";
import {
  type Announced,
  isOwnFailure,
  type Item,
  newItem,
  type WholeFile,
} from "./desk_item.ts";
import { placeLink } from "./desk_links.ts";
import { deskNames } from "./desk_names.ts";
import { repeatItems } from "./desk_repeat.ts";
import { deskTarget } from "./desk_target.ts";
import type { Facts, FinalFact } from "./facts.ts";
import type { CheckedChunk, Target } from "./lane_receive.ts";
import type { LinkPolicy } from "./options.ts";

/** What a desk needs. */
export interface DeskDeps {
  readonly run: number;
  readonly root: Root;
  readonly partial: PartialDir;
  readonly journal: Journal;
  readonly vault: Vault;
  readonly digest: Digest;
  readonly maker?: FileMaker | undefined;
  readonly facts: Facts;
  readonly onConflict: Conflict;
  readonly links: LinkPolicy;
  readonly allowHidden: boolean;
  /** Told how much is to come of small files that are wanted. */
  readonly expect?: (files: number, bytes: number) => void;
  /** Told when something was decided: there may be something to save. */
  readonly changed: () => void;
  /** Told when something failed that ends the session. */
  readonly fail: (error: unknown) => void;
}

/** The open entries of one run. */
export interface Desk {
  /** The run whose entries these are. */
  readonly run: number;
  /** Bytes that came since the last checkpoint began. */
  readonly dirtyBytes: number;
  /** Entries that the next checkpoint has something to do with, and the last one had not. */
  readonly newEntries: number;
  /** True when nothing more is to come of any entry that was announced. */
  readonly isIdle: boolean;
  /** True when the next checkpoint has something to do. */
  readonly isDirty: boolean;
  /** True when that is more than the last one left to it. */
  readonly hasNews: boolean;
  /** Decides about entries, some at a time. */
  announced(entries: readonly Announced[]): Promise<void>;
  verified(chunks: readonly CheckedChunk[]): void;
  /** All chunks of a file are in place, and make what the sender says. */
  whole(file: WholeFile): void;
  /** They do not: all of it must come again. */
  rewind(index: number, gen: number): void;
  /** The sender gave an entry up. */
  gone(index: number, gen: number): void;
  /** Says once more what is open, to a new connection. */
  repeat(): void;
  /**
   * Makes durable what came so far, and says so.
   *
   * @param isLast Nothing waits for a later one. @default {false}
   */
  checkpoint(isLast?: boolean): Promise<void>;
  /** Where chunks of an entry go; `undefined` when none are wanted. */
  target(index: number): Target | undefined;
  /** The largest chunk of any file so far, bytes. */
  readonly largestChunk: number;
  /** Closes what is open, once what is under way has ended; parts stay. */
  close(): Promise<void>;
}

/** Entries that are decided about at once. */
const DECISIONS_AT_ONCE = 16;
/** Files that are read at once to find what is here. */
const COMPARES_AT_ONCE = 2;
const WANT: Verdict = { kind: "want" };
const NOWHERE: FinalFact = {
  digest: undefined,
  finalPath: undefined,
  skipped: false,
};

/** Creates an empty desk. */
export function createDesk(deps: DeskDeps): Desk {
  const { facts, root, run, vault } = deps;
  const items = new Map<number, Item>();
  const names = deskNames(root.portable, deps.allowHidden);
  const deciding = createSemaphore(DECISIONS_AT_ONCE);
  const comparing = createSemaphore(COMPARES_AT_ONCE);
  const ending = new AbortController();
  const tasks = new Set<Promise<void>>();
  const dirty = createDirty();
  let largestChunk = 0;
  let expected = 0;

  const current = (index: number, gen: number): Item | undefined => {
    const item = items.get(index);
    return item?.gen === gen ? item : undefined;
  };
  /** True when all before the end of a folder is final, and so may that be. */
  const canEnd = (): boolean => {
    const [first] = items.values();
    return first?.entry.kind === "dir-end" && first.phase === "whole";
  };
  const isCurrent = (item: Item): boolean => items.get(item.index) === item;
  const task = (work: Promise<void>): void => {
    const run = work.catch((error) => {
      if (!ending.signal.aborted) deps.fail(error);
    }).finally(() => tasks.delete(run));
    tasks.add(run);
  };
  const say = (item: Item, verdict: Verdict): void => {
    item.verdict = verdict;
    facts.add(item.index, { run, gen: item.gen, verdict });
  };
  const waits = (p: Item["phase"]): number =>
    p === "deciding" || p === "open" ? 1 : 0;
  const setPhase = (item: Item, phase: Item["phase"]): void => {
    expected += waits(phase) - waits(item.phase);
    item.phase = phase;
  };
  const settle = (item: Item): void => {
    setPhase(item, "whole");
    dirty.add(item);
  };
  const finish = (item: Item, final: FinalFact): void => {
    if (!isCurrent(item)) return;
    setPhase(item, "final");
    items.delete(item.index);
    names.free(item);
    facts.add(item.index, { run, gen: item.gen, final });
  };
  const refuse = (item: Item, error: SftpxError): void => {
    if (!isCurrent(item)) return;
    item.file?.close();
    const { code, message: reason } = error;
    say(item, { kind: "refused", code, reason });
    finish(item, NOWHERE);
  };
  /** What its own place refuses is an entry's own failure, and others go on. */
  const orRefuse = async (
    item: Item,
    work: () => Promise<void>,
  ): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!isOwnFailure(error) || deps.onConflict === "fail") throw error;
      refuse(item, error);
    }
  };

  /** Decides what needs no wait, which is most; false: `decide()` has to. */
  const decideNow = (item: Item): boolean => {
    const { entry } = item;
    if (entry.kind === "link") return false;
    try {
      const path = item.path = names.take(item);
      if (entry.kind === "dir") {
        if (!root.makeDirNow(path)) return false;
        settle(item);
        return true;
      }
      if (entry.kind !== "file") {
        vault.endDir(path);
        settle(item); // its turn comes when all before it is final
        return true;
      }
      const file = vault.admitNow(entry, path);
      if (file === undefined) {
        const have = vault.haveNow(entry, path);
        if (have !== undefined) haveIt(item, have);
        return have !== undefined;
      }
      item.file = file;
      setPhase(item, "open");
      say(item, WANT);
      return true;
    } catch {
      return false; // it will throw once more, to be refused
    }
  };

  const decide = async (item: Item, prior: Item | undefined): Promise<void> => {
    const { entry } = item;
    const path = item.path = names.take(item);
    switch (entry.kind) {
      case "dir":
        await root.makeDir(path);
        settle(item);
        return;
      case "dir-end":
        settle(item);
        return;
      case "link":
        item.placed = await placeLink(root, path, entry, deps);
        settle(item);
        return;
      case "file":
        await admit(item, path, prior);
        return;
    }
  };

  const haveIt = (
    item: Item,
    { digest, finalPath }: Extract<Admission, { kind: "have" }>,
  ): void => {
    say(item, { kind: "have", digest });
    finish(item, { digest, finalPath, skipped: true });
  };

  const admit = async (
    item: Item,
    path: SafePath,
    prior: Item | undefined,
  ): Promise<void> => {
    const { entry } = item;
    if (entry.kind !== "file") return;
    const admission = await vault.admit(entry, path, prior?.file);
    if (!isCurrent(item)) {
      if (admission.kind !== "have") admission.file.close();
      return;
    }
    if (admission.kind === "have") {
      haveIt(item, admission);
      return;
    }
    const { file } = admission;
    item.file = file;
    setPhase(item, "open");
    if (admission.kind === "want") {
      say(item, WANT);
      if (entry.size > 0) return;
      item.digest = deps.digest.digest(new Uint8Array());
      settle(item);
      return;
    }
    const { chunks } = admission;
    say(item, { kind: "compare", chunks });
    task(offerCandidates(file, chunks, comparing, (found) => {
      if (!isCurrent(item) || item.phase !== "open") return false;
      item.offered = [...item.offered, found];
      facts.add(item.index, { run, gen: item.gen, candidates: [found] });
      return true;
    }, ending.signal));
  };

  return {
    run,
    get dirtyBytes() {
      return dirty.bytes;
    },
    get newEntries() {
      return dirty.news;
    },
    get isIdle() {
      return expected === 0;
    },
    get isDirty() {
      return dirty.size > 0 || canEnd();
    },
    get hasNews() {
      return dirty.news > 0 || canEnd();
    },
    get largestChunk() {
      return largestChunk;
    },
    async announced(entries) {
      let [files, bytes] = [0, 0];
      for (const announced of entries) {
        const { index, entry } = announced;
        const prior = items.get(index);
        if (prior !== undefined) setPhase(prior, "final");
        const item = newItem(announced);
        items.set(index, item);
        expected++;
        if (entry.kind === "file") {
          largestChunk = Math.max(largestChunk, entry.chunkSize);
        }
        if (prior === undefined && decideNow(item)) {
          if (entry.kind !== "file" || item.phase !== "open") continue;
          files++;
          bytes += entry.size;
          continue;
        }
        const turn = await deciding.acquire(ending.signal);
        task(
          orRefuse(item, () => decide(item, prior))
            .finally(() => {
              turn.release();
              deps.changed();
            }),
        );
      }
      deps.expect?.(files, bytes);
      deps.changed();
    },
    verified(chunks) {
      for (const chunk of chunks) {
        const item = current(chunk.index, chunk.gen);
        if (item === undefined || item.phase === "final") continue;
        if (item.fresh === undefined) item.fresh = [chunk];
        else item.fresh.push(chunk);
        dirty.add(item);
        if (item.entry.kind === "file" && chunk.verdict === "written") {
          dirty.bytes += Math.min(item.entry.chunkSize, item.entry.size);
        }
      }
    },
    whole({ index, gen, digest, b3sum, bytes }) {
      const item = current(index, gen);
      if (item?.phase !== "open") return;
      dirty.bytes += bytes;
      item.digest = digest;
      item.b3sum = b3sum;
      settle(item);
    },
    rewind(index, gen) {
      const item = current(index, gen);
      if (item === undefined) return;
      item.file?.rewind();
      item.fresh = undefined;
      item.offered = [];
      item.durable = undefined;
      item.rewinds++;
    },
    gone(index, gen) {
      const item = current(index, gen);
      if (item === undefined) return;
      item.file?.close();
      finish(item, NOWHERE);
    },
    repeat() {
      repeatItems(items.values(), run, facts);
    },
    async checkpoint(isLast = false) {
      const batch = dirty.take(isCurrent, isLast || expected === 0);
      await saveBatch(batch, items, { ...deps, finish, orRefuse });
    },
    target(index) {
      const item = items.get(index);
      const file = item?.phase === "open" ? item.file : undefined;
      if (item === undefined || file === undefined) return undefined;
      return deskTarget(run, item.gen, file);
    },
    async close() {
      ending.abort();
      await Promise.all(tasks);
      const files = [...items.values()].flatMap(({ file }) => file ?? []);
      for (const file of files) file.close();
      await Promise.all(files.map((file) => file.settled()));
      vault.close();
    },
  };
}
