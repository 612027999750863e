import { assert, assertEquals } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { CHUNK, pair, type Side, typeOf } from "./pair.ts";

/** Who fails, and on which of its messages. */
interface Point {
  readonly side: Side;
  readonly actor: string;
  readonly type: string;
  readonly occurrence: number;
}

/** Runs in which different messages occur. */
type Scenario = "undisturbed" | "connection lost";

/** Enough chunks for several leases, and not all in one frame. */
const TREE = {
  "a": "text",
  "big": CHUNK * 70 + 5,
  "dir/two": CHUNK + 1,
  "dir/empty": "",
  "link": { kind: "link", target: "a" },
  "z": 100,
} as const;

/** What an actor that is told to fail says. */
const BOOM = "Cannot go on: the test says so";

/** Counts messages by where they go, and fails one of them. */
async function transfer(
  scenario: Scenario,
  point: Point | undefined,
): Promise<{ counts: Map<string, number>; hit: boolean }> {
  const counts = new Map<string, number>();
  let hit = false;
  let disturbed = false;
  await using two = await pair({
    tree: TREE,
    intercept(side, actor, message) {
      const type = typeOf(message);
      const key = `${side} ${actor} ${type}`;
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      const lost = scenario === "connection lost" && !disturbed &&
        key === "receiver persistence verified";
      if (lost) {
        disturbed = true;
        for (const conn of two.conns) two.network.lose(conn);
      }
      if (hit || point === undefined) return;
      const { occurrence } = point;
      if (key !== nameOf(point) || count !== occurrence) return;
      hit = true;
      throw new Error(BOOM);
    },
  });
  const receiver = two.receive();
  const sent = await two.run(two.send());
  const late = new AbortController();
  await two.run(Promise.race([
    receiver.done,
    two.time.clock.delay(10_000, late.signal),
  ]));
  late.abort();
  if (!receiver.results.some(isDone)) {
    // Its last word was lost: the next send finds all of it in place.
    assert(hit, "the receiver does not end");
    const again = await two.run(two.send());
    assertEquals(again.totals.sent, 0);
  }
  const received = await two.run(receiver.done);
  await two.run(receiver.close());
  assertEquals(await two.differences(), []);
  assertEquals(sent.root.toHex(), received.root.toHex());
  assertEquals(sent.failures, []);
  assertEquals(sent.totals.failed, 0);
  assertEquals(two.time.clock.pending, 0);
  return { counts, hit };
}

function isDone(result: unknown): boolean {
  return !(result instanceof SftpxError);
}

function nameOf({ side, actor, type }: Point): string {
  return `${side} ${actor} ${type}`;
}

/** One in the middle of each kind of message, and the first where nothing else happens. */
function pointsOf(
  counts: ReadonlyMap<string, number>,
  scenario: Scenario,
): Point[] {
  const points: Point[] = [];
  for (const [key, count] of counts) {
    const [side, actor = "", type = ""] = key.split(" ");
    const middle = Math.ceil((count + 1) / 2);
    const first = scenario === "undisturbed" ? [1] : [];
    for (const occurrence of new Set([...first, middle])) {
      points.push({ side: side as Side, actor, type, occurrence });
    }
  }
  return points;
}

for (const scenario of ["undisturbed", "connection lost"] as const) {
  Deno.test(`crash matrix, ${scenario}: whichever actor fails on whichever message, the transfer ends right`, async (t) => {
    const { counts } = await transfer(scenario, undefined);
    for (const point of pointsOf(counts, scenario)) {
      await t.step(`${nameOf(point)}, number ${point.occurrence}`, async () => {
        await transfer(scenario, point);
      });
    }
  });
}
