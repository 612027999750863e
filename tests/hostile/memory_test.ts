/**
 * A sender that wants a receiver's memory: it gets none. The receiver is a
 * process of its own, as only then is its memory nobody else's.
 */
import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../core/clock.ts";
import { secret } from "../../core/secret.ts";
import { encodeManifest } from "../../protocol/manifest.ts";
import { parseTicket } from "../../protocol/ticket.ts";
import {
  CAN_SEE_MEMORY,
  peakMemory,
  residentMemory,
} from "../testutil/memory.ts";
import { startCli } from "../testutil/process.ts";
import {
  type EnterOptions,
  laneFrame,
  type RawSender,
  rawSender,
} from "../testutil/raw_peer.ts";
import { tempDir } from "../testutil/temp.ts";
import { file } from "./conversation.ts";
import {
  announce,
  folder,
  listTree,
  sendAll,
  textFile,
  verdictOn,
} from "./kit.ts";

Deno.test("S17 sizes that a peer declares take neither memory nor disk", {
  ignore: !CAN_SEE_MEMORY,
}, async () => {
  await using box = await receiver();
  const before = await residentMemory(box.pid);
  const huge = { ...file("huge"), size: Number.MAX_SAFE_INTEGER };
  // 10^9 chunks of 64 KiB: as much as no disk here has.
  const many = { ...huge, chunkSize: 2 ** 16, size: 2 ** 16 * 1e9 };
  for (const entry of [many, huge]) {
    await using sender = await box.sender();
    await sender.manifest(announce(0, entry));
    assertEquals((await sender.ended()).code, "local-io", "there is no room");
  }
  const more = await peakMemory(box.pid) - before;
  assert(more < 64, `${more} MiB`);
  assertEquals(
    (await listTree(box.uploads)).filter((line) => line.includes("huge")),
    [],
  );
  await box.servesOthers();
});

Deno.test("S17 the largest frames on every lane stay under a cap", {
  ignore: !CAN_SEE_MEMORY,
}, async () => {
  await using box = await receiver();
  await using sender = await box.sender();
  const chunk = 2 ** 24;
  await sender.manifest(
    announce(0, { ...file("large"), size: 4 * chunk, chunkSize: chunk }),
  );
  await sender.status(verdictOn(0));
  const before = await residentMemory(box.pid);
  const frame = laneFrame({ index: 0, bytes: new Uint8Array(chunk).fill(1) });
  // All but the last byte, on as many lanes as there may be.
  const lanes = await Promise.all(
    Array.from({ length: 70 }, () => sender.open()),
  );
  const work = lanes.map((lane) =>
    lane.write(frame.subarray(0, frame.length - 1)).catch(() => {})
  );
  let peak = 0;
  // Until no more is taken.
  for (let still = 0; still < 20; still++) {
    await systemClock.delay(50);
    const now = await peakMemory(box.pid);
    if (now > peak + 1) still = 0;
    peak = now;
  }
  sender.conn.close();
  await Promise.all(work);
  assert(peak - before < 300, `${peak - before} MiB`);
  await box.servesOthers();
});

/** Entries that somebody announces who does not hear what becomes of them. */
const ALL = 100_000;

Deno.test("S17 who reads no status cannot make it pile up", {
  ignore: !CAN_SEE_MEMORY,
}, async () => {
  await using box = await receiver();
  await using sender = await box.sender({ readStatus: false });
  // Every one is refused, with a reason of its own, and so makes room for more.
  const name = `../${"x".repeat(1000)}`;
  const before = await residentMemory(box.pid);
  let said = 0;
  let isOut = false;
  sender.conn.closed.then(() => isOut = true, () => isOut = true);
  const flood = (async () => {
    while (said < ALL && !isOut) {
      const frames: BlobPart[] = [];
      for (let n = 0; n < 1000; n++) {
        frames.push(encodeManifest(announce(said++, folder(name))));
      }
      await sender.manifest(
        new Uint8Array(await new Blob(frames).arrayBuffer()),
      );
      await systemClock.delay(20); // so that all are final before the next
    }
  })().catch(() => {});
  // Until no more is taken, or all of it was.
  let seen = -1;
  for (let still = 0; still < 5 && said < ALL && !isOut; still++) {
    if (said > seen) still = 0;
    seen = said;
    await Promise.race([flood, systemClock.delay(300)]);
  }
  assert(said < ALL, "it is held up as long as it does not read");
  const more = await peakMemory(box.pid) - before;
  sender.conn.close();
  await flood;
  assert(more < 160, `${more} MiB`);
  await box.servesOthers();
});

/** A receiver that is a process of its own. */
interface ReceiverProcess extends AsyncDisposable {
  readonly pid: number;
  readonly uploads: string;
  /** A sender that was let in. */
  sender(options?: EnterOptions): Promise<RawSender>;
  /** An honest sender is served, whatever else goes on. */
  servesOthers(): Promise<void>;
}

async function receiver(): Promise<ReceiverProcess> {
  await using made = new AsyncDisposableStack();
  const dir = made.use(await tempDir());
  const cli = made.use(startCli([
    ...["recv", "--json", "--bind", "127.0.0.1:0"],
  ], { cwd: dir.path }));
  const told = await cli.waitEvent("ticket");
  const ticket = parseTicket(String(told.ticket));
  const uploads = dir.join("uploads");
  const sender: ReceiverProcess["sender"] = async (options) => {
    const raw = await rawSender({
      address: `127.0.0.1:${ticket.port}`,
      fingerprint: ticket.fingerprint,
      token: secret(Uint8Array.from(ticket.token ?? [])),
    });
    await raw.enter(options);
    return raw;
  };
  const kept = made.move();
  return {
    pid: cli.pid,
    uploads,
    sender,
    async servesOthers() {
      await using honest = await sender();
      await sendAll(honest, [textFile("honest", "honest")], "honest");
      assertEquals(await Deno.readTextFile(`${uploads}/honest`), "honest");
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
