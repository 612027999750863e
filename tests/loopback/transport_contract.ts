/**
 * What `transport/transport.ts` promises, as tests that every implementation
 * passes.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
} from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import type { Conn, ReceiveStream } from "../../transport/transport.ts";
import { seeded } from "../testutil/random.ts";

/** Two ends of a connection, and what a test does to them. */
export interface Pair {
  readonly near: Conn;
  readonly far: Conn;
  /** Loses the connection, without a word to either end. */
  lose(): Promise<void>;
  /** Frees everything, so that nothing is left running. */
  stop(): Promise<void>;
}

/** Runs the contract over the pairs that `makePair` makes; only those that are `losable` are lost. */
export function testTransportContract(
  name: string,
  makePair: (options: { readonly losable: boolean }) => Promise<Pair>,
): void {
  const test = (
    behaviour: string,
    run: (pair: Pair) => Promise<void>,
    losable = false,
  ): void =>
    Deno.test({
      name: `${name}: ${behaviour}`,
      sanitizeOps: true,
      sanitizeResources: true,
      async fn() {
        const pair = await makePair({ losable });
        try {
          await run(pair);
        } finally {
          await pair.stop();
        }
      },
    });

  test("bytes of a stream arrive whole and in order, and then it ends", async ({ near, far }) => {
    const sent = noise(300_000, 1);
    const [, got] = await Promise.all([
      sendAll(near, sent),
      receiveAll(await accepted(far)),
    ]);
    assertSame(got, sent);
  });

  test("both ends open streams, of one direction and of both", async ({ near, far }) => {
    for (const [from, to] of [[near, far], [far, near]] as const) {
      const asked = await from.openBidi();
      await asked.send.write(text("question"));
      await asked.send.end();
      const answering = await to.acceptBidi();
      assert(answering !== undefined);
      assertEquals(
        said(await answering.receive.readFully(buffer(64))),
        "question",
      );
      await answering.send.write(text("answer"));
      await answering.send.end();
      assertEquals(said(await asked.receive.readFully(buffer(64))), "answer");

      const uni = await from.openUni();
      await uni.write(text("more"));
      await uni.end();
      const receive = await accepted(to);
      assertEquals(said(await receive.readFully(buffer(64))), "more");
    }
  });

  test("several streams at once do not mix", async ({ near, far }) => {
    const contents = Array.from({ length: 8 }, (_, i) => noise(200_000, i));
    const sending = contents.map(async (bytes, i) => {
      const send = await near.openUni();
      await send.write(Uint8Array.of(i));
      await send.write(bytes);
      await send.end();
    });
    const receiving = contents.map(async () => {
      const receive = await accepted(far);
      const [i = -1] = await receive.readFully(buffer(1));
      assertSame(await receiveAll(receive), contents[i] ?? buffer(0));
    });
    await Promise.all([...sending, ...receiving]);
  });

  test("32 MiB go through while the reader takes its time, and the writer waits for it", async ({ near, far }) => {
    const size = 32 * 1024 * 1024;
    const piece = noise(256 * 1024, 3);
    let written = 0;
    const send = await near.openUni();
    const writing = (async () => {
      for (; written < size; written += piece.length) await send.write(piece);
      await send.end();
    })();
    const receive = await accepted(far);
    let got = 0;
    let ahead = 0;
    let view = buffer(piece.length);
    for (;;) {
      view = await receive.readFully(view);
      if (view.length === 0) break;
      if (got % (4 * 1024 * 1024) === 0) {
        await turns(20); // the writer could run far ahead now
        assertEquals(view[100], piece[100]);
      }
      got += view.length;
      ahead = Math.max(ahead, written - got);
    }
    await writing;
    assertEquals(got, size);
    assertLess(ahead, 16 * 1024 * 1024);
  });

  test("a write waits while nobody reads", async ({ near, far }) => {
    const send = await near.openUni();
    let done = false;
    const writing = send.write(buffer(20_000_000)).then(() => done = true);
    const receive = await accepted(far);
    await receive.readFully(buffer(1000));
    await turns(50);
    assertEquals(done, false);
    await receive.cancel();
    await assertRejects(() => writing, SftpxError);
  });

  test("a read asks for more than there is, and gets what there was", async ({ near, far }) => {
    const send = await near.openUni();
    await send.write(text("short"));
    await send.end();
    const receive = await accepted(far);
    const got = await receive.readFully(buffer(1000));
    assertEquals(said(got), "short");
    assertEquals((await receive.readFully(buffer(10))).length, 0);
    assertEquals((await receive.readSome(buffer(10))).length, 0);
  });

  test("a read fills a view that lies within a larger buffer, and gives the buffer back", async ({ near, far }) => {
    const send = await near.openUni();
    await send.write(text("abcdef"));
    const receive = await accepted(far);
    const whole = new ArrayBuffer(100);
    const got = await receive.readFully(new Uint8Array(whole, 10, 6));
    assertEquals(said(got), "abcdef");
    assertEquals([got.byteOffset, got.buffer.byteLength], [10, 100]);
    assertEquals(whole.byteLength, 0);
  });

  test("readSome() waits for one byte, not for all that it has room for", async ({ near, far }) => {
    const send = await near.openUni();
    await send.write(text("ab"));
    const receive = await accepted(far);
    const got = said(await receive.readSome(buffer(1000)));
    assert(got === "ab" || got === "a", got);
  });

  test("a stream that ends without a byte is seen", async ({ near, far }) => {
    const send = await near.openUni();
    await send.end();
    const receive = await accepted(far);
    assertEquals((await receive.readFully(buffer(10))).length, 0);
  });

  test("nothing is read into an empty view, and nothing is written of none", async ({ near, far }) => {
    const send = await near.openUni();
    await send.write(buffer(0));
    await send.write(text("x"));
    const receive = await accepted(far);
    assertEquals((await receive.readFully(buffer(0))).length, 0);
    assertEquals(said(await receive.readFully(buffer(1))), "x");
  });

  test("hundreds of streams come and go", async ({ near, far }) => {
    const count = 300;
    const sending = (async () => {
      for (let i = 0; i < count; i++) await sendAll(near, text(`stream ${i}`));
    })();
    for (let i = 0; i < count; i++) {
      const receive = await accepted(far);
      assertEquals(said(await receive.readFully(buffer(32))), `stream ${i}`);
      await receive.readSome(buffer(1)); // its end
    }
    await sending;
  });

  test("a stream over the limit opens when others are done", async ({ near, far }) => {
    const open = await Promise.all(
      Array.from({ length: 80 }, () => near.openUni()),
    );
    for (const send of open) await send.write(text("x"));
    let opened = false;
    const next = near.openUni().then((send) => {
      opened = true;
      return send;
    });
    await turns(20);
    assertEquals(opened, false);
    // QUIC tells of room for more streams when there is some, not one by one.
    for (const send of open.slice(0, 20)) {
      await send.end();
      await (await accepted(far)).readFully(buffer(10));
    }
    await (await next).write(text("x"));
  });

  test("a stream may have a priority", async ({ near, far }) => {
    const [low, high] = [await near.openUni(-5), await near.openUni(1000)];
    await low.write(text("low"));
    await high.write(text("high"));
    const words = [await accepted(far), await accepted(far)]
      .map(async (receive) => said(await receive.readSome(buffer(10))));
    assertEquals((await Promise.all(words)).sort(), ["high", "low"]);
  });

  test("each end has the other's address", ({ near, far }) => {
    for (const { remote } of [near, far]) {
      assert(/^\S+:\d+$/.test(remote), remote);
    }
    return Promise.resolve();
  });

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
      const waiting = await thingsThatWait(near, far);
      pair[closer].close("cancelled", "enough");
      for (const { what, promise, accepts } of waiting) {
        if (accepts) assertEquals(await promise, undefined, what);
        else await assertLost(() => promise, what);
      }
      await assertGone(near, far);
      assertEquals(await near.acceptUni(), undefined);
      assertEquals(await far.acceptBidi(), undefined);
    });
  }

  test(
    "what waits ends when the connection is lost",
    async ({ near, far, lose }) => {
      const waiting = await thingsThatWait(near, far);
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

  test("a reader that cancels stops the writer, and nothing else", async ({ near, far }) => {
    const send = await near.openUni();
    await send.write(text("x"));
    const receive = await accepted(far);
    await receive.cancel();
    await receive.cancel();
    assertEquals((await receive.readSome(buffer(10))).length, 0);
    await assertLost(async () => {
      for (;;) {
        await send.write(buffer(1000));
        await turns(1);
      }
    }, "write");
    await sendAll(near, text("still here"));
    const other = await accepted(far);
    assertEquals(said(await other.readFully(buffer(20))), "still here");
  });

  test("a stream that has ended takes no more", async ({ near, far }) => {
    const send = await near.openUni();
    await send.write(text("all"));
    await send.end();
    await assertLost(() => send.write(text("more")), "write");
    const receive = await accepted(far);
    assertEquals(said(await receive.readFully(buffer(20))), "all");
  });
}

interface Waiting {
  readonly what: string;
  readonly promise: Promise<unknown>;
  readonly accepts: boolean;
}

/** One of each thing that can be pending on a connection. */
async function thingsThatWait(near: Conn, far: Conn): Promise<Waiting[]> {
  const stream = await near.openBidi();
  await stream.send.write(text("x"));
  const other = await far.acceptBidi();
  assert(other !== undefined);
  const [full, back] = [await near.openUni(), await far.openUni()];
  for (const [send, reader] of [[full, far], [back, near]] as const) {
    await send.write(text("x"));
    await accepted(reader); // and not read
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
        for (;;) await near.openBidi(); // until the limit, where it waits
      })(),
      false,
    ],
  ];
  for (const [, promise] of all) promise.catch(() => {});
  await turns(20);
  return all.map(([what, promise, accepts]) => ({ what, promise, accepts }));
}

