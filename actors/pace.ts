/**
 * How fast to send by BBR: not much faster than the receiver receives.
 *
 * BBR as the platform has it goes on sending into a queue that is full. It cannot
 * send what it is not given, so it is given what arrives, and a little more now
 * and then to find out whether more would.
 *
 * @module
 */
import type { Clock } from "../core/clock.ts";
import type { Pacer } from "../core/rate.ts";

/** Until it has run for this long nothing is held back: what the path carries is not known. */
const START_MS = 4000;
/** What arrived is measured over pieces of at least this long, ms. */
const PIECE_MS = 900;
/** As many pieces are remembered; the best of them counts. */
const PIECES = 4;
/** Sent over received: most of the time, and in one piece of each cycle. */
const CRUISE = 1.02;
const PROBE = 1.2;
/** Pieces of a cycle. */
const CYCLE = 4;
/** Less than this is never asked for, bytes a second. */
const LEAST = 256 * 1024;

/** Creates a function that is told how many bytes have arrived in all, some times a second. */
export function createPace(
  pacer: Pacer,
  clock: Clock,
): (receivedBytes: number) => void {
  let startedAt: number | undefined;
  let lastAt = 0;
  let lastBytes = 0;
  let turn = 0;
  let rates: number[] = [];
  return (receivedBytes) => {
    const now = clock.now();
    if (startedAt === undefined || receivedBytes < lastBytes) {
      startedAt = lastAt = now;
      lastBytes = receivedBytes;
      rates = [];
      pacer.setRate(Infinity);
      return;
    }
    if (now - lastAt < PIECE_MS) return;
    rates.push((receivedBytes - lastBytes) / (now - lastAt) * 1000);
    if (rates.length > PIECES) rates.shift();
    lastAt = now;
    lastBytes = receivedBytes;
    if (now - startedAt < START_MS) return;
    const gain = ++turn % CYCLE === 0 ? PROBE : CRUISE;
    pacer.setRate(Math.max(LEAST, Math.max(...rates) * gain));
  };
}
