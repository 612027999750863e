/**
 * The persistence actor: keeps the journal of a session, decides with the disk
 * what is wanted, and makes what came durable, in batches.
 *
 * It is told things down the pipeline and answers in facts, which never wait.
 * When more is not yet durable than memory and a crash should hold, it stops
 * listening until it is, and so the lanes stop.
 *
 * @module
 */
import { type Behavior, type Context, unreachable } from "../core/actor.ts";
import type { Address } from "../core/mailbox.ts";
import { ask, type AskOptions, type Reply } from "../core/reply.ts";
import type { Digest } from "../crypto/digest.ts";
import { type Journal, openJournal } from "../store/journal.ts";
import type { PartialDir, Root } from "../store/root.ts";
import { createVault } from "../store/vault.ts";
import type { FileMaker } from "../workers/file_maker.ts";
import type { HashPool } from "../workers/hash_pool.ts";
import { createDesk, type Desk } from "./desk.ts";
import type { Announced, WholeFile } from "./desk_item.ts";
import type { Facts } from "./facts.ts";
import type { CheckedChunk } from "./lane_receive.ts";
import type { ConflictPolicy, LinkPolicy } from "./options.ts";

/** What persistence can be told. What belongs to an older run is dropped. */
export type PersistenceMessage =
  /** A conversation begins anew: what was open is closed, its parts stay. */
  | {
    readonly type: "begin";
    readonly run: number;
    readonly checksum: boolean;
    readonly fresh: boolean;
  }
  | {
    readonly type: "announced";
    readonly run: number;
    readonly entries: readonly Announced[];
  }
  /** Chunks that are in place, verified, of files that may not be whole. */
  | {
    readonly type: "verified";
    readonly run: number;
    readonly chunks: readonly CheckedChunk[];
  }
  /** Every chunk of these files is in place, and they make what the sender says. */
  | {
    readonly type: "whole";
    readonly run: number;
    readonly files: readonly WholeFile[];
  }
  | {
    /** `rewind`: all of a file must come again. `gone`: the sender gave it up. */
    readonly type: "rewind" | "gone";
    readonly run: number;
    readonly index: number;
    readonly gen: number;
  }
  /** Say once more what is open: a new connection goes on. */
  | {
    readonly type: "repeat";
    readonly run: number;
    readonly reply: Reply<void>;
  }
  /** All that was announced is final: parts that are left are of files that are gone. */
  | { readonly type: "complete"; readonly run: number }
  | { readonly type: "checkpoint" }
  /** Something was decided since the last look. */
  | { readonly type: "decided" }
  | { readonly type: "saved" };

/** The desk of the life that runs, for lanes. */
export interface DeskRef {
  current: Desk | undefined;
}

/** What persistence needs. */
export interface PersistenceDeps {
  readonly session: Uint8Array;
  readonly journalFile: string;
  /** Opens the upload folder. */
  readonly openRoot: () => Promise<Root>;
  readonly digest: Digest;
  /** See `openJournal()`. */
  readonly secret?: Uint8Array;
  readonly maker?: FileMaker | undefined;
  readonly pool: HashPool;
  readonly facts: Facts;
  readonly desk: DeskRef;
  readonly onConflict: ConflictPolicy;
  readonly links: LinkPolicy;
  readonly allowHidden: boolean;
  readonly reserve: (bytes: number) => Promise<void>;
  readonly reserveNow?: (bytes: number) => boolean;
  readonly release: (bytes: number) => void;
  /** Told what became of an older journal, when that is worth saying. */
  readonly warn: (text: string) => void;
}

/** A checkpoint is due when this much came, bytes, ... */
const CHECKPOINT_BYTES = 64 * 1024 * 1024;
/** ... or so many entries: the sender must not run out of window meanwhile, ... */
const CHECKPOINT_ENTRIES = 1024;
/** ... or this long after the first of it, ms. */
const CHECKPOINT_MS = 1000;
/** More than this is not taken before it is durable, bytes. */
const MOST_DIRTY_BYTES = 4 * CHECKPOINT_BYTES;

