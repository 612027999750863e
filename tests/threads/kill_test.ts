/** Ends that are killed while threads of theirs carry chunks. */
import { assert, assertEquals } from "@std/assert";
import { MIB, openEnds, pause } from "../faults/kit.ts";

const THREADS = ["--carrier", "quic", "--threads", "2", "--verbose"];
/** Enough that it lasts until threads are there. */
const TREE = { "a.bin": 320 * MIB + 12_345, "b": "small", "c.bin": 3 * MIB };

for (const who of ["receiver", "sender", "both"] as const) {
  Deno.test(`threads: killed while they carry chunks, ${who}: what is durable stays, and the rest arrives`, async () => {
    await using ends = await openEnds(TREE, { send: THREADS, recv: THREADS });
    let receiver = await ends.recv();
    let sender = ends.send();
    await Promise.all([
      sender.waitStderr(/thread\.connected/, 60_000),
      receiver.waitStderr(/side-port\.open/, 60_000),
    ]);
    await pause(200); // chunks are under way in all of them
    assert(!sender.stdout.includes('"done"'), "it was over before");
    if (who !== "sender") receiver.kill("SIGKILL");
    if (who !== "receiver") sender.kill("SIGKILL");
    if (who !== "sender") receiver = await ends.recv();
    if (who !== "receiver") sender = ends.send();
    const { failed } = await ends.finish(sender, receiver);
    assertEquals(failed, 0);
    await ends.check();
  });
}
