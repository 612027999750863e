/**
 * Leases in a lane Worker: the lane itself is the one of `lane_send.ts`, and what
 * it asks the ledger is answered here from what came with the lease.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import { SftpxError } from "../core/errors.ts";
import { createStopwatch } from "../core/stopwatch.ts";
import { isZeroDigest, sameDigest } from "../protocol/digests.ts";
import { chunkCount } from "../protocol/entry.ts";
import type { OutEntry } from "../protocol/outgoing.ts";
import {
  openSource,
  PLAIN_DISK,
  readSmallNow,
  type SourceDisk,
  type SourceFileEntry,
} from "../store/source.ts";
import type { SendStream } from "../transport/transport.ts";
import type { HashPool } from "./hash_pool.ts";
import type { FarReport, FarWork } from "./lane_calls.ts";
import { type Readable, sendLane, type SendWatch } from "./lane_send.ts";

/** What such a lane needs. */
export interface LeaseLaneDeps {
  readonly stream: SendStream;
  readonly pool: HashPool;
  readonly disk: SourceDisk;
  readonly clock: Clock;
}

/** A lane that sends what it is given. */
export interface LeaseLane {
  /** Sends; of what the network or the disk does the report tells. */
  send(works: readonly FarWork[], over: AbortSignal): Promise<FarReport>;
  close(): Promise<void>;
}

/** Creates a lane that writes to a stream, whose preamble is written. */
export function leaseLane(
  { stream, pool, disk, clock }: LeaseLaneDeps,
): LeaseLane {
  let works: readonly Held[] = [];
  let waits = { read: 0, write: 0 };
  let wrote = { sent: 0, same: 0, body: 0 };
  const watch: SendWatch = {
    ...createStopwatch(["read", "write", "pace", "rate"], clock),
    begin(kind) {
      const from = clock.now();
      return () => {
        if (kind === "read" || kind === "write") {
          waits[kind] += clock.now() - from;
        }
      };
    },
  };
  const holding = (index: number, chunk: number): Held | undefined =>
    works.find(({ work }) =>
      work.index === index && chunk >= work.first &&
      chunk < work.first + work.count
    );
  const lane = sendLane({
    stream,
    pool,
    limiter: undefined,
    watch,
    wrote(payload) {
      wrote.sent += payload.sent;
      wrote.same += payload.same;
      wrote.body += payload.body;
    },
    ledger: {
      get: (index) => works.find(({ work }) => work.index === index)?.item,
      chunkRead(index, gen, chunk, digest) {
        const held = holding(index, chunk);
        if (held?.work.gen !== gen) return "stale";
        const { work } = held;
        const at = (chunk - work.first) * digest.length;
        const end = at + digest.length;
        const known = work.known.subarray(at, end);
        if (!isZeroDigest(known) && !sameDigest(known, digest)) {
          return "changed";
        }
        held.digests.set(digest, at);
        held.read = chunk - work.first + 1;
        return sameDigest(work.offered.subarray(at, end), digest)
          ? "same"
          : "data";
      },
      // Of a larger file nobody here knows whether this is the last of it.
      isRead(index) {
        const item = works.find(({ work }) => work.index === index)?.item;
        return item !== undefined && chunkCount(item.entry) === 1;
      },
      wasRead() {},
    },
  });
  return {
    async send(given, over) {
      works = given.map((work) => hold(work, disk));
      waits = { read: 0, write: 0 };
      wrote = { sent: 0, same: 0, body: 0 };
      const never = new AbortController().signal;
      let failure: FarReport["failure"];
      let report: Pick<FarReport, "changed" | "failed"> = {
        changed: [],
        failed: [],
      };
      try {
        report = await lane.send(given, never, over);
      } catch (error) {
        if (!(error instanceof SftpxError)) throw error;
        const { code, message } = error;
        failure = { code, message };
      }
      const digests = works.map((held) =>
        held.digests.subarray(0, held.read * DIGEST_BYTES)
      );
      const { read: readMs, write: writeMs } = waits;
      return { ...report, ...wrote, digests, readMs, writeMs, failure };
    },
    close: () => lane.close(),
  };
}

const DIGEST_BYTES = 32;

/** Work that is under way. */
interface Held {
  readonly work: FarWork;
  readonly item: OutEntry<Readable>;
  readonly digests: Uint8Array;
  /** Chunks that were read. */
  read: number;
}

function hold(work: FarWork, quick: SourceDisk): Held {
  const disk = work.isQuick ? quick : PLAIN_DISK;
  const facts: SourceFileEntry = { ...work.facts, disk };
  const { index, gen, entry } = work;
  const item: OutEntry<Readable> = {
    index,
    gen,
    entry,
    source: {
      open: () => openSource(facts),
      readNow: (into) => readSmallNow(facts, into),
    },
    digest: undefined,
    b3sum: undefined,
    unchanged: false,
    outcome: "here",
    code: undefined,
    reason: undefined,
    skipped: false,
    wantedFrom: 0,
  };
  return {
    work,
    item,
    digests: new Uint8Array(work.count * DIGEST_BYTES),
    read: 0,
  };
}
