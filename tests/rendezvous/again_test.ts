import { assert, assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { systemRandomBytes as random } from "../../crypto/random.ts";
import { offerCode, takeCode } from "../../rendezvous/by_code.ts";
import { createChannel } from "../../rendezvous/channel.ts";
import {
  createHelperClient,
  type HelperClient,
} from "../../rendezvous/client.ts";
import type { Role } from "../../rendezvous/types.ts";
import type { Conn } from "../../transport/transport.ts";
import { FakeClock, settle } from "../testutil/fake_clock.ts";
import { type Lab, startLab } from "./core_kit.ts";

const NEVER = new AbortController().signal;
const nonce = new Uint8Array(16).fill(1);
const own = { slot: 77, phrase: "zebra-violin-hammock-quartz" };
/** How long whoever has a place may take to say that it is there, ms. */
const ASKED_MS = 2500;

/** A helper, and clients whose connections can be frozen. */
async function withLab(
  run: (lab: Lab, clock: FakeClock, client: () => Frozen) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  const lab = startLab({}, clock);
  const client = (): Frozen => {
    let conn: Conn | undefined;
    const helper = createHelperClient({
      dial: async () => conn = await lab.stranger(),
    }, clock);
    return {
      helper,
      freeze() {
        assert(conn !== undefined);
        lab.net.freeze(conn);
      },
      thaw() {
        assert(conn !== undefined);
        lab.net.thaw(conn);
      },
    };
  };
  try {
    await run(lab, clock, client);
  } finally {
    const stopped = lab.stop();
    await clock.advance(5000);
    await stopped;
  }
}

interface Frozen {
  readonly helper: HelperClient;
  freeze(): void;
  thaw(): void;
}

for (const role of ["sender", "receiver"] as const) {
  Deno.test(`helper: the place of a ${role} that is gone without a word is given to the next`, () =>
    withLab(async (_, clock, client) => {
      const [first, second] = [client(), client()];
      const waiting = await first.helper.claim(role, 77, nonce, NEVER);
      const over = assertRejects(() => waiting.met(), SftpxError, "has taken");
      await settle();
      first.freeze();
      const coming = second.helper.claim(role, 77, nonce, NEVER);
      await clock.advance(ASKED_MS);
      assertEquals((await coming).slot, 77);
      first.thaw(); // it was not gone after all
      assertEquals((await over).code, "duplicate");
    }));

  Deno.test(`helper: a ${role} that is there keeps its place, however often others come`, () =>
    withLab(async (_, clock, client) => {
      const there = client();
      const waiting = await there.helper.claim(role, 77, nonce, NEVER);
      await settle();
      for (let i = 0; i < 20; i++) {
        const error = await assertRejects(
          () => client().helper.claim(role, 77, nonce, NEVER),
          SftpxError,
          "has taken this place",
        );
        assertEquals(error.code, "duplicate");
      }
      assertEquals(clock.now(), 0);
      await meetsOther(waiting, role, client());
    }));
}

/** The other side finds the one who waits. */
async function meetsOther(
  waiting: { met(): Promise<Uint8Array> },
  role: Role,
  { helper }: Frozen,
): Promise<void> {
  const other = role === "sender" ? "receiver" : "sender";
  const came = await helper.claim(other, 77, nonce, NEVER);
  await Promise.all([waiting.met(), came.met()]);
}

Deno.test("helper: a slot that was given away is given to its sender again when that is gone", () =>
  withLab(async (_, clock, client) => {
    const [first, second] = [client(), client()];
    const { slot } = await first.helper.allocate(nonce, NEVER);
    await settle();
    first.freeze();
    const coming = second.helper.claim("sender", slot, nonce, NEVER);
    await clock.advance(ASKED_MS);
    assertEquals((await coming).slot, slot);
  }));

Deno.test("helper: a peer of the version before, which answers no question, keeps its place", () =>
  withLab(async (lab, clock, client) => {
    const conn = await lab.stranger();
    const channel = createChannel(await conn.openBidi());
    await channel.write({ type: "claim", role: "sender", slot: 77, nonce });
    await channel.read();
    await clock.advance(ASKED_MS);
    for (let i = 0; i < 20; i++) { // more than it may have streams
      await assertRejects(
        () => client().helper.claim("sender", 77, nonce, NEVER),
        SftpxError,
        "has taken this place",
      );
    }
    const came = await client().helper.claim("receiver", 77, nonce, NEVER);
    await came.met();
    assertEquals((await channel.read())?.type, "paired");
  }));

Deno.test("helper: whoever meets one that is gone waits for the next, and is not held up", () =>
  withLab(async (_, clock, client) => {
    const [gone, r, s] = [client(), client(), client()];
    const ghost = await gone.helper.claim("receiver", 77, nonce, NEVER);
    ghost.met().catch(() => {});
    await settle();
    gone.freeze();
    const common = {
      fingerprint: new Uint8Array(32),
      identity: new Uint8Array(32),
      clock,
      random,
    };
    const offered = offerCode(
      { ...common, helper: s.helper, own, onCode: () => {} },
      NEVER,
    );
    await settle(); // the two are introduced
    const taken = takeCode(own, { ...common, helper: r.helper }, NEVER);
    await clock.advance(2 * ASKED_MS);
    const [a, b] = await Promise.all([offered, taken]);
    assertEquals(a.token.reveal(), b.token.reveal());
  }));

Deno.test("S11: a guess burns the code while one who is gone is asked after", () =>
  withLab(async (lab, clock, client) => {
    const [s, guesser, again] = [client(), client(), client()];
    const common = {
      fingerprint: new Uint8Array(32),
      identity: new Uint8Array(32),
      clock,
      random,
    };
    const offered = offerCode(
      { ...common, helper: s.helper, own, onCode: () => {} },
      NEVER,
    );
    const burnt = assertRejects(() => offered, SftpxError, "burnt");
    await settle();
    const guess = { ...own, phrase: "wrong-words" };
    await Promise.all([
      assertRejects(
        () => takeCode(guess, { ...common, helper: guesser.helper }, NEVER),
        SftpxError,
        "burnt",
      ),
      burnt,
    ]);
    const error = await assertRejects(
      () => again.helper.claim("sender", own.slot, nonce, NEVER),
      SftpxError,
      "burnt",
    );
    assertEquals(error.code, "unauthorized");
    assertEquals(lab.metrics.snapshot()["sftpx_helper_burnt_total"], 1);
  }));

Deno.test("client: says that it is there whenever the helper asks, as a host too", () =>
  withLab(async (_, clock, client) => {
    const { helper } = client();
    const over = new AbortController();
    const here = Promise.withResolvers<string>();
    const calls: number[] = [];
    const waiting = await helper.claim("receiver", 77, nonce, NEVER);
    waiting.met().catch(() => {});
    const hosting = helper.host(
      new Uint8Array(16).fill(5),
      ({ channel }) => {
        calls.push(1);
        channel.write({ type: "accept", nonce });
      },
      here.resolve,
      over.signal,
    );
    hosting.catch(() => {});
    await here.promise;
    await settle();
    await assertRejects(
      () => client().helper.claim("receiver", 77, nonce, NEVER),
      SftpxError,
      "has taken this place",
    );
    const other = client().helper;
    const joined = await other.join(new Uint8Array(16).fill(5), nonce, NEVER);
    await joined.met();
    assertEquals(calls, [1]);
    assertEquals(clock.now(), 0);
    over.abort();
  }));
