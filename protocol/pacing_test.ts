import { assert, assertEquals, assertLess } from "@std/assert";
import {
  type Bottleneck,
  type FlowPlayed,
  playBottleneck,
} from "../tests/protocol/bottleneck.ts";
import {
  createPacing,
  FIRST_WINDOW_BYTES,
  LEAST_WINDOW_BYTES,
  type Pacing,
} from "./pacing.ts";

interface Part {
  /** Bits a second that came. */
  readonly ours: number;
  readonly theirs: number;
}

/** Plays a path, and says what came in a part of the time, s, and what was dropped of ours. */
function play(
  path: Bottleneck,
  [from, to]: readonly [number, number],
): Part & { readonly dropped: number } {
  const at = new Map<number, Part>();
  const bits = (flow: FlowPlayed): number => flow.arrivedBytes * 8;
  const { ours } = playBottleneck({
    ...path,
    seen: (second, now) =>
      at.set(second, { ours: bits(now.ours), theirs: bits(now.theirs) }),
  }, to);
  const before = at.get(from) ?? { ours: 0, theirs: 0 };
  const after = at.get(to) ?? before;
  return {
    ours: (after.ours - before.ours) / (to - from),
    theirs: (after.theirs - before.theirs) / (to - from),
    dropped: ours.dropped / ours.sent,
  };
}

const SEEDS = [1, 2, 3];
const mean = (values: readonly number[]): number =>
  values.reduce((sum, one) => sum + one) / values.length;

Deno.test("createPacing() fills a path, and its queue hardly overflows", () => {
  const paths = [[20, 50], [50, 10], [50, 100], [100, 200], [200, 100]];
  for (const [rttMs = 0, mbit = 0] of paths) {
    for (const seed of SEEDS) {
      const name = `${rttMs} ms, ${mbit} Mbit/s, ${seed}`;
      const { ours, dropped } = play({ rttMs, mbit, seed }, [5, 30]);
      assert(ours > 0.9 * mbit * 1e6, `${name}: ${ours}`);
      assertLess(dropped, 0.03, name);
    }
  }
});

Deno.test("createPacing() fills a path that loses packets all the same", () => {
  const paths = [[100, 200, 0.01], [50, 50, 0.1]];
  for (const [rttMs = 0, mbit = 0, loss = 0] of paths) {
    for (const seed of SEEDS) {
      const name = `${rttMs} ms, ${mbit} Mbit/s, ${loss}, ${seed}`;
      const { ours, dropped } = play({ rttMs, mbit, loss, seed }, [5, 30]);
      assert(ours > 0.85 * mbit * 1e6, `${name}: ${ours}`);
      assertLess(dropped, 0.03, name);
    }
  }
});

Deno.test("createPacing() takes its share beside one that goes by CUBIC, whoever came first", () => {
  for (const [rttMs, mbit] of [[50, 100], [100, 200]] as const) {
    for (const from of [0, 10]) {
      const shares = SEEDS.map((seed) => {
        const cubic = [from, Infinity] as const;
        const played = play({ rttMs, mbit, seed, cubic }, [25, 60]);
        const { ours, theirs, dropped } = played;
        assertLess(dropped, 0.05);
        return ours / (ours + theirs);
      });
      const name = `${rttMs} ms from ${from} s: ${shares}`;
      assert(mean(shares) > 0.3 && mean(shares) < 0.7, name);
      for (const share of shares) assert(share > 0.2 && share < 0.9, name);
    }
  }
});

Deno.test("createPacing() has all of the path again when the other has gone", () => {
  for (const seed of SEEDS) {
    const cubic = [0, 30] as const;
    const { ours } = play({ rttMs: 50, mbit: 100, seed, cubic }, [35, 50]);
    assert(ours > 85e6, `${seed}: ${ours}`);
  }
});

Deno.test("createPacing() follows a path that comes to carry less, and one that comes to carry more", () => {
  for (const [first, then] of [[100, 25], [25, 100]] as const) {
    const mbit = (second: number) => second < 15 ? first : then;
    const path = { rttMs: 50, mbit, bufferMs: 100 };
    const { ours, dropped } = play(path, [25, 40]);
    assert(ours > 0.9 * then * 1e6, `${first} to ${then}: ${ours}`);
    assertLess(dropped, 0.1);
  }
});

