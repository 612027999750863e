/**
 * Tells how far an upload or download is, as `core/events.ts` has it.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { SftpxError } from "../core/errors.ts";
import type { EventSink, Totals } from "../core/events.ts";
import { createMeter } from "../core/rate.ts";

/** Counts bytes, and tells of them. */
export interface StoreProgress {
  /** It has begun; nobody is reached yet. */
  begin(label: string, remote: string, isResumed: boolean): void;
  /** A router is reached; told once, and not when it goes on without. */
  connected(): void;
  /** It goes on, though no router may have been reached: all is here. */
  started(): void;
  /** Bytes are where they are to be. */
  add(bytes: number, isNew: boolean): void;
  /** Something was tried again. */
  retry(error: SftpxError): void;
  /** Something is good to know. */
  warn(message: string): void;
  /** All is done. */
  done(totals: StoreTotals, digest: string): void;
}

/** What was stored or fetched, as `Totals` has it. */
export type StoreTotals = Pick<
  Totals,
  "entries" | "bytes" | "skipped" | "failed"
>;

/** Rates are over so long. */
const WINDOW_MS = 5000;

/** More than this often a person sees no difference. */
const EVERY_MS = 250;

/** Starts to count. @param total Bytes of all chunks. */
export function storeProgress(
  { session, total, entries, clock, onEvent }: {
    readonly session: string;
    readonly total: number;
    readonly entries: number;
    readonly clock: Clock;
    readonly onEvent: EventSink;
  },
): StoreProgress {
  const meter = createMeter(clock, WINDOW_MS);
  const startedMs = clock.now();
  let bytes = 0;
  let sent = 0;
  let toldMs = -Infinity;
  let begun: { label: string; remote: string; resumed: boolean } | undefined;
  let isStarted = false;
  const tell = (): void => {
    toldMs = clock.now();
    onEvent({
      type: "progress",
      session,
      bytes,
      total,
      counted: true,
      entries,
      sent,
      rate: Math.round(meter.rate()),
      limiter: "none",
    });
  };
  const start = (): void => {
    if (isStarted || begun === undefined) return;
    isStarted = true;
    const { label, remote } = begun;
    onEvent({ type: "started", session, label, remote });
    if (bytes > 0) tell();
  };
  return {
    begin(label, remote, resumed) {
      bytes = 0;
      begun = { label, remote, resumed };
      onEvent({ type: "connecting", address: remote, attempt: 1 });
    },
    connected() {
      if (isStarted || begun === undefined) return;
      const { remote, resumed } = begun;
      onEvent({
        type: "connected",
        session,
        remote,
        path: "router",
        carrier: "tcp",
        resumed,
      });
      start();
    },
    started: start,
    add(more, isNew) {
      bytes += more;
      if (isNew) {
        sent += more;
        meter.add(more);
      }
      if (!isStarted) return; // it is told with that
      if (bytes >= total || clock.now() - toldMs >= EVERY_MS) tell();
    },
    retry({ code, message }) {
      onEvent({ type: "reconnecting", session, code, reason: message });
    },
    warn: (message) => onEvent({ type: "warning", message }),
    done({ entries, bytes: contentBytes, skipped, failed }, digest) {
      start();
      onEvent({
        type: "done",
        session,
        totals: {
          entries,
          bytes: contentBytes,
          sent,
          reused: Math.max(0, bytes - sent),
          skipped,
          failed,
        },
        root: digest,
        ms: Math.round(clock.now() - startedMs),
      });
    },
  };
}
