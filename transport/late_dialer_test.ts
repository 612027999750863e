import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { lateDialer } from "./late_dialer.ts";
import type { Conn } from "./transport.ts";

Deno.test("lateDialer() loads at the first dial, once, and passes on what comes", async () => {
  const conn = {} as Conn;
  const signals: AbortSignal[] = [];
  let loads = 0;
  const dialer = lateDialer(() => {
    loads++;
    return Promise.resolve({
      dial(signal) {
        signals.push(signal);
        return Promise.resolve(conn);
      },
    });
  });
  assertEquals(loads, 0);
  const { signal } = new AbortController();
  const both = await Promise.all([dialer.dial(signal), dialer.dial(signal)]);
  assertStrictEquals(both[0], conn);
  assertEquals(loads, 1);
  assertEquals(signals, [signal, signal]);
});

Deno.test("lateDialer() loads nothing for a dial that is off already", async () => {
  const dialer = lateDialer(() => Promise.reject(new Error("loaded")));
  const gone = AbortSignal.abort(new Error("off"));
  await assertRejects(() => dialer.dial(gone), Error, "off");
});
