/**
 * What ties the lanes of a receiver to the rest of it: where chunks go, what
 * becomes of what was checked, and who counts.
 *
 * @module
 */
import type { Context } from "../core/actor.ts";
import type { Address } from "../core/mailbox.ts";
import type { ReceiverRules } from "../protocol/session.ts";
import type { FileMaker } from "../workers/file_maker.ts";
import type { HashPool } from "../workers/hash_pool.ts";
import type { ReceiveLaneDeps } from "./lane_receive.ts";
import type { DeskRef } from "./persistence.ts";
import type { QuietWatch } from "./quiet.ts";
import type { ReceiveCounts } from "./receive_counts.ts";
import type { Rooms } from "../workers/rooms.ts";
import type { VerifierMessage } from "./verifier.ts";

/** What lanes are tied to. */
export interface LaneTies {
  readonly verifier: Address<VerifierMessage>;
  readonly desk: DeskRef;
  readonly pool: HashPool;
  readonly maker?: FileMaker | undefined;
  readonly rooms: Rooms;
  readonly rules: ReceiverRules;
  readonly quiet: QuietWatch;
  readonly counts: ReceiveCounts;
  /** Number of the run that is on; `undefined` when there is none. */
  readonly run: () => number | undefined;
}

/** A frame is as large as its chunk and its header, or a pack; bytes. */
const FRAME_SLACK = 64 * 1024;
const PACK_BYTES = 1024 * 1024;

/** Ties lanes to a scheduler's life. */
export function laneDeps(
  { verifier, desk, pool, maker, rooms, rules, quiet, counts, run }: LaneTies,
  cx: Context<never>,
): Omit<ReceiveLaneDeps, "stream"> {
  return {
    pool,
    maker,
    rooms,
    judge: (record) => rules.heardRecord(record),
    target(index) {
      const { current } = desk; // of an older run while the next one begins
      return current?.run === run() ? current?.target(index) : undefined;
    },
    maxBody: () =>
      Math.max(desk.current?.largestChunk ?? 0, PACK_BYTES) + FRAME_SLACK,
    async checked(chunks) {
      counts.checked(chunks);
      const number = run();
      if (number === undefined) return;
      const ours = chunks.filter(({ run }) => run === number);
      if (ours.length === 0) return; // of a connection that is gone
      await verifier.send(
        { type: "checked", run: number, chunks: ours },
        cx.signal,
      );
    },
    received: counts.received,
    arrived(bytes) {
      quiet.heard();
      counts.arrived(bytes);
    },
    now: () => cx.clock.now(),
    watch: counts.watch,
  };
}
