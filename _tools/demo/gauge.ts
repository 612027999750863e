/**
 * How far the transfer of the demo is, from the events of the sender.
 *
 * @module
 */
import type { PrintedEvent } from "./process.ts";

/** Bytes that crossed the network in one life of a process, as it last said. */
export interface Meter {
  sent: number | undefined;
}

/** Follows the bytes that are safe on the receiver's disk. */
export interface Gauge {
  /** Takes in one event of a sender whose bytes `meter` counts. */
  see(event: PrintedEvent, meter: Meter): void;
  /** Waits for this share of the whole; false when `ended` settles first. */
  reaches(share: number, ended: Promise<unknown>): Promise<boolean>;
  /** How far it is, for people. */
  percent(): string;
}

/** No event for this long, and the transfer is stuck. */
const STALL_MS = 120_000;

/** Makes a gauge for a transfer of `total` bytes; what matters is told. */
export function gaugeProgress(
  total: number,
  tell: (text: string) => void,
): Gauge {
  let bytes = 0;
  let lost = false;
  let seen = Promise.withResolvers<void>();
  const percent = (): string =>
    `${Math.floor(100 * Math.min(1, bytes / Math.max(1, total)))} %`;
  return {
    see(event, meter) {
      const sent = event.type === "done"
        ? field(event["totals"], "sent")
        : event["sent"];
      if (typeof sent === "number") {
        meter.sent = Math.max(sent, meter.sent ?? 0);
      }
      if (event.type === "reconnecting" && !lost) {
        lost = true;
        tell("sender: the receiver is gone, trying again by itself");
      } else if (event.type === "connected" && lost) {
        lost = false;
        tell("sender: the receiver is back, going on");
      } else if (
        event.type === "progress" && typeof event["bytes"] === "number"
      ) {
        bytes = event["bytes"];
      }
      seen.resolve();
      seen = Promise.withResolvers();
    },
    async reaches(share, ended) {
      let over = false;
      const end = ended.then(() => void (over = true));
      while (!over && bytes < share * total) {
        await within(
          STALL_MS,
          Promise.race([seen.promise, end]),
          () => `nothing has moved for ${STALL_MS / 1000} s, at ${percent()}`,
        );
      }
      return !over;
    },
    percent,
  };
}

async function within<T>(
  ms: number,
  promise: Promise<T>,
  why: () => string,
): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(why())), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}
