/** A sender that reaches nobody gives up in the time it was given, however long a dial takes. */
import { assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import type { Conn, Dialer } from "../../transport/transport.ts";
import { ADDRESS, type Pair, pair } from "./pair.ts";

/** Dials that have no answer from number `from` on; the one of number `refused` has one. */
function silentFrom(
  from: number,
  two: () => Pair,
  refused?: number,
  dialled?: (conn: Conn) => void,
): Dialer {
  let dials = 0;
  return {
    async dial(signal) {
      const number = ++dials;
      if (number < from) {
        const conn = await two().network.dialer(ADDRESS).dial(signal);
        dialled?.(conn);
        return conn;
      }
      if (number === refused) {
        throw new SftpxError("unreachable", "Cannot reach it: refused");
      }
      return await new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    },
  };
}

Deno.test("a receiver that was never there is given up in time, though a dial is under way", async () => {
  await using two = await pair({
    send: { dialer: silentFrom(1, () => two), giveUpAfterMs: 5000 },
  });
  const began = two.time.clock.now();
  const error = await assertRejects(() => two.run(two.send()), SftpxError);
  assertEquals(error.code, "unreachable");
  assertEquals(error.message, `Cannot reach "${ADDRESS}": no answer in time`);
  assertEquals(two.time.clock.now() - began, 5000);
});

Deno.test("what a dial was told before says more than that the time is up", async () => {
  await using two = await pair({
    send: { dialer: silentFrom(1, () => two, 1), giveUpAfterMs: 5000 },
  });
  const began = two.time.clock.now();
  const error = await assertRejects(() => two.run(two.send()), SftpxError);
  assertEquals(error.message, "Cannot reach it: refused");
  assertEquals(two.time.clock.now() - began, 5000);
});

Deno.test("a receiver that went away is given up in time, though a dial is under way", async () => {
  let lostAt = NaN;
  let messages = 0;
  const conns: Conn[] = [];
  const dialer = silentFrom(2, () => two, undefined, (it) => conns.push(it));
  await using two = await pair({
    send: { dialer, giveUpAfterMs: 5000 },
    intercept(_, actor) {
      if (actor !== "scheduler" || ++messages !== 12) return;
      lostAt = two.time.clock.now();
      for (const conn of conns) two.network.lose(conn);
    },
  });
  const receiver = two.receive();
  const error = await assertRejects(() => two.run(two.send()), SftpxError);
  assertEquals(error.code, "unreachable");
  const afterMs = two.time.clock.now() - lostAt;
  // The first dial after a loss comes after 0.125 s here.
  assertEquals([afterMs >= 5000, afterMs <= 5200], [true, true], `${afterMs}`);
  await two.run(receiver.close());
});
