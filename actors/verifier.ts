/**
 * The verifier: judges files by what both sides say of their chunks.
 *
 * A chunk was checked against its digest before it was put in place; here its
 * digest becomes part of the file's, which must be what the sender says on the
 * manifest stream. Only then is a file whole.
 *
 * @module
 */
import { type Behavior, type Context, unreachable } from "../core/actor.ts";
import { SftpxError } from "../core/errors.ts";
import type { Address } from "../core/mailbox.ts";
import { contentDigest, type Digest } from "../crypto/digest.ts";
import {
  type ChunkDigests,
  chunkDigests,
  sameDigest,
} from "../protocol/digests.ts";
import { chunkCount } from "../protocol/entry.ts";
import type { Announced, WholeFile } from "./desk_item.ts";
import { chunkRun, type Facts } from "./facts.ts";
import type { CheckedChunk } from "./lane_receive.ts";
import type { PersistenceMessage } from "./persistence.ts";

/** What the verifier can be told. What belongs to an older run is dropped. */
export type VerifierMessage =
  | {
    readonly type: "begin";
    readonly run: number;
    readonly checksum: boolean;
    readonly fresh: boolean;
    /** Every file comes with a digest of its own. */
    readonly b3sum: boolean;
  }
  | {
    readonly type: "announced";
    readonly run: number;
    readonly entries: readonly Announced[];
  }
  /** Chunks of one frame, judged by a lane. */
  | {
    readonly type: "checked";
    readonly run: number;
    readonly chunks: readonly CheckedChunk[];
  }
  /** What the sender says that a file's content is. */
  | {
    readonly type: "digest";
    readonly run: number;
    readonly index: number;
    readonly gen: number;
    readonly digest: Uint8Array;
    readonly b3sum: Uint8Array | undefined;
  }
  | {
    readonly type: "gone";
    readonly run: number;
    readonly index: number;
    readonly gen: number;
  }
  /** Entries below are final. */
  | {
    readonly type: "retired";
    readonly run: number;
    readonly next: number;
  };

/** What the verifier needs. */
export interface VerifierDeps {
  readonly digest: Digest;
  readonly facts: Facts;
  readonly persistence: Address<PersistenceMessage>;
}

/** A file that never comes right is given up after as many tries. */
const MAX_TRIES = 8;

const NOTHING = new Uint8Array();

interface Case {
  readonly gen: number;
  readonly path: string;
  readonly chunks: number;
  /** Made when there are any to keep: of one chunk there is nothing to wait for. */
  digests: ChunkDigests | undefined;
  claimed:
    | { readonly digest: Uint8Array; readonly b3sum: Uint8Array | undefined }
    | undefined;
  tries: number;
}

