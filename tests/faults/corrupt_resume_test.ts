import { assert, assertEquals } from "@std/assert";
import { MIB, openEnds } from "./kit.ts";

const TREE = {
  "a.bin": 6 * MIB + 1,
  "b/one": 90_000,
  "b/two": 200_000,
  "c.bin": 3 * MIB,
  "d": 900_000,
};
const BYTES = 6 * MIB + 1 + 90_000 + 200_000 + 3 * MIB + 900_000;

/** What is changed on the way are streams of QUIC. */
const QUIC = { send: ["--carrier", "quic"] };

Deno.test("content that is changed on the way is asked for again, and never put in place", async () => {
  await using ends = await openEnds(TREE, QUIC);
  const receiver = await ends.recv();
  // Every third large write, one byte of content is another.
  const sender = ends.send({ env: { WIRE_FLIP: "0:3:content" } });
  const { sent } = await ends.finish(sender, receiver);
  await ends.check();
  assert(sent > BYTES, "nothing was asked for again");
  assert(sent < 2 * BYTES, `${sent} bytes were sent`);
});

Deno.test("content that is changed each time it is sent ends with code 7, and is never put in place", async () => {
  await using ends = await openEnds({ "a.bin": 3 * MIB, "b": "whole" }, QUIC);
  const receiver = await ends.recv();
  const sender = ends.send({ env: { WIRE_FLIP: "0:1:content" } });
  assertEquals((await sender.status).code, 7, sender.stdout.slice(-2000));
  const found = await Deno.stat(`${ends.uploads}/src/a.bin`)
    .catch(() => undefined);
  assertEquals(found, undefined);
  await ends.finish(ends.send(), receiver);
  await ends.check();
});

Deno.test("frames whose head is changed on the way never end in other content", async () => {
  for (let n = 0; n < 4; n++) {
    await using ends = await openEnds({ "a.bin": 5 * MIB, "b": "whole" }, QUIC);
    const receiver = await ends.recv();
    const flip = { WIRE_FLIP: `${n}:1000:head` };
    await using sender = ends.send({ env: flip, deadlineMs: 30_000 });
    const { code } = await sender.status;
    if (code !== 0) await ends.finish(ends.send(), receiver);
    else await receiver.waitEvent("done");
    await ends.check();
  }
});
