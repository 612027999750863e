/**
 * What `transport/transport.ts` promises, as tests that every implementation
 * passes.
 *
 * @module
 */
import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { testEndings } from "./contract_endings.ts";
import {
  accepted,
  assertLost,
  assertSame,
  buffer,
  type MakePair,
  noise,
  receiveAll,
  said,
  sendAll,
  type TestPair,
  testPairs,
  text,
  turns,
} from "./contract_kit.ts";

export type { MakePair, Pair } from "./contract_kit.ts";

/** Runs the contract over the pairs that `makePair` makes. */
export function testTransportContract(name: string, makePair: MakePair): void {
  const test = testPairs(name, makePair);
  testStreams(test);
  testEndings(test);
}

function testStreams(test: TestPair): void {
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
