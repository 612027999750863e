/**
 * How connections end, as tests that every implementation of
 * `transport/transport.ts` passes.
 *
 * @module
 */
import { assert, assertEquals, assertGreater } from "@std/assert";
import type { Conn } from "../../transport/transport.ts";
import {
  accepted,
  assertLost,
  buffer,
  type TestPair,
  text,
  turns,
} from "./contract_kit.ts";

/** Tests of close and loss. */
export function testEndings(test: TestPair): void {
  test("a close is told to both ends, with its code and reason", async ({ near, far }) => {
    far.close("integrity", "chunk 7 is wrong");
    assertEquals(await far.closed, {
      code: "integrity",
      reason: "chunk 7 is wrong",
      remote: false,
    });
    assertEquals(await near.closed, {
      code: "integrity",
      reason: "chunk 7 is wrong",
      remote: true,
    });
  });

  test("a plain close has no code", async ({ near, far }) => {
    near.close();
    assertEquals(await near.closed, {
      code: undefined,
      reason: "",
      remote: false,
    });
    assertEquals(await far.closed, {
      code: undefined,
      reason: "",
      remote: true,
    });
  });

  test("a code that does not travel arrives as a plain close", async ({ near, far }) => {
    near.close("connection-lost", "as if");
    assertEquals((await near.closed).code, "connection-lost");
    assertEquals(await far.closed, {
      code: undefined,
      reason: "as if",
      remote: true,
    });
  });

  test("a second close changes nothing", async ({ near, far }) => {
    near.close("cancelled", "first");
    near.close("internal", "second");
    assertEquals((await far.closed).code, "cancelled");
    assertEquals((await near.closed).code, "cancelled");
    far.close("internal", "third");
    near.close();
    assertEquals((await far.closed).reason, "first");
  });

  test("a reason that is far too long does not get in the way of closing", async ({ near, far }) => {
    near.close("protocol", "long ".repeat(10_000));
    const { code, remote } = await far.closed;
    assertEquals([code, remote], ["protocol", true]);
  });

  for (const closer of ["near", "far"] as const) {
    test(`what waits ends when the ${closer} end closes`, async (pair) => {
      const { near, far } = pair;
      const { waiting, held } = await thingsThatWait(near, far);
      pair[closer].close("cancelled", "enough");
      for (const { what, promise, accepts } of waiting) {
        if (accepts) assertEquals(await promise, undefined, what);
        else await assertLost(() => promise, what);
      }
      await assertGone(near, far);
      assertEquals(await near.acceptUni(), undefined);
      assertEquals(await far.acceptBidi(), undefined);
      assertGreater(held.length, 0);
    });
  }

  test(
    "what waits ends when the connection is lost",
    async ({ near, far, lose }) => {
      const { waiting, held } = await thingsThatWait(near, far);
      await lose();
      for (const { what, promise } of waiting) {
        await assertLost(() => promise, what);
      }
      await assertLost(() => near.closed, "near.closed");
      await assertLost(() => far.closed, "far.closed");
      await assertGone(near, far);
      await assertLost(() => near.acceptUni(), "near.acceptUni");
      await assertLost(() => far.acceptBidi(), "far.acceptBidi");
      near.close("internal", "too late");
      assertGreater(held.length, 0);
    },
    true,
  );

  test(
    "nobody must listen to how a lost connection ended",
    async ({ near, far, lose }) => {
      const pending = far.acceptUni(); // this one is listened to
      await lose();
      await assertLost(() => pending, "far.acceptUni");
      await turns(20); // an unhandled rejection fails the test by itself
      assert(near.remote.length > 0);
    },
    true,
  );
}

interface Waiting {
  readonly what: string;
  readonly promise: Promise<unknown>;
  readonly accepts: boolean;
}

/**
 * One of each thing that can be pending on a connection.
 *
 * Who looks at `held` at the end of a test has all streams stay open until then:
 * the platform ends a stream that is collected as garbage, and then its reader
 * has an end, and the peer a stream that was never written to.
 */
async function thingsThatWait(
  near: Conn,
  far: Conn,
): Promise<
  { readonly waiting: readonly Waiting[]; readonly held: readonly unknown[] }
> {
  const stream = await near.openBidi();
  await stream.send.write(text("x"));
  const other = await far.acceptBidi();
  assert(other !== undefined);
  const [full, back] = [await near.openUni(), await far.openUni()];
  const held: unknown[] = [stream, other, full, back];
  for (const [send, reader] of [[full, far], [back, near]] as const) {
    await send.write(text("x"));
    held.push(await accepted(reader)); // and not read
  }
  const all: [string, Promise<unknown>, boolean][] = [
    ["near.acceptUni", near.acceptUni(), true],
    ["near.acceptBidi", near.acceptBidi(), true],
    ["far.acceptUni", far.acceptUni(), true],
    ["far.acceptBidi", far.acceptBidi(), true],
    ["near.readFully", stream.receive.readFully(buffer(10)), false],
    ["far.readFully", other.receive.readFully(buffer(10)), false],
    ["near.write", full.write(buffer(20_000_000)), false],
    ["far.write", back.write(buffer(20_000_000)), false],
    [
      "near.openBidi",
      (async () => {
        for (;;) held.push(await near.openBidi()); // until the limit, where it waits
      })(),
      false,
    ],
  ];
  for (const [, promise] of all) promise.catch(() => {});
  await turns(20);
  const waiting = all.map(([what, promise, accepts]) => ({
    what,
    promise,
    accepts,
  }));
  return { waiting, held };
}

/** Everything on either end says that the connection is gone. */
async function assertGone(near: Conn, far: Conn): Promise<void> {
  for (const conn of [near, far]) {
    await assertLost(() => conn.openUni(), "openUni");
    await assertLost(() => conn.openBidi(), "openBidi");
    assertGreater(conn.remote.length, 0);
  }
}
