import { assertEquals } from "@std/assert";
import { type Carrying, stallWatch } from "./receive_stalled.ts";

const still: Carrying = { bytes: 100, waiting: 1 };

/** Who is ended in so many beats, and in which of them. */
function ended(
  beats: number,
  further: (beat: number) => readonly (readonly [number, Carrying])[],
  { isCrowded = true, isHeard = true } = {},
): [number, number][] {
  const watch = stallWatch();
  const out: [number, number][] = [];
  for (let beat = 1; beat <= beats; beat++) {
    if (isHeard) watch.heard();
    const one = watch.beat(isCrowded, new Map(further(beat)));
    if (one !== undefined) out.push([beat, one]);
  }
  return out;
}

Deno.test("a connection that has memory, brings nothing and holds up others is ended after 1.5 s", () => {
  assertEquals(ended(16, () => [[1, still]]), [[16, 1]]);
});

Deno.test("one is ended at a time: what it gives back may be enough", () => {
  assertEquals(ended(40, () => [[1, still], [2, still]]), [[16, 1], [32, 1]]);
});

Deno.test("who brings a byte now and then, or has no memory, is not ended", () => {
  const slow = (beat: number): Carrying => ({
    bytes: Math.floor(beat / 10),
    waiting: 3,
  });
  const none: Carrying = { bytes: 7, waiting: 0 };
  assertEquals(ended(100, (beat) => [[1, slow(beat)], [2, none]]), []);
});

Deno.test("nobody is ended while nobody waits, or while nothing is heard at all", () => {
  assertEquals(ended(100, () => [[1, still]], { isCrowded: false }), []);
  assertEquals(ended(100, () => [[1, still]], { isHeard: false }), []);
});

Deno.test("a connection that came in the place of another has its own time", () => {
  const further = (beat: number): [number, Carrying][] =>
    beat === 15 ? [] : [[1, still]];
  assertEquals(ended(31, further), [[31, 1]]);
});
