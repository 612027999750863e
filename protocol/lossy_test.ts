import { assertEquals } from "@std/assert";
import { createLossSigns, type LossSample } from "./lossy.ts";

/** Plays a path over which `rate` bytes a ms arrive; says when it was taken for lossy, ms, within 10 s. */
function foundAt(
  rate: number,
  changes: Partial<LossSample> = {},
  underWay: (ms: number) => number = () => 1e7,
): number | undefined {
  const signs = createLossSigns();
  for (let nowMs = 0; nowMs <= 10_000; nowMs += 250) {
    const isLossy = signs({
      nowMs,
      receivedBytes: nowMs * rate,
      rttMs: 200,
      usualRttMs: 200,
      connections: 1,
      pendingBytes: 1e12,
      underWayBytes: underWay(nowMs),
      isStarting: false,
      ...changes,
    });
    if (isLossy) return nowMs;
  }
  return undefined;
}

Deno.test("createLossSigns() knows a path that leaves less than a first window after two measurements", () => {
  assertEquals(foundAt(50), 1000); // 10 kB in a round trip
  assertEquals(foundAt(50, { usualRttMs: 240 }), 1000);
  assertEquals(foundAt(50, { usualRttMs: 280 }), undefined); // a narrow one, with a queue
});

Deno.test("createLossSigns() knows it while a transfer starts, too, once there was something to send", () => {
  assertEquals(foundAt(50, { isStarting: true }), 1000);
  const begins = (ms: number): number => ms < 1100 ? 26_000 : 1e7;
  assertEquals(foundAt(50, { isStarting: true }, begins), 2500);
});

Deno.test("createLossSigns() takes longer where some more is on its way", () => {
  // 50 kB in a round trip; the first measurement has no other to have settled by.
  assertEquals(foundAt(250), 2000);
  assertEquals(foundAt(250, { usualRttMs: 240 }), undefined);
});

Deno.test("createLossSigns() sees no loss where something else limits", () => {
  assertEquals(foundAt(1000), undefined); // 200 kB in a round trip
  assertEquals(foundAt(250, { connections: 4 }), 1000); // of four
  assertEquals(foundAt(250, { isStarting: true }), undefined);
  assertEquals(foundAt(50, { underWayBytes: 20_000 }), undefined); // no more is given
  // Soon over: in 4 s over a round trip of 200 ms.
  assertEquals(foundAt(50, { pendingBytes: 199_000 }), undefined);
  assertEquals(foundAt(50, { pendingBytes: 201_000 }), 1000);
  assertEquals(foundAt(50, { rttMs: 3, usualRttMs: 3 }), undefined);
  assertEquals(foundAt(0), undefined);
});