/** Creates one life of persistence. */
export function persistence(
  deps: PersistenceDeps,
): Behavior<PersistenceMessage> {
  let root: Root | undefined;
  let journal: Journal | undefined;
  let partial: PartialDir | undefined;
  let desk: Desk | undefined;
  let run = -1;
  let saving: Promise<void> | undefined;
  let isTimed = false;
  let isTold = false;
  let expected = 0; // small files
  let isNew = false; // parts that are there belong to no journal

  const open = async (root: Root, fresh: boolean): Promise<Journal> => {
    const opened = await openJournal({
      file: deps.journalFile,
      session: deps.session,
      root: root.dir,
      digest: deps.digest.digest,
      ...(deps.secret && { secret: deps.secret }),
      fresh,
    });
    if (opened.note !== undefined) deps.warn(opened.note);
    isNew = opened.state === "fresh" || opened.state === "replaced";
    return opened.journal;
  };

  const closeDesk = async (): Promise<void> => {
    deps.desk.current = undefined;
    await saving;
    await desk?.close();
    desk = undefined;
  };

  const begin = async (
    message: Extract<PersistenceMessage, { type: "begin" }>,
    cx: Context<PersistenceMessage>,
  ): Promise<void> => {
    if (!message.fresh) {
      await saving;
      await desk?.checkpoint(true); // the new conversation may begin with all of it
    }
    await closeDesk();
    await partial?.removeNests();
    if (message.fresh && root !== undefined) {
      await journal?.close();
      journal = undefined;
      journal = await open(root, true);
      await partial?.removeAll();
    }
    if (!root || !journal || !partial) return;
    run = message.run;
    deps.facts.drain();
    const vault = createVault({
      root,
      partial,
      journal,
      digest: deps.pool.digest,
      onConflict: deps.onConflict,
      checksum: message.checksum,
      reserve: deps.reserve,
      ...(deps.reserveNow && { reserveNow: deps.reserveNow }),
      release: deps.release,
    });
    desk = deps.desk.current = createDesk({
      ...deps,
      run,
      root,
      partial,
      journal,
      vault,
      expect(files, bytes) {
        expected += files;
        deps.maker?.expect(expected);
        deps.pool.expect?.(bytes);
      },
      changed() {
        // A mailbox that is full has other messages, after which we look as well.
        isTold ||= cx.self.offer({ type: "decided" });
      },
      fail: (error) => cx.spawn(() => Promise.reject(error)),
    });
  };

  /** Starts a checkpoint if there is something to save and none runs. */
  const save = (cx: Context<PersistenceMessage>): void => {
    const current = desk;
    if (saving !== undefined || !current?.isDirty) return;
    const work = saving = current.checkpoint().finally(() => {
      saving = undefined;
    });
    cx.spawn(async (signal) => {
      await work;
      await cx.self.send({ type: "saved" }, signal);
    });
  };

  /** Sees whether it is time for a checkpoint. */
  const consider = async (cx: Context<PersistenceMessage>): Promise<void> => {
    if (desk === undefined || !desk.isDirty) return;
    const isDue = desk.isIdle && desk.hasNews ||
      desk.dirtyBytes >= CHECKPOINT_BYTES ||
      desk.newEntries >= CHECKPOINT_ENTRIES;
    if (isDue) save(cx);
    else if (!isTimed) {
      isTimed = true;
      cx.after(CHECKPOINT_MS, { type: "checkpoint" });
    }
    while (desk !== undefined && desk.dirtyBytes >= MOST_DIRTY_BYTES) {
      save(cx);
      await saving;
    }
  };

  return {
    async start() {
      root = await deps.openRoot();
      journal = await open(root, false);
      partial = await root.partial(deps.session.toHex());
      await partial.removeNests();
      if (isNew) await partial.removeAll();
      else await removeStray(journal, partial);
    },
    async receive(message, cx) {
      if ("run" in message && message.run !== run && message.type !== "begin") {
        return;
      }
      switch (message.type) {
        case "begin":
          await begin(message, cx);
          return;
        case "announced":
          await desk?.announced(message.entries);
          break;
        case "verified":
          desk?.verified(message.chunks);
          break;
        case "whole":
          for (const file of message.files) desk?.whole(file);
          break;
        case "rewind":
          desk?.rewind(message.index, message.gen);
          break;
        case "gone":
          desk?.gone(message.index, message.gen);
          break;
        case "repeat":
          desk?.repeat();
          message.reply.resolve();
          break;
        case "complete":
          if (journal && partial) await removeParts(journal, partial);
          return;
        case "checkpoint":
          isTimed = false;
          save(cx);
          return;
        case "decided":
          isTold = false;
          break;
        case "saved":
          break;
        default:
          unreachable(message);
      }
      await consider(cx);
    },
    async stop() {
      try {
        await saving?.catch(() => {}); // who began it heard why not
        await desk?.checkpoint(true);
      } finally {
        await closeDesk();
        partial?.close();
        await journal?.close(false);
        await root?.removeEmptyPartials();
        root?.close();
      }
    },
  };
}

/** Removes all parts. */
async function removeParts(
  journal: Journal,
  partial: PartialDir,
): Promise<void> {
  for (const { slot } of [...journal.parts()]) journal.drop(slot);
  await partial.removeAll();
}

/** Removes parts that were on their way when a process was killed, and that nothing names. */
async function removeStray(
  journal: Journal,
  partial: PartialDir,
): Promise<void> {
  for (const slot of await partial.list()) {
    if (journal.part(slot) === undefined) await partial.remove(slot);
  }
}

/** Has persistence say once more what is open, and waits until it has. */
export function repeatFacts(
  to: Address<PersistenceMessage>,
  run: number,
  options: AskOptions,
): Promise<void> {
  return ask<PersistenceMessage, void>(
    to,
    (reply) => ({ type: "repeat", run, reply }),
    options,
  );
}