Deno.test("createPacing() goes on after a pause, as fast as before", () => {
  for (const [from, to] of [[0.5, 3], [1, 6], [2, 2.8], [12, 16]] as const) {
    const mbit = (second: number) => second >= from && second < to ? 0 : 100;
    const { ours } = play({ rttMs: 20, mbit }, [0, 30]);
    const most = 100e6 * (30 - (to - from)) / 30;
    assert(ours > 0.8 * most, `${from} to ${to} s: ${ours / most}`);
  }
});

interface Heard {
  /** Bytes that were given. @default {all that has arrived} */
  readonly givenBytes?: number;
  /** The shortest round trip of late, ms. @default {20} */
  readonly lateRttMs?: number;
}

/** A pacing that hears of `bytes` each 50 ms; gives what may be under way, bytes. */
function fed(pacing: Pacing): (bytes: number, heard?: Heard) => number {
  let [nowMs, arrivedBytes] = [0, 0];
  return (bytes, { givenBytes, lateRttMs = 20 } = {}) => {
    nowMs += 50;
    arrivedBytes += bytes;
    const { mostBytes } = pacing({
      ...{ nowMs, arrivedBytes, givenBytes: givenBytes ?? arrivedBytes },
      ...{ rttMs: 20, lateRttMs },
    });
    return mostBytes - arrivedBytes;
  };
}

Deno.test("createPacing() has less under way where little comes, with pauses in between", () => {
  const next = fed(createPacing());
  let window = 0;
  for (let n = 0; n < 100; n++) {
    window = next(1e6, { givenBytes: n * 1e6 + 5e6 });
  }
  const fast = window;
  assert(fast > 8 * FIRST_WINDOW_BYTES, `${fast}`);
  for (let n = 0; n < 600; n++) window = next(n % 20 === 0 ? 16_384 : 0);
  assert(window <= 4 * FIRST_WINDOW_BYTES, `${window}`);
});

Deno.test("createPacing() never keeps from a lane what it takes for its receiver to tell of it", () => {
  // Eight lanes may each have all but a byte of a piece of 8 KiB.
  assert(LEAST_WINDOW_BYTES > 8 * (8 * 1024 - 1));
  for (const lateRttMs of [20, 100]) { // beside another as well
    const next = fed(createPacing());
    for (let n = 0; n < 200; n++) next(50_000);
    for (let n = 0; n < 200; n++) {
      assert(next(50, { lateRttMs }) >= LEAST_WINDOW_BYTES);
    }
    // Nothing is told of before each of the lanes has all of a frame.
    for (let n = 0; n < 100; n++) next(0, { lateRttMs });
    const open = Array.from({ length: 20 }, () => next(0, { lateRttMs }));
    const least = Math.min(...open);
    assert(least >= 8 * 1024 * 1024, `${lateRttMs}: ${least}`);
  }
});

Deno.test("createPacing() gives no more room to who does not use it", () => {
  const play = (used: number): number => {
    const next = fed(createPacing());
    let [window, arrived] = [0, 0];
    for (let n = 0; n < 400; n++) {
      arrived += 1e6;
      window = next(1e6, { givenBytes: arrived + used * window });
    }
    return window;
  };
  assertLess(play(0.1), play(1) / 2);
});

Deno.test("createPacing() takes answers after a pause for late, not for a queue", () => {
  const next = fed(createPacing());
  for (let n = 0; n < 100; n++) next(100_000);
  for (let n = 0; n < 40; n++) next(0);
  let window = Infinity;
  for (let n = 0; n < 16; n++) {
    window = Math.min(window, next(100_000, { lateRttMs: n < 4 ? 20 : 900 }));
  }
  assert(window >= FIRST_WINDOW_BYTES, `${window}`);
});

Deno.test("createPacing() begins anew with a count that does", () => {
  const pacing = createPacing();
  const ask = (nowMs: number, arrivedBytes: number): number => {
    const givenBytes = arrivedBytes;
    const more = { givenBytes, rttMs: 100, lateRttMs: 100 };
    return pacing({ nowMs, arrivedBytes, ...more }).mostBytes;
  };
  for (let nowMs = 0; nowMs < 10_000; nowMs += 50) ask(nowMs, nowMs * 1000);
  const most = ask(10_000, 0);
  assert(most > 0 && most < 10e6, `${most}`);
  assertEquals(most, ask(10_050, 0));
});
