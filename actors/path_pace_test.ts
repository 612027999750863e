import { assertEquals, assertGreater, assertLess } from "@std/assert";
import type { RateLimiter } from "../core/rate.ts";
import { FakeClock } from "../tests/testutil/fake_clock.ts";
import type { Conn } from "../transport/transport.ts";
import { createPathPace, pacesOf } from "./path_pace.ts";

/** Who has got so much may have all. */
const ENOUGH_BYTES = 64 * 1024 * 1024;

/** Takes pieces, as a lane does, for as long as it gets any; returns how many bytes so far. */
function greedy(limiter: RateLimiter, signal: AbortSignal): () => number {
  let taken = 0;
  (async () => {
    while (taken < ENOUGH_BYTES) {
      const bytes = Math.min(limiter.pieceBytes ?? Infinity, 1024 * 1024);
      await limiter.take(bytes, signal);
      taken += bytes;
    }
  })().catch(() => {});
  return () => taken;
}

Deno.test("a path's pace gives what arrives until it is known what the path carries", async () => {
  const clock = new FakeClock();
  const over = new AbortController();
  const path = createPathPace(clock, 100);
  const taken = greedy(path.join(0), over.signal);
  const look = (arrived: number): void =>
    path.look({ arrived: () => arrived, rttMs: 100, lateRttMs: 100 });
  look(0);
  await clock.advance(100);
  assertLess(taken(), 1_000_000);
  assertGreater(taken(), 100_000);
  for (let step = 1; step <= 100; step++) {
    look(step * 100_000); // 2 MB a second
    await clock.advance(50);
  }
  assertEquals(path.isStarting, false);
  assertGreater(taken(), ENOUGH_BYTES - 1); // CUBIC is left to itself
  over.abort();
  await clock.advance(1);
  assertEquals(clock.pending, 0);
});

Deno.test("a path's pace lets a short path go as fast as it can", async () => {
  const clock = new FakeClock();
  const over = new AbortController();
  const path = createPathPace(clock, 100);
  const limiter = path.join(0);
  path.look({ arrived: () => 0, rttMs: 1, lateRttMs: 1 });
  await limiter.take(1_000_000_000, over.signal);
  assertEquals(limiter.pieceBytes, Infinity);
});

Deno.test("a path's pace does not wait for ever for what a lost connection had", async () => {
  const clock = new FakeClock();
  const over = new AbortController();
  const path = createPathPace(clock, 100);
  const taken = greedy(path.join(0), over.signal);
  const look = (): void =>
    path.look({ arrived: () => 0, rttMs: 100, lateRttMs: 100 });
  look();
  await clock.advance(1000);
  const first = taken();
  look();
  await clock.advance(1000);
  assertEquals(taken(), first);
  path.leave(0);
  look();
  await clock.advance(1000);
  assertGreater(taken(), first);
  const second = taken();
  for (let n = 0; n < 10; n++) {
    look();
    await clock.advance(1000);
  }
  assertGreater(taken(), second); // nothing came: it is not counted any more
  over.abort();
  await clock.advance(1);
  assertEquals(clock.pending, 0);
});

Deno.test("a short path is held back by nothing from its first byte, and none is where a rate was asked for", () => {
  const clock = new FakeClock();
  const conn = { carrier: "quic" } as Conn;
  const limiter: RateLimiter = { take: () => Promise.resolve() };
  const auto = { congestion: "auto", limiter: undefined } as const;
  const near = pacesOf({ conn, tripMs: 1 }, auto, clock);
  assertEquals(near.path?.join(0).pieceBytes, Infinity);
  const far = pacesOf({ conn, tripMs: 100 }, auto, clock);
  assertLess(far.path?.join(0).pieceBytes ?? Infinity, 1_000_000);
  const slow = pacesOf({ conn, tripMs: 100 }, { ...auto, limiter }, clock);
  assertEquals(slow, { pace: undefined, path: undefined });
});

Deno.test("a connection that joins when others have much under way gets its part", async () => {
  for (const rttMs of [100, 1000]) {
    const clock = new FakeClock();
    const over = new AbortController();
    const path = createPathPace(clock, rttMs);
    const first = greedy(path.join(0), over.signal);
    const look = (): void =>
      path.look({
        arrived: (connection) => connection === 0 ? first() : 0,
        ...{ rttMs, lateRttMs: rttMs },
      });
    for (let n = 0; n < 20 && first() < ENOUGH_BYTES / 2; n++) {
      look();
      await clock.advance(rttMs);
    }
    const second = greedy(path.join(1), over.signal);
    look();
    await clock.advance(rttMs);
    assertGreater(second(), 0, `${rttMs} ms`);
    over.abort();
    await clock.advance(1);
  }
});

Deno.test("a path's pace keeps what has arrived when nothing is said of it for a moment", async () => {
  const clock = new FakeClock();
  const path = createPathPace(clock, 100);
  const limiter = path.join(0);
  const look = (bytes: number): void =>
    path.look({ arrived: () => bytes, rttMs: 100, lateRttMs: 100 });
  await limiter.take(100_000);
  await clock.advance(100);
  look(90_000);
  assertEquals(path.underWayBytes, 10_000);
  look(0);
  assertEquals(path.underWayBytes, 10_000);
});
