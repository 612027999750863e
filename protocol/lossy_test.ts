import { assertEquals } from "@std/assert";
import { createLossSigns, type LossSample } from "./lossy.ts";

/** Plays a path over which `rate` bytes a ms arrive; says when it was taken for lossy, ms, within 10 s. */
function foundAt(
  rate: number,
  changes: Partial<LossSample> = {},
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
      underWayBytes: 1e7,
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

Deno.test("createLossSigns() takes longer where some more is on its way", () => {
  // 50 kB in a round trip; the first measurement has no other to have settled by.
  assertEquals(foundAt(250), 2000);
  assertEquals(foundAt(250, { usualRttMs: 240 }), undefined);
});

Deno.test("createLossSigns() sees no loss where something else limits", () => {
  assertEquals(foundAt(1000), undefined); // 200 kB in a round trip
  assertEquals(foundAt(250, { connections: 4 }), 1000); // of four
  assertEquals(foundAt(50, { isStarting: true }), undefined);
  assertEquals(foundAt(50, { underWayBytes: 20_000 }), undefined); // no more is given
  assertEquals(foundAt(50, { pendingBytes: 200_000 }), undefined); // soon over
  assertEquals(foundAt(50, { rttMs: 3, usualRttMs: 3 }), undefined);
  assertEquals(foundAt(0), undefined);
});
