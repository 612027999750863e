/**
 * A bottleneck with a queue that overflows, as played by the millisecond: a
 * sender by BBR that is paced by `protocol/pacing.ts`, and beside it, where
 * asked for, one by TCP CUBIC.
 *
 * @module
 */
import { createPacing, type Pacing } from "../../protocol/pacing.ts";
import { createRoundTrips } from "../../protocol/round_trips.ts";
import { seeded } from "../testutil/random.ts";

/** A path that is shared. */
export interface Bottleneck {
  readonly rttMs: number;
  readonly mbit: number | ((second: number) => number);
  /** The share of packets that is lost on the way. @default {0} */
  readonly loss?: number;
  /** The queue, in ms of the rate. @default {rttMs} */
  readonly bufferMs?: number;
  /** From when to when another sends by CUBIC, s. @default {never} */
  readonly cubic?: readonly [number, number];
  /** Begins another way of drawing numbers. @default {1} */
  readonly seed?: number;
  /** Told how it goes, each second. */
  readonly seen?: (second: number, now: PathNow) => void;
}

/** What is so at a time. */
export interface PathNow {
  readonly queueMs: number;
  readonly ours: FlowPlayed;
  readonly theirs: FlowPlayed;
}

/** What became of the packets of a flow. */
export interface FlowPlayed {
  /** Bytes that came, in order. */
  arrivedBytes: number;
  /** Packets sent, and those that a full queue dropped. */
  sent: number;
  dropped: number;
}

const PACKET_BYTES = 1250;
const LANES = 8;
const BEAT_MS = 25;
const BURST_MS = 8;
/** Who hears of nothing for so long takes a packet for lost, ms. */
const MOST_WAIT_MS = 3000;

interface Packet {
  readonly flow: Flow;
  readonly number: number;
  readonly lane: number;
  readonly atMs: number;
  readonly isProbe?: boolean;
}

interface Flow extends FlowPlayed {
  arrived(packet: Packet, nowMs: number): void;
  lost(packet: Packet, nowMs: number): void;
}

/** Plays a path for so many seconds. */
export function playBottleneck(
  path: Bottleneck,
  seconds: number,
): { readonly ours: FlowPlayed; readonly theirs: FlowPlayed } {
  const { rttMs, mbit, loss = 0, bufferMs = rttMs, seed = 1 } = path;
  const { cubic = [Infinity, Infinity] } = path;
  const random = seeded(seed);
  const packetsPerMs = (second: number): number =>
    (typeof mbit === "number" ? mbit : mbit(second)) * 125 / PACKET_BYTES;
  const room = Math.max(4, Math.round(bufferMs * packetsPerMs(0)));
  let perMs = packetsPerMs(0);
  const queue: Packet[] = [];
  let head = 0;
  const later = agenda();
  let nowMs = 0;

  const send = (packet: Packet): void => {
    if (!packet.isProbe) packet.flow.sent++;
    const isFull = queue.length - head >= room;
    if (isFull && !packet.isProbe) packet.flow.dropped++;
    if (isFull || random() < loss) {
      const waitsMs = Math.min(MOST_WAIT_MS, (queue.length - head) / perMs);
      return later.at(
        nowMs + rttMs * 1.25 + waitsMs,
        () => packet.flow.lost(packet, nowMs),
      );
    }
    queue.push(packet);
  };
  const ours = pacedFlow(createPacing(), rttMs, send, later, random);
  const theirs = cubicFlow(rttMs, send, later);

  let credit = 0;
  for (nowMs = 0; nowMs < seconds * 1000; nowMs++) {
    perMs = packetsPerMs(nowMs / 1000);
    later.run(nowMs);
    ours.tick(nowMs);
    if (nowMs >= cubic[0] * 1000 && nowMs < cubic[1] * 1000) theirs.tick(nowMs);
    credit = Math.min(credit + perMs, perMs + 1);
    while (credit >= 1 && head < queue.length) {
      credit--;
      const packet = queue[head++];
      if (packet === undefined) break;
      later.at(nowMs + rttMs / 2, () => packet.flow.arrived(packet, nowMs));
    }
    if (head > 10_000) {
      queue.splice(0, head);
      head = 0;
    }
    if (nowMs % 1000 === 999) {
      path.seen?.(Math.round(nowMs / 1000), {
        queueMs: (queue.length - head) / perMs,
        ours,
        theirs,
      });
    }
  }
  return { ours, theirs };
}

interface Agenda {
  at(ms: number, run: () => void): void;
  run(nowMs: number): void;
}

function agenda(): Agenda {
  const by = new Map<number, (() => void)[]>();
  return {
    at(ms, run) {
      const at = Math.ceil(ms);
      const list = by.get(at);
      if (list === undefined) by.set(at, [run]);
      else list.push(run);
    },
    run(nowMs) {
      for (const run of by.get(nowMs) ?? []) run();
      by.delete(nowMs);
    },
  };
}

