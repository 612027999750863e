/**
 * What keeps a transfer from being faster: decided from where those who carry
 * it wait, and how busy the processor is. Pure, so that it can be told apart
 * from what is measured.
 *
 * @module
 */
import type { Limiter } from "./events.ts";

/** What a sender has seen over the last seconds. */
export interface SenderSeen {
  readonly windowMs: number;
  /** How long lanes waited in that time, all of them together, ms. */
  readonly waits: SenderWaits;
  /** Processor time of the process in that time, ms. */
  readonly cpuMs: number;
  /** Threads that carry connections. @default {1} */
  readonly threads?: number;
  /** What the receiver says of itself. */
  readonly peer: "none" | "disk" | "hash";
  /** Bytes that are on their way, and that the connections may have there. */
  readonly underWayBytes: number;
  readonly windowBytes: number;
  /** True when loss keeps CUBIC down, so that another way was chosen. */
  readonly isLossy: boolean;
}

/** What lanes of a sender wait for. */
export interface SenderWaits {
  /** The source's disk. */
  readonly read: number;
  /** A stream that takes no more. */
  readonly write: number;
  /** The pace that suits the path. */
  readonly pace: number;
  /** The rate that was asked for. */
  readonly rate: number;
}

/** What a receiver has seen over the last seconds. */
export interface ReceiverSeen {
  readonly windowMs: number;
  /** How long lanes waited for the network, and for the disk, all of them together, ms. */
  readonly waits: { readonly net: number; readonly disk: number };
  readonly cpuMs: number;
  /** Threads that carry connections. @default {1} */
  readonly threads?: number;
}

/** Few threads do most of the work: they are busy when they work this share of the time. */
const BUSY = 0.85;
/** A wait that matters takes this share of all waits, and of the time. */
const MOST = 0.5;
const SOME = 0.25;
/** The windows are full when this share of them is in use. */
const FULL = 0.8;

/** Says what limits a sender. */
export function senderLimiter(seen: SenderSeen): Limiter {
  const { waits, windowMs, peer, threads = 1 } = seen;
  const all = waits.read + waits.write + waits.pace + waits.rate;
  const isBusy = seen.cpuMs >= windowMs * threads * BUSY;
  const waitsFor = (ms: number, share: number): boolean =>
    ms >= all * share && ms >= windowMs * SOME;
  if (waitsFor(waits.rate, SOME)) return "rate";
  if (peer === "disk") return "peer-disk";
  if (peer === "hash") return "peer-cpu";
  if (waitsFor(waits.read, MOST) && !isBusy) return "disk";
  if (isBusy) return "cpu";
  if (!waitsFor(waits.write + waits.pace, MOST)) return "none";
  if (seen.isLossy) return "loss";
  if (seen.underWayBytes >= seen.windowBytes * FULL) return "window";
  return "link";
}

/** Says what a receiver is held up by, if it is the receiver. */
export function receiverLimiter(
  { waits, windowMs, cpuMs, threads = 1 }: ReceiverSeen,
): "none" | "disk" | "hash" {
  if (cpuMs >= windowMs * threads * BUSY) return "hash";
  const isDisk = waits.disk >= (waits.disk + waits.net) * MOST &&
    waits.disk >= windowMs * SOME;
  return isDisk ? "disk" : "none";
}
