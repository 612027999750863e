/**
 * Datagrams of a QUIC connection: by themselves, beside its streams.
 */
import { assert, assertEquals } from "@std/assert";
import type { Datagrams } from "../../transport/transport.ts";
import { quicPair, quicSides } from "./quic_pair.ts";

/** Sends `bytes` until one of them has come: a datagram may be lost. */
async function passes(
  from: Datagrams,
  to: Datagrams,
  bytes: Uint8Array,
): Promise<Uint8Array | undefined> {
  let isOver = false;
  const sending = (async () => {
    while (!isOver) {
      await from.send(bytes);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const got = await to.receive();
  isOver = true;
  await sending;
  return got;
}

Deno.test("quic: datagrams pass in both directions as they were", async () => {
  const { near, far, stop } = await quicPair(quicSides());
  assert(near.datagrams !== undefined && far.datagrams !== undefined);
  const small = Uint8Array.of(1, 2, 3);
  assertEquals(await passes(near.datagrams, far.datagrams, small), small);
  const large = new Uint8Array(1000).fill(7);
  assertEquals(await passes(far.datagrams, near.datagrams, large), large);
  near.close();
  await stop();
});

Deno.test("quic: who waits for a datagram hears of the end of the connection", async () => {
  const { near, far, stop } = await quicPair(quicSides());
  assert(near.datagrams !== undefined && far.datagrams !== undefined);
  const waiting = [near.datagrams.receive(), far.datagrams.receive()];
  near.close("cancelled");
  assertEquals(await Promise.all(waiting), [undefined, undefined]);
  assertEquals((await far.closed).code, "cancelled");
  await stop();
});

Deno.test("quic: more datagrams than anybody reads do not disturb the streams", async () => {
  const { near, far, stop } = await quicPair(quicSides());
  assert(near.datagrams !== undefined);
  const flood = new Uint8Array(1000);
  for (let n = 0; n < 3000; n++) await near.datagrams.send(flood);
  const send = await near.openUni();
  await send.write(new TextEncoder().encode("still here"));
  await send.end();
  const receive = await far.acceptUni();
  const got = await receive?.readFully(new Uint8Array(20));
  assertEquals(new TextDecoder().decode(got), "still here");
  near.close();
  await stop();
});