/** Our sender: pieces go to lanes in turn, and what follows a lost packet of a lane has not arrived. */
function pacedFlow(
  pacing: Pacing,
  rttMs: number,
  send: (packet: Packet) => void,
  later: Agenda,
  random: () => number,
) {
  const trips = createRoundTrips(rttMs + 2);
  const lanes = Array.from({ length: LANES }, () => ({
    next: 0,
    given: 0,
    came: new Set<number>(),
    want: 0,
  }));
  let nowMs = 0;
  let verdict = pacing({
    nowMs: 0,
    arrivedBytes: 0,
    givenBytes: 0,
    rttMs,
    lateRttMs: rttMs,
  });
  let takenBytes = 0;
  let paidUntilMs = 0;
  let lane = 0;
  /** BBR's own pace, packets a ms. */
  let pace = 10 / rttMs;
  let credit = 0;
  const again: Packet[] = [];
  let recent: number[] = [];
  let came = 0;
  const flow = {
    arrivedBytes: 0,
    sent: 0,
    dropped: 0,
    arrived(packet: Packet, atMs: number) {
      if (packet.isProbe) {
        const tripMs = atMs - packet.atMs + rttMs / 2 + random() ** 3 * 15;
        return later.at(atMs + rttMs / 2, () => trips.add(nowMs, tripMs));
      }
      came++;
      const to = lanes[packet.lane];
      if (to === undefined) return;
      to.came.add(packet.number);
      while (to.came.delete(to.want)) {
        to.want++;
        flow.arrivedBytes += PACKET_BYTES;
      }
    },
    lost(packet: Packet) {
      if (!packet.isProbe) again.push(packet);
    },
    tick(at: number) {
      nowMs = at;
      const { rate, mostBytes } = verdict;
      const piece = Math.min(
        Math.max(rate * BURST_MS / 1000, 16 * 1024),
        1024 * 1024,
      );
      while (
        takenBytes < mostBytes && paidUntilMs <= nowMs + BURST_MS
      ) {
        paidUntilMs = Math.max(paidUntilMs, nowMs) + piece / rate * 1000;
        takenBytes += piece;
        const to = lanes[lane = (lane + 1) % LANES];
        if (to !== undefined) to.given += piece / PACKET_BYTES;
      }
      credit = Math.min(credit + pace, Math.max(10, pace));
      if (nowMs % Math.max(40, Math.round(rttMs / 4)) === 0) {
        send({ flow, lane: 0, number: 0, atMs: nowMs, isProbe: true });
      }
      while (credit >= 1) {
        const old = again.shift();
        if (old !== undefined) {
          send({ ...old, atMs: nowMs });
          credit--;
          continue;
        }
        const index = lanes.findIndex(({ next, given }) => next + 1 <= given);
        const from = lanes[index];
        if (from === undefined) break;
        send({ flow, lane: index, number: from.next++, atMs: nowMs });
        credit--;
      }
      if (nowMs % BEAT_MS !== 0) return;
      recent = [...recent, came / BEAT_MS].slice(-20);
      came = 0;
      pace = Math.max(10 / rttMs, 2 * Math.max(...recent));
      const { arrivedBytes } = flow;
      later.at(nowMs + rttMs / 2, () => {
        verdict = pacing({
          nowMs,
          arrivedBytes,
          givenBytes: takenBytes,
          rttMs: trips.shortestMs,
          lateRttMs: trips.lateMs(Math.max(100, trips.shortestMs * 0.6)),
        });
      });
    },
  };
  return flow;
}

/** Another's: RFC 9438 with slow start until the first loss, each loss of a window counted once. */
function cubicFlow(
  rttMs: number,
  send: (packet: Packet) => void,
  later: Agenda,
) {
  let [window, threshold, most, k, beganMs] = [10, Infinity, 0, 0, 0];
  let [under, next, lostUntil, nowMs] = [0, 0, -1, 0];
  let again = 0;
  const flow = {
    arrivedBytes: 0,
    sent: 0,
    dropped: 0,
    arrived(packet: Packet, atMs: number) {
      flow.arrivedBytes += PACKET_BYTES;
      later.at(atMs + rttMs / 2, () => {
        under--;
        // As HyStart (RFC 9406): slow start ends when round trips grow.
        const tripMs = nowMs - packet.atMs;
        if (window < threshold && tripMs > rttMs * 1.125 + 4) {
          threshold = window;
          most = window;
          beganMs = nowMs;
          k = 0;
        }
        if (window < threshold) return void window++;
        const s = (nowMs - beganMs) / 1000;
        const target = 0.4 * (s + rttMs / 1000 - k) ** 3 + most;
        window += Math.max(0.01, Math.min(target, window * 1.5) - window) /
          window;
      });
    },
    lost(packet: Packet) {
      under--;
      again++;
      if (packet.number < lostUntil) return;
      lostUntil = next;
      most = window < most ? window * 0.85 : window;
      window = Math.max(2, window * 0.7);
      threshold = window;
      k = Math.cbrt(most * 0.3 / 0.4);
      beganMs = nowMs;
    },
    tick(at: number) {
      nowMs = at;
      for (let burst = 0; under < window && burst < 40; burst++) {
        under++;
        if (again > 0) again--;
        send({ flow, lane: 0, number: next++, atMs: nowMs });
      }
    },
  };
  return flow;
}