/** Creates one life of a verifier. */
export function verifier(deps: VerifierDeps): Behavior<VerifierMessage> {
  const cases = new Map<number, Case>();
  let run = -1;
  let needsDigest = false;

  const find = (index: number, gen: number): Case | undefined => {
    const item = cases.get(index);
    return item?.gen === gen ? item : undefined;
  };

  const chargeTry = (item: Case): void => {
    if (++item.tries < MAX_TRIES) return;
    throw new SftpxError(
      "integrity",
      `Cannot receive ${
        JSON.stringify(item.path)
      }: what comes is not what was announced, again and again`,
    );
  };

  /** Judges a file as far as that can be; returns it when it is whole. */
  const judge = async (
    index: number,
    item: Case,
    cx: Context<VerifierMessage>,
  ): Promise<WholeFile | undefined> => {
    const { chunks, digests, claimed, gen } = item;
    const all = digests?.concat() ?? NOTHING;
    const digest = contentDigest(deps.digest, all);
    if (claimed === undefined || sameDigest(claimed.digest, digest)) {
      cases.delete(index);
      return { index, gen, digest, b3sum: claimed?.b3sum, bytes: 0 };
    }
    chargeTry(item);
    item.digests = undefined;
    await deps.persistence.send({ type: "rewind", run, index, gen }, cx.signal);
    deps.facts.add(index, { run, gen, corrupt: chunkRun(0, chunks) });
    return undefined;
  };
  const canJudge = ({ chunks, digests, claimed }: Case): boolean => {
    if (chunks === 0 || (digests?.known ?? 0) < chunks) return false;
    return chunks === 1 && !needsDigest || claimed !== undefined;
  };
  /** True for the only chunk of a file of which nothing more is to be known. */
  const isAll = (
    { chunks, claimed }: Case,
    { digest }: CheckedChunk,
  ): boolean => {
    if (chunks !== 1) return false;
    return claimed === undefined
      ? !needsDigest
      : sameDigest(claimed.digest, digest);
  };
  const pass = async (
    files: readonly WholeFile[],
    cx: Context<VerifierMessage>,
  ): Promise<void> => {
    if (files.length === 0) return;
    await deps.persistence.send({ type: "whole", run, files }, cx.signal);
  };

  const checked = async (
    chunks: readonly CheckedChunk[],
    cx: Context<VerifierMessage>,
  ): Promise<void> => {
    const good: CheckedChunk[] = [];
    const whole: WholeFile[] = [];
    const touched = new Map<number, Case>();
    for (const chunk of chunks) {
      const { index, gen } = chunk;
      const item = find(index, gen);
      if (item === undefined) continue;
      if (chunk.verdict === "corrupt") {
        chargeTry(item);
        deps.facts.add(index, { run, gen, corrupt: chunkRun(chunk.chunk, 1) });
        continue;
      }
      if (isAll(item, chunk)) {
        cases.delete(index);
        const { digest, verdict } = chunk;
        const bytes = verdict === "written" ? chunk.bytes : 0;
        const b3sum = item.claimed?.b3sum;
        whole.push({ index, gen, digest, b3sum, bytes });
        continue;
      }
      item.digests ??= chunkDigests(item.chunks);
      if (item.digests.get(chunk.chunk) === undefined) good.push(chunk);
      item.digests.set(chunk.chunk, chunk.digest);
      touched.set(index, item);
    }
    if (good.length > 0) {
      await deps.persistence.send(
        { type: "verified", run, chunks: good },
        cx.signal,
      );
    }
    for (const [index, item] of touched) {
      if (!canJudge(item)) continue;
      const file = await judge(index, item, cx);
      if (file !== undefined) whole.push(file);
    }
    await pass(whole, cx);
  };

  return {
    async receive(message, cx) {
      if (message.type !== "begin" && message.run !== run) return;
      switch (message.type) {
        case "begin": {
          cases.clear();
          run = message.run;
          needsDigest = message.b3sum;
          const { fresh } = message;
          // What is in place is compared too, so that its digest is known.
          const checksum = message.checksum || message.b3sum;
          await deps.persistence.send(
            { type: "begin", run, checksum, fresh },
            cx.signal,
          );
          return;
        }
        case "announced":
          for (const { index, gen, entry } of message.entries) {
            const chunks = chunkCount(entry);
            if (entry.kind !== "file") continue;
            cases.set(index, {
              gen,
              path: entry.path,
              chunks,
              digests: undefined,
              claimed: undefined,
              tries: cases.get(index)?.tries ?? 0,
            });
          }
          await deps.persistence.send(message, cx.signal);
          return;
        case "checked":
          await checked(message.chunks, cx);
          return;
        case "digest": {
          const { index, gen, digest, b3sum } = message;
          const item = find(index, gen);
          if (item === undefined) return;
          item.claimed = { digest, b3sum };
          if (!canJudge(item)) return;
          const file = await judge(index, item, cx);
          if (file !== undefined) await pass([file], cx);
          return;
        }
        case "gone":
          cases.delete(message.index);
          await deps.persistence.send(message, cx.signal);
          return;
        case "retired":
          // Cases are in index order, but for those announced anew.
          for (const index of cases.keys()) {
            if (index < message.next) cases.delete(index);
            else break;
          }
          return;
        default:
          unreachable(message);
      }
    },
  };
}
