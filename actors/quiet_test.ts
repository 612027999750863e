import { assertEquals } from "@std/assert";
import { type QuietVerdict, quietWatch } from "./quiet.ts";

const LIMITS = { offerMs: 300, quietMs: 800 };

/** What so many looks give, without those that give nothing. */
function looks(
  watch: { look(isOpen: boolean): QuietVerdict },
  count: number,
  isOpen: boolean,
): (readonly [number, QuietVerdict])[] {
  return Array.from(
    { length: count },
    (_, i) => [i + 1, watch.look(isOpen)] as const,
  ).filter(([, verdict]) => verdict !== "wait");
}

Deno.test("quietWatch() asks a silent peer three times, gives it up once, and then leaves it alone", () => {
  const watch = quietWatch(LIMITS, 100);
  watch.heard();
  assertEquals(looks(watch, 20, true), [
    [2, "ask"],
    [4, "ask"],
    [6, "ask"],
    [8, "give-up"],
  ]);
});

Deno.test("quietWatch() begins anew with every sign of life", () => {
  const watch = quietWatch(LIMITS, 100);
  for (let i = 0; i < 10; i++) {
    watch.heard();
    assertEquals(looks(watch, 7, true).length, 3);
  }
});

Deno.test("quietWatch() does not ask a peer that has made no offer, and gives it up earlier", () => {
  const watch = quietWatch(LIMITS, 100);
  watch.heard();
  assertEquals(looks(watch, 10, false), [[3, "give-up"]]);
});

Deno.test("quietWatch() says nothing while nobody is connected", () => {
  assertEquals(looks(quietWatch(LIMITS, 100), 20, true), []);
});
