/**
 * What a sender tells of its transfer: how far it is, and what became of what.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { EventSink, Limiter } from "../core/events.ts";
import { senderLimiter } from "../core/limiter.ts";
import { createMeter } from "../core/rate.ts";
import { createStopwatch } from "../core/stopwatch.ts";
import type { Limiter as PeerLimiter } from "../protocol/status.ts";
import type { SendWatch } from "../workers/lane_send.ts";
import type { PathSeen } from "./send_fleet.ts";
import type { Failure, SendRun } from "./send_run.ts";

/** What reports need. */
export interface SendReportDeps {
  readonly session: string;
  readonly emit: EventSink;
  /** Processor time of the process so far, ms. @default {not known} */
  readonly cpuMs?: () => number;
  /** Told whenever something became durable. */
  readonly progress: () => void;
}

/** Tells of one transfer. */
export interface SendReport {
  /** What was not sent, the first of it by name. */
  readonly failures: readonly Failure[];
  /** A run begins anew, and what failed before may not fail again. */
  begin(): void;
  /** Something cannot even be announced. */
  failed(failure: Failure): void;
  /** Tells what became of entries that are final. */
  final(run: SendRun): void;
  /** Tells how far it is, if that has changed. */
  progress(run: SendRun, path: PathSeen | undefined): void;
  /** What it is that limits. */
  readonly limiter: Limiter;
  /** Counts what lanes wait for. */
  readonly watch: SendWatch;
  /** Takes what the receiver says that it is held up by. */
  peer(limiter: PeerLimiter): void;
}

/** What speed is measured over, ms. */
const METER_MS = 5000;
/** Failures that are kept by name. */
const MAX_FAILURES = 100;

/** Creates the reports of one transfer. */
export function sendReport(deps: SendReportDeps, clock: Clock): SendReport {
  const { session, emit } = deps;
  const meter = createMeter(clock, METER_MS);
  let failures: Failure[] = [];
  let durable = 0;
  let shown = "";
  let limiter: Limiter = "none";
  let peer: PeerLimiter = "none";
  const watch: SendWatch = createStopwatch(
    ["read", "write", "pace", "rate"],
    clock,
    deps.cpuMs,
  );

  const keep = (failure: Failure): void => {
    if (failures.length < MAX_FAILURES) failures.push(failure);
  };
  return {
    get failures() {
      return failures;
    },
    begin() {
      failures = [];
      durable = 0;
    },
    failed({ path, reason }) {
      keep({ path, reason });
      emit({
        type: "entry",
        session,
        path,
        kind: "file",
        outcome: "gone",
        bytes: 0,
        reason,
      });
    },
    final({ ledger }) {
      for (const item of ledger.takeFinal()) {
        const { entry, outcome, skipped, reason, b3sum } = item;
        const { path, kind } = entry;
        if (kind === "dir-end") continue;
        if (outcome !== "here") {
          keep({ path, reason: reason ?? "no reason given" });
        }
        const here = skipped ? "skipped" : "received";
        emit({
          type: "entry",
          session,
          path,
          kind,
          outcome: outcome === "here" ? here : outcome,
          bytes: kind === "file" ? entry.size : 0,
          ...(b3sum && { b3sum: b3sum.toHex() }),
          ...(reason === undefined ? {} : { reason }),
        });
      }
    },
    watch,
    get limiter() {
      return limiter;
    },
    peer(limiter) {
      peer = limiter;
    },
    progress(run, path) {
      const lap = path && watch.lap();
      if (lap && path) limiter = senderLimiter({ ...lap, ...path, peer });
      const { totals, ended } = run.ledger;
      meter.add(Math.max(0, totals.durable - durable));
      if (totals.durable > durable) deps.progress();
      durable = totals.durable;
      const state =
        `${totals.durable} ${totals.found} ${totals.entries} ${ended} ${limiter}`;
      if (state === shown) return;
      shown = state;
      emit({
        type: "progress",
        session,
        bytes: totals.durable,
        total: totals.found,
        counted: ended,
        entries: totals.entries,
        sent: run.totals.sent,
        rate: Math.round(meter.rate()),
        limiter,
      });
    },
  };
}
