import { assert, assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../core/clock.ts";
import { SftpxError } from "../../core/errors.ts";
import { nullLog } from "../../core/log.ts";
import { systemRandomBytes } from "../../crypto/random.ts";
import { type Met, offerCode, takeCode } from "../../rendezvous/by_code.ts";
import type { Code } from "../../rendezvous/code.ts";
import { isLocalSlot, lanHelper } from "../../rendezvous/lan_helper.ts";
import { within } from "../testutil/deadline.ts";
import { ether } from "./ether.ts";

/** Two peers, each with a network of its own making. */
function peers() {
  const { radio } = ether();
  const stop = new AbortController();
  const helperOf = () =>
    lanHelper({
      clock: systemClock,
      log: nullLog,
      random: systemRandomBytes,
      radio: () => Promise.resolve(radio()),
    });
  const [one, two] = [helperOf(), helperOf()];
  const options = (helper: typeof one, mark: number) => ({
    helper,
    fingerprint: new Uint8Array(32).fill(mark),
    identity: new Uint8Array(32).fill(mark + 1),
    clock: systemClock,
    random: systemRandomBytes,
  });
  const told = Promise.withResolvers<Code>();
  const offered = offerCode(
    { ...options(one, 10), onCode: told.resolve },
    stop.signal,
  );
  offered.catch(() => {});
  const take = (code: Code): Promise<Met> =>
    takeCode(code, options(two, 20), stop.signal);
  return {
    offered,
    code: told.promise,
    take,
    one,
    two,
    signal: stop.signal,
    close() {
      stop.abort();
      one.close();
      two.close();
    },
  };
}

Deno.test("local code: two who know it come to the same keys, with nothing between them", async () => {
  const { offered, code, take, close } = peers();
  const given = await code;
  assert(isLocalSlot(given.slot));
  const [one, two] = await within(
    20_000,
    "the two",
    Promise.all([offered, take(given)]),
  );
  assertEquals(one.keys, two.keys);
  assertEquals(one.token.reveal(), two.token.reveal());
  assertEquals([one.fingerprint[0], two.fingerprint[0]], [20, 10]);
  assertEquals([one.identity[0], two.identity[0]], [21, 11]);
  close();
});

Deno.test("local code: one wrong guess burns it, for both", async () => {
  const { offered, code, take, close } = peers();
  const { slot } = await code;
  const wrong = take({ slot, phrase: "other-words" });
  for (const side of [wrong, offered]) {
    const error = await assertRejects(
      () => within(20_000, "the end", side),
      SftpxError,
    );
    assertEquals(error.code, "unauthorized");
  }
  close();
});

Deno.test("local meeting: a sender finds the host that it has keys of, again and again", async () => {
  const { offered, one, two, signal, close } = peers();
  const id = systemRandomBytes(16);
  const nonce = (mark: number) => new Uint8Array(16).fill(mark);
  const hosting = two.host(
    id,
    async ({ channel, nonce: theirs }) => {
      await channel.write({ type: "accept", nonce: nonce(7) });
      await channel.write({ type: "data", bytes: theirs });
    },
    () => {},
    signal,
  );
  hosting.catch(() => {});
  for (const mark of [1, 2]) {
    const there = await one.join(id, nonce(mark), signal);
    assertEquals(await within(20_000, "the host", there.met()), nonce(7));
    assertEquals(await there.channel.read(), {
      type: "data",
      bytes: nonce(mark),
    });
    await there.channel.close();
  }
  close();
  await Promise.allSettled([hosting, offered]);
});
