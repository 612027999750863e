import { assertEquals } from "@std/assert";
import { chunkRun, type Fact, mergeFacts } from "./facts.ts";

const FINAL = { digest: undefined, finalPath: "p", skipped: false };

function merged(...facts: Fact[]): Fact | undefined {
  return facts.reduce<Fact | undefined>(mergeFacts, undefined);
}

Deno.test("facts: what is said of an entry while nobody listens is said as one", () => {
  const fact = merged(
    { run: 1, gen: 0, verdict: { kind: "want" } },
    { run: 1, gen: 0, durable: chunkRun(0, 2) },
    { run: 1, gen: 0, durable: chunkRun(2, 1) },
    { run: 1, gen: 0, final: FINAL },
  );
  assertEquals(fact?.verdict, { kind: "want" });
  assertEquals([...fact?.durable?.ranges() ?? []], [{ start: 0, end: 3 }]);
  assertEquals(fact?.final, FINAL);
});

Deno.test("facts: older versions of an entry and older runs never cover newer ones", () => {
  const newer: Fact = { run: 1, gen: 2, verdict: { kind: "want" } };
  const older: Fact = { run: 1, gen: 1, durable: chunkRun(0, 1) };
  const former: Fact = { run: 0, gen: 5, durable: chunkRun(0, 1) };
  assertEquals(merged(older, newer), newer);
  assertEquals(merged(newer, older), newer);
  assertEquals(merged(newer, former), newer);
  assertEquals(merged(former, newer), newer);
});

Deno.test("facts: a chunk that must come again is not called durable", () => {
  const fact = merged(
    { run: 1, gen: 0, durable: chunkRun(0, 4) },
    { run: 1, gen: 0, corrupt: chunkRun(1, 2) },
  );
  assertEquals([...fact?.durable?.ranges() ?? []], [
    { start: 0, end: 1 },
    { start: 3, end: 4 },
  ]);
  const none = merged(
    { run: 1, gen: 0, durable: chunkRun(0, 4) },
    { run: 1, gen: 0, corrupt: chunkRun(0, 4) },
  );
  assertEquals(none?.durable, undefined);
});
