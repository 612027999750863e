import { assertEquals, assertLessOrEqual } from "@std/assert";
import { CONNECTION_WINDOW_BYTES, createGrowth } from "./growth.ts";

interface Path {
  /** What the path carries, bytes a ms. */
  readonly carries: number;
  readonly rttMs: number;
  /** What a connection really may have on its way, bytes. */
  readonly window?: number;
}

/** Plays a transfer over a path, one look every 250 ms, and returns the connections it had. */
function play(
  { carries, rttMs, window = CONNECTION_WINDOW_BYTES }: Path,
  seconds: number,
  max = 4,
): number[] {
  const growth = createGrowth({ max, mayTryBbr: false });
  const had: number[] = [];
  let connections = 1;
  let receivedBytes = 0;
  for (let nowMs = 0; nowMs < seconds * 1000; nowMs += 250) {
    receivedBytes += 250 * Math.min(carries, connections * window / rttMs);
    const pendingBytes = 1e12;
    const sample = {
      nowMs,
      receivedBytes,
      rttMs,
      usualRttMs: rttMs,
      connections,
      pendingBytes,
    };
    const verdict = growth.sample(sample);
    if (verdict === "add") connections++;
    if (verdict === "drop") connections--;
    had.push(connections);
  }
  return had;
}

Deno.test("createGrowth() adds connections while the window is what limits", () => {
  // 1 Gbit/s at 200 ms: 25 MB on their way, three windows.
  const had = play({ carries: 125_000, rttMs: 200 }, 30);
  assertEquals(had.at(-1), 3);
});

Deno.test("createGrowth() leaves a path alone that one connection fills", () => {
  assertEquals(
    new Set(play({ carries: 25_000, rttMs: 100 }, 60)),
    new Set([1]),
  );
  assertEquals(new Set(play({ carries: 200_000, rttMs: 1 }, 60)), new Set([1]));
});

Deno.test("createGrowth() gives a connection up that did not help, and tries again later and later", () => {
  // The path is full at 0.7 windows: another connection gains nothing.
  const had = play({ carries: 70_000, rttMs: 100 }, 120);
  assertEquals(Math.max(...had), 2);
  const trials = had.filter((n, at) => n === 2 && had[at - 1] === 1).length;
  assertLessOrEqual(trials, 4);
  assertEquals(had.at(-1), 1);
});

Deno.test("createGrowth() keeps to its limit", () => {
  assertEquals(Math.max(...play({ carries: 1e9, rttMs: 200 }, 60, 2)), 2);
  assertEquals(Math.max(...play({ carries: 1e9, rttMs: 200 }, 60, 1)), 1);
});

Deno.test("createGrowth() asks for nothing when little is left or no round trip is known", () => {
  for (const lack of [{ pendingBytes: 1000 }, { rttMs: undefined }]) {
    const growth = createGrowth({ max: 4, mayTryBbr: true });
    for (let nowMs = 0; nowMs < 20_000; nowMs += 250) {
      const verdict = growth.sample({
        nowMs,
        receivedBytes: nowMs * 50_000,
        rttMs: 200,
        usualRttMs: 200,
        connections: 1,
        pendingBytes: 1e12,
        ...lack,
      });
      assertEquals(verdict, "keep");
    }
  }
});

/** Plays a path where CUBIC gets `cubic` and BBR `bbr` bytes a ms; returns what was decided. */
function contest(
  { cubic, bbr, rttMs, usualRttMs = rttMs }: {
    readonly cubic: number;
    readonly bbr: number;
    readonly rttMs: number;
    readonly usualRttMs?: number;
  },
  mayTryBbr = true,
): string[] {
  const growth = createGrowth({ max: 4, mayTryBbr });
  const decided: string[] = [];
  let receivedBytes = 0;
  let connections = 1;
  let hasBbr = false;
  for (let nowMs = 0; nowMs < 30_000; nowMs += 250) {
    receivedBytes += 250 * (hasBbr ? bbr : cubic);
    const verdict = growth.sample({
      nowMs,
      receivedBytes,
      rttMs,
      usualRttMs,
      connections,
      pendingBytes: 1e12,
    });
    if (verdict === "keep") continue;
    decided.push(verdict);
    if (verdict === "try-bbr") hasBbr = true;
    if (verdict === "drop") hasBbr = false;
    connections += verdict === "try-bbr" || verdict === "add"
      ? 1
      : verdict === "drop"
      ? -1
      : 0;
  }
  return decided;
}

Deno.test("createGrowth() lets BBR take over where loss holds CUBIC down", () => {
  assertEquals(contest({ cubic: 150, bbr: 15_000, rttMs: 100 }), [
    "try-bbr",
    "use-bbr",
  ]);
});

Deno.test("createGrowth() sends BBR away when it does not clearly win", () => {
  const decided = contest({ cubic: 10_000, bbr: 13_000, rttMs: 100 });
  assertEquals(decided.slice(0, 2), ["try-bbr", "drop"]);
  assertEquals(decided.includes("use-bbr"), false);
});

Deno.test("createGrowth() does not try BBR where a queue shows, on a short path, or when told not to", () => {
  const slow = { cubic: 150, bbr: 15_000 };
  assertEquals(contest({ ...slow, rttMs: 100, usualRttMs: 180 }), []);
  assertEquals(contest({ ...slow, rttMs: 1 }), []);
  assertEquals(contest({ ...slow, rttMs: 100 }, false), []);
});
