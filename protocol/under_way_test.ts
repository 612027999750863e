import { assert, assertEquals, assertLess } from "@std/assert";
import {
  createUnderWay,
  FIRST_UNDER_WAY_BYTES,
  LEAST_UNDER_WAY_BYTES,
} from "./under_way.ts";

interface Path {
  /** What the path carries, bytes a ms, as the time passes. */
  readonly carries: (second: number) => number;
  readonly rttMs: number;
  /** A queue that others keep, ms. */
  readonly othersMs?: (second: number) => number;
}

interface Played {
  readonly arrived: number;
  /** Our longest queue in the second half, ms. */
  readonly queueMs: number;
  /** The longest one of the start, ms. */
  readonly startMs: number;
  /** What might be under way, each 5 ms. */
  readonly most: readonly number[];
}

const STEP_MS = 5;

/** Plays a sender that doubles what it sends each round trip, up to what may be under way. */
function play(path: Path, seconds: number): Played {
  const { carries, rttMs, othersMs = () => 0 } = path;
  const rule = createUnderWay();
  const delay = Math.ceil(rttMs / STEP_MS);
  const came: number[] = []; // in all, by the step in which it did
  const most: number[] = [];
  const queues: number[] = [];
  let [sent, left, startMs, queueMs] = [0, 0, 0, 0];
  let isStarting = true;
  let known = 0;
  let mostBytes = FIRST_UNDER_WAY_BYTES;
  for (let step = 0; step * STEP_MS < seconds * 1000; step++) {
    const nowMs = step * STEP_MS;
    const second = nowMs / 1000;
    // An acknowledgement of each byte lets two more go.
    const acked = came.at(-1 - delay) ?? 0;
    const before = came.at(-1 - 2 * delay) ?? 0;
    const window = 14_720 + 2 * (acked - before);
    const evenly = sent + 2 * Math.max(1500, window * STEP_MS / rttMs);
    if (step % 5 === 0) known = acked;
    const may = Math.min(acked + window, known + mostBytes, evenly);
    sent = Math.max(sent, may);
    const queue = sent - left;
    const out = Math.min(queue, carries(second) * STEP_MS);
    left += out;
    came.push(left);
    queues.push((queue - out) / carries(second));
    if (isStarting) startMs = Math.max(startMs, queues[step] ?? 0);
    if (second > seconds / 2) queueMs = Math.max(queueMs, queues[step] ?? 0);
    // The shortest of a few pings, which know what was a round trip ago.
    const pings = [0, 1, 2].map((n) =>
      queues.at(-1 - delay - n * (delay >> 2)) ?? 0
    );
    const heard = Math.min(...pings);
    if (step % 5 !== 0) continue;
    ({ mostBytes, isStarting } = rule({
      nowMs,
      arrivedBytes: known,
      rttMs,
      connections: 1,
      lateRttMs: rttMs + heard + othersMs(second),
    }));
    most.push(mostBytes);
  }
  return { arrived: left, queueMs, startMs, most };
}

Deno.test("createUnderWay() fills a path of any length, and keeps its queue short", () => {
  for (const [rttMs, rate] of [[500, 24_000], [1000, 12_000]]) {
    if (rttMs === undefined || rate === undefined) continue;
    const { arrived, queueMs } = play({ carries: () => rate, rttMs }, 120);
    const name = `${rttMs} ms: ${arrived}, ${queueMs}`;
    assert(arrived > rate * (120_000 - rttMs * 14) * 0.97, name);
    assertLess(queueMs, Math.max(50, rttMs * 0.5), name);
  }
});

Deno.test("createUnderWay() ends the start before a queue as long as the path overflows by much", () => {
  for (const rttMs of [100, 200, 1000]) {
    const { startMs } = play({ carries: () => 24_000, rttMs }, 30);
    assertLess(startMs, rttMs * 1.5, `${rttMs} ms`);
  }
});

Deno.test("createUnderWay() follows a path that comes to carry less, and one that comes to carry more", () => {
  const less = play({
    carries: (second) => second < 15 ? 24_000 : 6000,
    rttMs: 400,
  }, 60);
  assertLess(less.queueMs, 200);
  const more = play({
    carries: (second) => second < 15 ? 6000 : 24_000,
    rttMs: 400,
  }, 60);
  assert(more.arrived > 15 * 6e6 * 0.9 + 45 * 24e6 * 0.85, `${more.arrived}`);
});

Deno.test("createUnderWay() steps back from a queue that is another's, and comes again when it is gone", () => {
  const { most } = play({
    carries: () => 12_000,
    rttMs: 400,
    othersMs: (second) => second > 10 && second < 40 ? 100 : 0,
  }, 60);
  const at = (second: number): readonly number[] =>
    most.slice(second * 40, second * 40 + 40);
  assert(at(8).every((bytes) => bytes < Infinity));
  assert(at(20).every((bytes) => bytes === Infinity));
  assert(at(55).every((bytes) => bytes < Infinity));
});

Deno.test("createUnderWay() never stops a transfer", () => {
  const { most } = play({ carries: () => 1, rttMs: 400 }, 60);
  assertEquals(Math.min(...most), LEAST_UNDER_WAY_BYTES);
});

Deno.test("createUnderWay() takes no long round trip for a queue while little has arrived", () => {
  const underWay = createUnderWay();
  let arrivedBytes = 0;
  const look = (nowMs: number, lateRttMs: number) =>
    underWay({ nowMs, arrivedBytes, rttMs: 1000, lateRttMs, connections: 1 });
  for (let nowMs = 0; nowMs < 2000; nowMs += 100) {
    arrivedBytes += 5000; // what is asked waits for a window of ten packets
    assertEquals(look(nowMs, 1200).isStarting, true);
  }
  arrivedBytes = 1_000_000;
  assertEquals(look(2000, 1200).isStarting, false);
});
