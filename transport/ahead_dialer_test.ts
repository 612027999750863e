import { assertEquals, assertRejects } from "@std/assert";
import { aheadDialer } from "./ahead_dialer.ts";
import type { Conn } from "./transport.ts";

/** A dialer whose dials are answered by hand. */
function byHand() {
  const dials: PromiseWithResolvers<Conn>[] = [];
  const closed: number[] = [];
  const dialer = aheadDialer({
    dial(signal) {
      const dial = Promise.withResolvers<Conn>();
      signal.addEventListener("abort", () => dial.reject(signal.reason));
      dials.push(dial);
      return dial.promise;
    },
  });
  const answer = (n: number): void =>
    dials[n]?.resolve({ close: () => void closed.push(n) } as unknown as Conn);
  return { dialer, dials, closed, answer };
}

const NEVER = new AbortController().signal;

Deno.test("who dials has what was begun, and who dials next begins anew", async () => {
  const { dialer, dials, closed, answer } = byHand();
  dialer.begin();
  dialer.begin();
  assertEquals(dials.length, 1);
  const first = dialer.dial(NEVER);
  const second = dialer.dial(NEVER);
  assertEquals(dials.length, 2);
  answer(0);
  answer(1);
  (await first).close();
  (await second).close();
  dialer.close();
  assertEquals(closed, [0, 1]);
});

Deno.test("what nobody takes is closed, whenever it comes", async () => {
  for (const isEarly of [true, false]) {
    const { dialer, closed, answer } = byHand();
    dialer.begin();
    if (isEarly) answer(0);
    await Promise.resolve();
    dialer.close();
    if (!isEarly) answer(0);
    await new Promise((done) => setTimeout(done));
    assertEquals(closed, isEarly ? [0] : []); // a dial that is given up gives none
  }
});

Deno.test("who stops waiting leaves nothing open, and hears of a dial that failed", async () => {
  const { dialer, closed, answer } = byHand();
  const own = new AbortController();
  dialer.begin();
  const dialled = dialer.dial(own.signal);
  own.abort(new Error("enough"));
  await assertRejects(() => dialled, Error, "enough");
  answer(0);
  await new Promise((done) => setTimeout(done));
  assertEquals(closed, [0]);

  const other = byHand();
  other.dialer.begin();
  other.dials[0]?.reject(new Error("nobody is there"));
  await assertRejects(() => other.dialer.dial(NEVER), Error, "nobody is there");
});
