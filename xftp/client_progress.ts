/**
 * Tells how far an upload or download is, as `core/events.ts` has it.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { SftpxError } from "../core/errors.ts";
import type { EventSink } from "../core/events.ts";
import { createMeter } from "../core/rate.ts";

/** Counts bytes, and tells of them. */
export interface StoreProgress {
  /** It has begun. */
  begin(label: string, remote: string, isResumed: boolean): void;
  /** Bytes are where they are to be. */
  add(bytes: number, isNew: boolean): void;
  /** Something was tried again. */
  retry(error: SftpxError): void;
  /** Something is good to know. */
  warn(message: string): void;
  /** All is done. */
  done(
    entries: number,
    contentBytes: number,
    skipped: number,
    digest: string,
  ): void;
}

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
      rate: meter.rate(),
      limiter: "none",
    });
  };
  return {
    begin(label, remote, isResumed) {
      bytes = 0;
      onEvent({
        type: "connected",
        session,
        remote,
        path: "router",
        carrier: "tcp",
        resumed: isResumed,
      });
      onEvent({ type: "started", session, label, remote });
    },
    add(more, isNew) {
      bytes += more;
      if (isNew) {
        sent += more;
        meter.add(more);
      }
      if (bytes >= total || clock.now() - toldMs >= EVERY_MS) tell();
    },
    retry({ code, message }) {
      onEvent({ type: "reconnecting", session, code, reason: message });
    },
    warn: (message) => onEvent({ type: "warning", message }),
    done(count, contentBytes, skipped, digest) {
      onEvent({
        type: "done",
        session,
        totals: {
          entries: count,
          bytes: contentBytes,
          sent,
          reused: Math.max(0, bytes - sent),
          skipped,
          failed: 0,
        },
        root: digest,
        ms: clock.now() - startedMs,
      });
    },
  };
}
