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
      dialling: 0,
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
        dialling: 0,
        pendingBytes: 1e12,
        ...lack,
      });
      assertEquals(verdict, "keep");
    }
  }
});

/** Plays a path where CUBIC gets `cubic` and BBR `bbr` bytes a ms; returns what was decided. */
function contest(
  { cubic, bbr, rttMs, usualRttMs = rttMs, comesMs = 0 }: {
    readonly cubic: number;
    readonly bbr: number;
    readonly rttMs: number;
    readonly usualRttMs?: number;
    /** How long a connection takes to be there. */
    readonly comesMs?: number;
  },
  mayTryBbr = true,
): string[] {
  const growth = createGrowth({ max: 4, mayTryBbr });
  const decided: string[] = [];
  const bytes = { cubic: 0, bbr: 0 };
  let comesAt = Infinity;
  for (let nowMs = 0; nowMs < 30_000; nowMs += 250) {
    const hasBbr = nowMs > comesAt;
    bytes.cubic += 250 * cubic;
    bytes.bbr = hasBbr ? bytes.bbr + 250 * bbr : 0;
    const verdict = growth.sample({
      nowMs,
      receivedBytes: bytes.cubic + bytes.bbr,
      newestBytes: hasBbr ? bytes.bbr : undefined,
      rttMs,
      usualRttMs,
      connections: hasBbr && !decided.includes("use-bbr") ? 2 : 1,
      dialling: 0,
      pendingBytes: 1e12,
    });
    if (verdict === "keep") continue;
    decided.push(verdict);
    if (verdict === "try-bbr") comesAt = nowMs + comesMs;
    if (verdict === "drop") comesAt = Infinity;
  }
  return decided;
}

Deno.test("createGrowth() lets BBR take over where loss holds CUBIC down", () => {
  assertEquals(contest({ cubic: 150, bbr: 15_000, rttMs: 100 }), [
    "try-bbr",
    "use-bbr",
  ]);
});

Deno.test("createGrowth() judges BBR by what it brings, and not before it is there", () => {
  const slow = contest({ cubic: 150, bbr: 15_000, rttMs: 100, comesMs: 5000 });
  assertEquals(slow, ["try-bbr", "use-bbr"]);
  const never = { cubic: 150, bbr: 0, rttMs: 100, comesMs: Infinity };
  assertEquals(new Set(contest(never)), new Set(["try-bbr"]));
});

Deno.test("createGrowth() sends BBR away when it does not clearly win", () => {
  const decided = contest({ cubic: 400, bbr: 520, rttMs: 100 });
  assertEquals(decided.slice(0, 2), ["try-bbr", "drop"]);
  assertEquals(decided.includes("use-bbr"), false);
});

Deno.test("createGrowth() does not try BBR where a queue shows, on a short path, or when told not to", () => {
  const slow = { cubic: 150, bbr: 15_000 };
  assertEquals(contest({ ...slow, rttMs: 100, usualRttMs: 180 }), []);
  assertEquals(contest({ ...slow, rttMs: 1 }), []);
  // More than loss would leave it: it shares the path with others.
  assertEquals(contest({ cubic: 1500, bbr: 15_000, rttMs: 100 }), []);
  assertEquals(contest({ ...slow, rttMs: 100 }, false), []);
});

/** What is decided before anything has come, when connections take long to be there. */
function early(rttMs: number, pendingBytes: number): number {
  const growth = createGrowth({ max: 4, mayTryBbr: true });
  let dialling = 0;
  for (let nowMs = 0; nowMs < 2000; nowMs += 250) {
    const verdict = growth.sample({
      nowMs,
      receivedBytes: 0,
      rttMs,
      usualRttMs: rttMs,
      connections: 1,
      dialling,
      pendingBytes,
    });
    if (verdict === "add") dialling++;
  }
  return dialling;
}

Deno.test("createGrowth() asks for connections at once where the round trip is long and there is much to send", () => {
  assertEquals(early(2000, 1e9), 3);
  assertEquals(early(200, 1e9), 1);
  assertEquals(early(100, 1e9), 0);
  assertEquals(early(1000, 1e6), 0);
});

Deno.test("createGrowth() gives up those that a long path turns out not to need", () => {
  // 8 Mbit/s: a small part of one window is on the way.
  const growth = createGrowth({ max: 4, mayTryBbr: false });
  let connections = 4;
  for (let nowMs = 0; nowMs < 120_000; nowMs += 250) {
    const verdict = growth.sample({
      nowMs,
      receivedBytes: nowMs * 1000,
      rttMs: 1000,
      usualRttMs: 2000,
      connections,
      dialling: 0,
      pendingBytes: 1e12,
    });
    if (verdict === "drop") connections--;
  }
  assertEquals(connections, 1);
});
