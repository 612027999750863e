import { assertEquals } from "@std/assert";
import { forAll } from "../tests/testutil/random.ts";
import { createFrameReader } from "./frame.ts";
import { decodeStatus, type StatusFrame, type WireStatus } from "./status.ts";
import { plainStatus, statusFrames } from "./status_list.ts";

function want(index: number, gen = 0): StatusFrame {
  return { type: "verdict", index, gen, verdict: { kind: "want" } };
}

/** What travels for `frames`. */
function encoded(frames: readonly StatusFrame[]): WireStatus[] {
  const list = statusFrames();
  for (const frame of frames) list.add(frame);
  const reader = createFrameReader(1 << 20);
  reader.push(list.take());
  const read: WireStatus[] = [];
  for (let next = reader.next(); next !== undefined; next = reader.next()) {
    const frame = decodeStatus(next);
    if (frame !== undefined) read.push(frame);
  }
  assertEquals(list.take().length, 0, "all of it is taken once");
  return read;
}

Deno.test("statusFrames() says of files that follow each other in one frame that they are wanted", () => {
  assertEquals(encoded([want(3), want(4), want(5), want(7)]), [
    { type: "wanted", index: 3, count: 3 },
    { type: "wanted", index: 7, count: 1 },
  ]);
});

Deno.test("statusFrames() keeps the order, and what is no first version to itself", () => {
  const retired = { type: "retired", next: 2 } as const;
  assertEquals(encoded([want(3), retired, want(4), want(5, 1), want(6)]), [
    { type: "wanted", index: 3, count: 1 },
    retired,
    { type: "wanted", index: 4, count: 1 },
    want(5, 1),
    { type: "wanted", index: 6, count: 1 },
  ]);
});

Deno.test("statusFrames() puts no more into a frame than it may stand for", () => {
  const all = Array.from({ length: 5000 }, (_, n) => want(n));
  assertEquals(encoded(all), [
    { type: "wanted", index: 0, count: 4096 },
    { type: "wanted", index: 4096, count: 904 },
  ]);
});

Deno.test("plainStatus() gives back what statusFrames() was given", () => {
  forAll(
    (random) =>
      Array.from({ length: Math.floor(random() * 20) }, (): StatusFrame => {
        const index = Math.floor(random() * 8);
        if (random() < 0.7) return want(index, random() < 0.2 ? 1 : 0);
        return { type: "retired", next: index };
      }),
    (frames) => {
      assertEquals([...plainStatus(encoded(frames))], frames);
    },
  );
});