/** Everything on either end says that the connection is gone. */
async function assertGone(near: Conn, far: Conn): Promise<void> {
  for (const conn of [near, far]) {
    await assertLost(() => conn.openUni(), "openUni");
    await assertLost(() => conn.openBidi(), "openBidi");
    assertGreater(conn.remote.length, 0);
  }
}

async function assertLost(
  run: () => Promise<unknown>,
  what: string,
): Promise<void> {
  const error = await assertRejects(run, SftpxError);
  assertEquals(error.code, "connection-lost", `${what}: ${error.message}`);
  assert(/^Cannot .+: .+[^.]$/.test(error.message), error.message);
}

async function accepted(conn: Conn): Promise<ReceiveStream> {
  const stream = await conn.acceptUni();
  assert(stream !== undefined);
  return stream;
}

async function sendAll(conn: Conn, bytes: Uint8Array): Promise<void> {
  const send = await conn.openUni();
  await send.write(bytes);
  await send.end();
}

async function receiveAll(receive: ReceiveStream): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const part = await receive.readFully(buffer(64 * 1024));
    if (part.length > 0) parts.push(part);
    if (part.length < 64 * 1024) break;
  }
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}

function buffer(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(size);
}

function noise(size: number, seed: number): Uint8Array {
  const random = seeded(seed);
  return Uint8Array.from({ length: size }, () => random() * 256);
}

function text(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function said(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** `assertEquals` of large arrays is slow, and says too much. */
function assertSame(actual: Uint8Array, expected: Uint8Array): void {
  assertEquals(actual.length, expected.length);
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  assertEquals(at, -1, `byte ${at} is not the one that was sent`);
}

/** Lets everything run that can, `count` times: a network's turn takes some. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
