import { assertEquals } from "@std/assert";
import { namedRoots, type SourceEntry } from "../../store/source.ts";
import { walk } from "../../store/walk.ts";
import { type Pair, pair } from "./pair.ts";

/** Walks, but goes past each file only once the receiver has it in place. */
async function* reluctantWalk(two: Pair): AsyncGenerator<SourceEntry> {
  const isThere = (path: string): boolean =>
    two.events.receiver.some((event) =>
      event.type === "entry" && event.path === path &&
      event.outcome === "received"
    );
  for await (const entry of walk(await namedRoots([two.source]))) {
    yield entry;
    if (entry.kind !== "file") continue;
    while (!isThere(entry.path)) await two.time.clock.delay(20);
  }
}

Deno.test("what was found is sent, and in place, before the rest is looked for", async () => {
  const later: { two?: Pair } = {};
  await using two = await pair({
    send: {
      walk: () => {
        if (later.two === undefined) throw new TypeError("not made yet");
        return reluctantWalk(later.two);
      },
    },
  });
  later.two = two;
  const receiver = two.receive();
  const [sent] = await two.run(Promise.all([two.send(), receiver.done]));
  await two.run(receiver.close());
  assertEquals(sent.failures, []);
  assertEquals(await two.differences(), []);
});
