/**
 * What a receiver counts of one transfer, and what it tells of it.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { EventSink, Totals } from "../core/events.ts";
import { receiverLimiter } from "../core/limiter.ts";
import { createMeter } from "../core/rate.ts";
import { createStopwatch } from "../core/stopwatch.ts";
import type { ReceiverRules } from "../protocol/session.ts";
import { encodeStatus } from "../protocol/status.ts";
import type { CheckedChunk, ReceiveWatch } from "./lane_receive.ts";
import type { ReceiveRun } from "./receive_run.ts";

/** Counts of one session; a run that begins anew begins at nothing. */
export interface ReceiveCounts {
  /** Bytes of content that came and were right. */
  readonly written: number;
  /** Counts what lanes wait for. */
  readonly watch: ReceiveWatch;
  /** A run begins anew. */
  begin(): void;
  /** Bytes of content came over the network, in chunks that are complete. */
  received(bytes: number): void;
  /** Bytes of whatever came. */
  arrived(bytes: number): void;
  /** Chunks were judged. */
  checked(chunks: readonly CheckedChunk[]): void;
  /** All that a run came to. */
  totals(run: ReceiveRun): Totals;
  /** Tells how far it is, if that has changed or `isLast`. */
  show(run: ReceiveRun, rules: ReceiverRules, isLast: boolean): void;
  /** What the sender hears once in a while: how far we are, and that we are here. */
  beat(run: ReceiveRun | undefined): Uint8Array;
}

/** What speed is measured over, ms. */
const METER_MS = 5000;

/**
 * Creates counts that tell of `session`.
 *
 * @param threads How many threads carry its connections.
 */
export function receiveCounts(
  session: string,
  emit: EventSink,
  clock: Clock,
  cpuMs?: () => number,
  threads: () => number = () => 1,
): ReceiveCounts {
  const meter = createMeter(clock, METER_MS);
  let received = 0;
  let arrived = 0;
  let written = 0;
  let same = 0;
  let shown = "";
  const watch = createStopwatch(["net", "disk"], clock, cpuMs);
  let limiter: ReturnType<typeof receiverLimiter> = "none";
  const judge = (): typeof limiter => {
    const lap = watch.lap();
    if (lap !== undefined) {
      limiter = receiverLimiter({ ...lap, threads: threads() });
    }
    return limiter;
  };
  return {
    watch,
    get written() {
      return written;
    },
    begin() {
      received =
        arrived =
        written =
        same =
          0;
    },
    received(bytes) {
      received += bytes;
      meter.add(bytes);
    },
    arrived(bytes) {
      arrived += bytes;
    },
    checked(chunks) {
      for (const { verdict, bytes } of chunks) {
        if (verdict === "written") written += bytes;
        else if (verdict === "same") same += bytes;
      }
    },
    totals({ totals }) {
      const { entries, bytes, skipped, refused: failed } = totals;
      return { entries, bytes, sent: received, reused: same, skipped, failed };
    },
    show({ totals }, { bytes, total }, isLast) {
      const { entries } = totals;
      const state = `${received} ${entries} ${bytes} ${total}`;
      if (state === shown && !isLast) return;
      shown = state;
      emit({
        type: "progress",
        session,
        bytes: Math.min(bytes, Math.max(totals.bytes, written + same)),
        total: bytes,
        counted: total !== undefined,
        entries,
        sent: received,
        rate: Math.round(meter.rate()),
        limiter: judge() === "hash"
          ? "cpu"
          : limiter === "disk"
          ? "disk"
          : "none",
      });
    },
    beat: (run) =>
      encodeStatus({
        type: "progress",
        durableBytes: run?.totals.bytes ?? 0,
        receivedBytes: arrived,
        limiter: judge(),
      }),
  };
}
