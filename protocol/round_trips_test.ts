import { assertEquals } from "@std/assert";
import { createRoundTrips } from "./round_trips.ts";

Deno.test("createRoundTrips() knows the shortest of a minute, and forgets it then", () => {
  const trips = createRoundTrips(100);
  assertEquals(trips.shortestMs, 100);
  trips.add(1000, 60);
  for (let nowMs = 6000; nowMs < 60_000; nowMs += 1000) trips.add(nowMs, 90);
  assertEquals(trips.shortestMs, 60);
  for (let nowMs = 60_000; nowMs < 70_000; nowMs += 1000) trips.add(nowMs, 95);
  assertEquals(trips.shortestMs, 90);
});

Deno.test("createRoundTrips() tells a queue from packets that were lost", () => {
  const trips = createRoundTrips(50);
  let nowMs = 0;
  for (const ms of [50, 150, 52, 51, 150, 53, 152, 150]) {
    trips.add(nowMs += 100, ms);
  }
  assertEquals(trips.lateMs(2000), 50);
  assertEquals(trips.lateMs(250), 53);
  for (let n = 0; n < 32; n++) trips.add(nowMs += 100, 80 + n);
  assertEquals(trips.lateMs(2000), 91);
});
