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

/** What arrived is measured over pieces of at least this long, ms. */
const PIECE_MS = 450;
/** As many pieces are remembered; the best of them counts. */
const PIECES = 6;
/** At first, sent over received: what the path carries is not known. */
const START = 2;
/** The start is over when as many pieces in a row brought no such growth. */
const GROWTH = 1.25;
const FLAT_PIECES = 3;
/** After that: most of the time, and in one piece of each cycle, to find out more. */
const CRUISE = 1.02;
const PROBE = 1.2;
const CYCLE = 8;
/** Less than this is never asked for, bytes a second. */
const LEAST = 1024 * 1024;

/** Creates a function that is told how many bytes have arrived in all, some times a second. */
export function createPace(
  pacer: Pacer,
  clock: Clock,
): (receivedBytes: number) => void {
  let last: { readonly at: number; readonly bytes: number } | undefined;
  let rates: number[] = [];
  let best = 0;
  let flat = 0;
  let turn = 0;
  return (receivedBytes) => {
    const now = clock.now();
    if (last === undefined || receivedBytes < last.bytes) {
      last = { at: now, bytes: receivedBytes };
      rates = [];
      best = flat = 0;
      pacer.setRate(LEAST);
      return;
    }
    if (now - last.at < PIECE_MS) return;
    const rate = (receivedBytes - last.bytes) / (now - last.at) * 1000;
    last = { at: now, bytes: receivedBytes };
    rates = [...rates, rate].slice(-PIECES);
    flat = rate > best * GROWTH ? 0 : flat + 1;
    best = Math.max(best, rate);
    const isStarting = flat < FLAT_PIECES && turn === 0;
    if (!isStarting) turn++;
    const gain = isStarting ? START : turn % CYCLE === 0 ? PROBE : CRUISE;
    pacer.setRate(Math.max(LEAST, Math.max(...rates) * gain));
  };
}
