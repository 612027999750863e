/**
 * The chunker: turns paths into entries, as fast as they are wanted.
 *
 * It walks while the transfer runs: the first entry is on its way before the
 * last is found. It stops when as many entries are open as the receiver
 * allows, so its memory does not grow with the tree.
 *
 * @module
 */
import { type Behavior, unreachable } from "../core/actor.ts";
import type { Clock } from "../core/clock.ts";
import type { Outbox } from "../core/coalesce.ts";
import type { Address } from "../core/mailbox.ts";
import { idleTurn } from "../core/turn.ts";
import type { Entry } from "../protocol/entry.ts";
import type { SourceEntry } from "../store/source.ts";

/** What the chunker can be told. */
export interface ChunkerMessage {
  /** Walk from the beginning; what an earlier run found is of no use any more. */
  readonly type: "scan";
  readonly run: number;
  /** How many entries may have been found by now; it only grows. */
  readonly credit: Credit;
}

/** How far a walk may go, as it grows. */
export type Credit = Outbox<"entries", number>;

/** Entries found, in order. */
export interface Found {
  readonly type: "found";
  readonly run: number;
  readonly entries: readonly SourceEntry[];
  /** True with the last of them. */
  readonly ended: boolean;
}

/** What the chunker needs. */
export interface ChunkerDeps {
  /** Entries in order, one or some at a time. */
  readonly walk: () => AsyncIterable<SourceEntry | readonly SourceEntry[]>;
  readonly scheduler: () => Address<Found>;
}

/** What was found does not wait for more of it longer than this, ms. */
const FLUSH_MS = 50;
/** How long a walk keeps the thread to itself, ms. */
const TURN_MS = 4;
/** Entries of one message at most. */
const BATCH = 256;

/** Creates one life of a chunker. */
export function chunker(deps: ChunkerDeps): Behavior<ChunkerMessage> {
  let current: AbortController | undefined;

  const scan = async (
    { run, credit }: ChunkerMessage,
    clock: Clock,
    signal: AbortSignal,
  ): Promise<void> => {
    const scheduler = deps.scheduler();
    let batch: SourceEntry[] = [];
    let found = 0;
    let allowed = 0;
    let size = 1; // the first entry must not wait for others
    let turnedMs = -Infinity; // what was said before the walk goes first
    let sent: Promise<void> = Promise.resolve();
    const send = (ended: boolean): Promise<void> => {
      const entries = batch;
      batch = [];
      // In order, whoever sends.
      sent = sent.then(() =>
        scheduler.send({ type: "found", run, entries, ended }, signal)
      );
      return sent;
    };
    const walked = new AbortController();
    const either = AbortSignal.any([signal, walked.signal]);
    /** A walk may take its time over a slow disk: what it has found goes meanwhile. */
    const flush = async (): Promise<void> => {
      while (!either.aborted) {
        await clock.delay(FLUSH_MS, either).catch(() => {});
        if (batch.length > 0 && found <= allowed) await send(false);
      }
    };
    const flushed = flush();
    flushed.catch(() => {}); // heard of below, maybe after the walk has taken its time to end
    try {
      for await (const step of deps.walk()) {
        for (const entry of Array.isArray(step) ? step : [step]) {
          signal.throwIfAborted();
          batch.push(entry);
          found++;
          if (batch.length < size && found < allowed) continue;
          while (found > allowed) {
            allowed = (await credit.take(signal)).get("entries") ?? allowed;
          }
          await send(false);
          // A walk of what is in memory never waits, and others want the thread.
          if (clock.now() - turnedMs >= TURN_MS) {
            await idleTurn();
            turnedMs = clock.now();
          }
          size = Math.min(size * 2, BATCH);
        }
      }
      await send(true);
    } finally {
      walked.abort();
      await flushed.catch(() => {}); // what fails it fails the next send as well
    }
  };

  return {
    receive(message, cx) {
      switch (message.type) {
        case "scan": {
          current?.abort();
          const own = current = new AbortController();
          cx.spawn(async (signal) => {
            const either = AbortSignal.any([signal, own.signal]);
            try {
              await scan(message, cx.clock, either);
            } catch (error) {
              if (!own.signal.aborted) throw error;
            }
          });
          return;
        }
        default:
          unreachable(message.type);
      }
    },
  };
}

/** A walk that begins before it is asked for. */
export interface WalkAhead {
  /** Looks at the first of it, once. */
  begin(): void;
  /** Goes on with what was looked at a moment ago, or begins anew. */
  readonly walk: ChunkerDeps["walk"];
}

/** What was looked at longer ago than this is looked at again, ms. */
const FRESH_MS = 1000;

/** Makes a walk that can begin while others are waited for. */
export function walkAhead(
  walk: () => AsyncGenerator<SourceEntry | readonly SourceEntry[], void, void>,
  clock: Clock,
): WalkAhead {
  let begun: {
    readonly steps: ReturnType<typeof walk>;
    readonly first: Promise<
      IteratorResult<SourceEntry | readonly SourceEntry[], void>
    >;
    readonly atMs: number;
  } | undefined;
  let isBegun = false;
  return {
    begin() {
      if (isBegun) return;
      isBegun = true;
      const steps = walk();
      const first = steps.next();
      first.catch(() => {}); // who goes on hears of it
      begun = { steps, first, atMs: clock.now() };
    },
    async *walk() {
      const ahead = begun;
      begun = undefined;
      if (ahead === undefined || clock.now() - ahead.atMs > FRESH_MS) {
        return yield* walk();
      }
      const { done, value } = await ahead.first;
      if (done) return;
      yield value;
      yield* ahead.steps;
    },
  };
}

/** What an entry is on the wire; errors have nothing to send. */
export function wireEntry(
  found: SourceEntry,
  chunkSize: (size: number) => number,
): Entry | undefined {
  switch (found.kind) {
    case "file": {
      const { kind, path, mode, mtimeNs, size } = found;
      return { kind, path, mode, mtimeNs, size, chunkSize: chunkSize(size) };
    }
    case "link": {
      const { kind, path, mode, mtimeNs, target } = found;
      return { kind, path, mode, mtimeNs, target };
    }
    case "dir":
    case "dir-end": {
      const { kind, path, mode, mtimeNs } = found;
      return { kind, path, mode, mtimeNs };
    }
    case "error":
      return undefined;
    default:
      return unreachable(found);
  }
}
