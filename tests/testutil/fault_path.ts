/**
 * One direction of a bad network: which datagrams are lost, late, doubled,
 * out of order or damaged.
 *
 * @module
 */
import { systemClock } from "../../core/clock.ts";

/** What a direction does to datagrams; chances are 0 to 1. */
export interface Faults {
  readonly drop: number;
  readonly duplicate: number;
  /** How many are held back a little, so that later ones overtake them. */
  readonly reorder: number;
  /** How many have one bit turned. */
  readonly corrupt: number;
  readonly delayMs: number;
  /** Up to so much more delay, anew for each: they overtake each other. */
  readonly jitterMs: number;
  /** Nothing comes through. */
  readonly blackhole: boolean;
  /** 0 is no limit. */
  readonly bytesPerSecond: number;
  /** What waits at the limit; more is dropped. */
  readonly queueBytes: number;
}

/** A good network. */
export const NO_FAULTS: Faults = Object.freeze({
  drop: 0,
  duplicate: 0,
  reorder: 0,
  corrupt: 0,
  delayMs: 0,
  jitterMs: 0,
  blackhole: false,
  bytesPerSecond: 0,
  queueBytes: 256 * 1024,
});

/** What happened to the datagrams of a direction. */
export interface Counters {
  received: number;
  bytes: number;
  sent: number;
  dropped: number;
  duplicated: number;
  reordered: number;
  corrupted: number;
  injected: number;
}

/** One direction. */
export interface FaultPath {
  readonly counters: Counters;
  set(faults: Partial<Faults>): void;
  /** Passes a datagram on, now, later or never. The bytes may change once this returns. */
  pass(bytes: Uint8Array, send: Send): Promise<void>;
  /** Forgets what is under way. */
  close(): void;
}

/** Puts a datagram on the wire. */
export type Send = (bytes: Uint8Array) => Promise<void>;

/** How long a datagram is held back that is to be overtaken. */
const REORDER_MS = 8;

/** Makes a direction without faults. */
export function faultPath(random: () => number): FaultPath {
  let faults = NO_FAULTS;
  const counters: Counters = {
    received: 0,
    bytes: 0,
    sent: 0,
    dropped: 0,
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
    injected: 0,
  };
  const later = schedule();
  let freeAt = 0; // when the limited link will have sent what waits

  const happens = (chance: number): boolean => chance > 0 && random() < chance;

  const due = (length: number): number | undefined => {
    const now = systemClock.now();
    const { bytesPerSecond, queueBytes } = faults;
    let at = now;
    if (bytesPerSecond > 0) {
      const waits = Math.max(0, freeAt - now) / 1000 * bytesPerSecond;
      if (waits + length > queueBytes) return undefined;
      freeAt = Math.max(now, freeAt) + length / bytesPerSecond * 1000;
      at = freeAt;
    }
    at += faults.delayMs + random() * faults.jitterMs;
    if (happens(faults.reorder)) {
      counters.reordered++;
      at += REORDER_MS;
    }
    return at;
  };

  const forward = async (bytes: Uint8Array, send: Send): Promise<void> => {
    const at = due(bytes.length);
    if (at === undefined) {
      counters.dropped++;
      return;
    }
    counters.sent++;
    if (at <= systemClock.now()) await send(bytes);
    else later.add(at, bytes.slice(), send);
  };

  return {
    counters,
    set(changes) {
      faults = { ...faults, ...changes };
    },
    async pass(bytes, send) {
      counters.received++;
      counters.bytes += bytes.length;
      if (faults.blackhole || happens(faults.drop)) {
        counters.dropped++;
        return;
      }
      let passed = bytes;
      if (happens(faults.corrupt)) {
        counters.corrupted++;
        passed = bytes.slice();
        const at = Math.floor(random() * passed.length);
        passed[at] = (passed[at] ?? 0) ^ (1 << Math.floor(random() * 8));
      }
      await forward(passed, send);
      if (happens(faults.duplicate)) {
        counters.duplicated++;
        await forward(passed, send);
      }
    },
    close: later.close,
  };
}

interface Late {
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly send: Send;
}

interface Schedule {
  add(at: number, bytes: Uint8Array, send: Send): void;
  close(): void;
}

/** Sends datagrams when they are due, with one timer for all. */
function schedule(): Schedule {
  const queue: Late[] = []; // by time
  const stop = new AbortController();
  let earlier = new AbortController(); // something is due before what we wait for
  let running = false;

  const run = async (): Promise<void> => {
    running = true;
    for (;;) {
      const [first] = queue;
      if (first === undefined || stop.signal.aborted) break;
      const wait = first.at - systemClock.now();
      if (wait <= 0) {
        queue.shift();
        await first.send(first.bytes);
        continue;
      }
      earlier = new AbortController();
      await systemClock.delay(wait, earlier.signal).catch(() => {});
    }
    running = false;
  };

  return {
    add(at, bytes, send) {
      let place = queue.length;
      while (place > 0 && (queue[place - 1]?.at ?? 0) > at) place--;
      queue.splice(place, 0, { at, bytes, send });
      if (!running) run();
      else if (place === 0) earlier.abort();
    },
    close() {
      stop.abort();
      earlier.abort();
      queue.length = 0;
    },
  };
}
