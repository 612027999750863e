/**
 * A receiver that breaks the rules, or turns a sender away: it gets nothing that
 * was not offered, and nothing at all once it has refused.
 */
import { assert, assertEquals } from "@std/assert";
import { send } from "../../actors/send.ts";
import type { SendOptions } from "../../actors/options.ts";
import { systemClock } from "../../core/clock.ts";
import { type ErrorCode, SftpxError } from "../../core/errors.ts";
import { secret } from "../../core/secret.ts";
import { makeCertificate } from "../../crypto/certificate.ts";
import type { Offer, Welcome } from "../../protocol/control.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import type { StatusFrame, Verdict } from "../../protocol/status.ts";
import {
  CERTIFICATE,
  type RawReceiver,
  rawReceiver,
  type RawVisit,
} from "../testutil/raw_receiver.ts";
import { tempDir } from "../testutil/temp.ts";
import { makeTree } from "../testutil/tree.ts";

const TOKEN = secret(new Uint8Array(32).fill(5));
const CHUNK = 2 ** 16;

/** A sender at work, and a receiver that may do to it what it wants. */
interface Meeting extends AsyncDisposable {
  readonly dir: string;
  readonly receiver: RawReceiver;
  /** What becomes of the transfer. */
  send(options?: Partial<SendOptions>): Promise<"done" | SftpxError>;
}

async function meeting(
  certificate?: Parameters<typeof rawReceiver>[0],
  alpn?: string,
): Promise<Meeting> {
  const dir = await tempDir();
  await makeTree(dir.join("offered"), {
    "a": CHUNK * 3 + 5,
    "name-of-b": "small",
    "c": CHUNK,
  });
  await Deno.writeTextFile(dir.join("private"), "never offered");
  const receiver = rawReceiver(certificate, alpn);
  return {
    dir: dir.path,
    receiver,
    async send(options = {}) {
      try {
        await send({
          paths: [dir.join("offered")],
          to: {
            address: receiver.address,
            fingerprint: receiver.fingerprint,
            token: TOKEN,
          },
          resumeDir: dir.join("resume"),
          chunkSize: CHUNK,
          giveUpAfterMs: 5000,
          ...options,
        });
        return "done";
      } catch (error) {
        if (error instanceof SftpxError) return error;
        throw error;
      }
    },
    async [Symbol.asyncDispose]() {
      await receiver[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** Ways to turn a sender away, and what it then says. */
const REFUSALS: Readonly<
  Record<string, [(visit: RawVisit) => Promise<void>, ErrorCode]>
> = {
  "it has no token": [
    (visit) =>
      visit.control.say({
        type: "refuse",
        code: "unauthorized",
        reason: "no",
      }),
    "unauthorized",
  ],
  "the same is sent already": [
    (visit) =>
      visit.control.say({ type: "refuse", code: "duplicate", reason: "no" }),
    "duplicate",
  ],
  "it is closed with a reason": [
    (visit) => Promise.resolve(visit.conn.close("unauthorized", "no")),
    "unauthorized",
  ],
  "accept comes without welcome": [
    (visit) => visit.control.say({ type: "accept" }),
    "protocol",
  ],
  "it cannot be understood": [
    (visit) => visit.control.raw(encodeFrame(0x3f, new Uint8Array(9))),
    "protocol",
  ],
};

Deno.test("S15 a receiver that turns a sender away gets no byte of a file and no name", async (t) => {
  for (const [what, [refuse, code]] of Object.entries(REFUSALS)) {
    await t.step(what, async () => {
      await using two = await meeting();
      const sending = two.send();
      const visit = await two.receiver.accept();
      visit.read();
      await refuse(visit);
      const result = await sending;
      assert(result instanceof SftpxError);
      assertEquals(result.code, code);
      assertEquals(visit.bytes, { manifest: 0, lane: 0 });
      const more = await visit.control.hear().catch(() => undefined);
      assertEquals(more, undefined, "it said nothing after hello");
    });
  }
});

const want: Verdict = { kind: "want" };
function verdict(index: number, verdict: Verdict, gen = 0): StatusFrame {
  return { type: "verdict", index, gen, verdict };
}

/** Welcomes a sender, and hears what it has to offer. */
async function hearOffer(
  visit: RawVisit,
  fields: Partial<Welcome> = {},
): Promise<Offer> {
  visit.read();
  await visit.control.say({
    type: "welcome",
    version: 1,
    continued: false,
    life: new Uint8Array(16).fill(1),
    next: 0,
    window: 8192,
    maxLanes: 8,
    ...fields,
  });
  const offer = await visit.control.hear();
  if (offer?.type !== "offer") throw new Error("Cannot hear an offer");
  return offer;
}

Deno.test("S15 a receiver that refuses the offer gets no byte of a file", async () => {
  await using two = await meeting();
  const sending = two.send();
  const visit = await two.receiver.accept();
  await hearOffer(visit);
  await visit.said(({ type }) => type === "end"); // while it makes up its mind
  await visit.control.say({ type: "refuse", code: "local-io", reason: "full" });
  const result = await sending;
  assert(result instanceof SftpxError);
  assertEquals(result.code, "local-io");
  assertEquals(visit.bytes.lane, 0);
});

Deno.test("a sender whose offer was not answered makes it again, all of it", async () => {
  await using two = await meeting();
  const sending = two.send({ fresh: true });
  const visit = await two.receiver.accept();
  assertEquals((await hearOffer(visit)).fresh, true);
  await visit.said(({ type }) => type === "end");
  visit.conn.close();

  const again = await two.receiver.accept();
  assert(again.hello.attempt > visit.hello.attempt);
  assertEquals((await hearOffer(again)).fresh, true);
  await again.control.say({ type: "accept" });
  await again.said(({ type }) => type === "end");
  assertEquals(again.manifest, visit.manifest);
  await again.status(verdict(1, want));
  await again.brought(CHUNK);
  again.conn.close();

  const last = await two.receiver.accept();
  assertEquals((await hearOffer(last)).fresh, false, "that is to be kept");
  last.conn.close("cancelled");
  const result = await sending;
  assert(result instanceof SftpxError);
  assertEquals(result.code, "cancelled");
});

Deno.test("S15 a receiver that wants files before it accepts the offer gets none of them", async () => {
  await using two = await meeting();
  const sending = two.send();
  const visit = await two.receiver.accept();
  await hearOffer(visit);
  await visit.said(({ type }) => type === "end");
  await visit.status(verdict(1, want));
  const heard = visit.control.hear(); // nor is it asked anything
  const time = systemClock.delay(600);
  assertEquals(await Promise.race([heard, time]), undefined);
  assertEquals(visit.bytes.lane, 0);
  await visit.control.say({ type: "accept" });
  await visit.brought(CHUNK);
  visit.conn.close();

  // What was open goes on, and not before that is accepted.
  const again = await two.receiver.accept();
  const next = visit.manifest.filter(({ type }) => type === "entry").length;
  await hearOffer(again, { continued: true, next });
  await systemClock.delay(300);
  assertEquals(again.bytes.lane, 0);
  await again.control.say({ type: "accept" });
  await again.brought(CHUNK);
  again.conn.close("cancelled");
  assert(await sending instanceof SftpxError);
  await heard.catch(() => {});
});

Deno.test("a receiver that cancels before it accepts is heard", async () => {
  await using two = await meeting();
  const sending = two.send();
  const visit = await two.receiver.accept();
  await hearOffer(visit);
  await visit.control.say({
    type: "cancel",
    code: "cancelled",
    reason: "not now",
  });
  const result = await sending;
  assert(result instanceof SftpxError);
  assertEquals([result.code, result.message], ["cancelled", "not now"]);
});

Deno.test("S15 data of a file goes only once it is wanted", async () => {
  await using two = await meeting();
  const sending = two.send();
  const visit = await two.receiver.accept();
  await visit.enter();
  await visit.said(({ type }) => type === "end");
  await systemClock.delay(200);
  assertEquals(visit.bytes.lane, 0);
  visit.conn.close("cancelled");
  assert(await sending instanceof SftpxError);
});

Deno.test("S16 another certificate, an expired one and another protocol are nobody's", async (t) => {
  await t.step("another certificate", async () => {
    await using two = await meeting();
    const other = new Uint8Array(32).fill(1);
    const { address } = two.receiver;
    let heard = false;
    two.receiver.accept().then(() => heard = true, () => {});
    const result = await two.send({
      to: { address, fingerprint: other, token: TOKEN },
    });
    assert(result instanceof SftpxError);
    assertEquals(result.code, "unauthorized");
    assert(!heard);
  });
  await t.step("an expired one", async () => {
    const old = await makeCertificate({
      now: new Date("2001-01-01"),
      days: 30,
    });
    await using two = await meeting(old);
    two.receiver.accept().catch(() => {});
    const result = await two.send({ giveUpAfterMs: 1500 });
    assert(result instanceof SftpxError);
    assert(["unauthorized", "unreachable"].includes(result.code), result.code);
  });
  await t.step("another protocol", async () => {
    await using two = await meeting(CERTIFICATE, "h3");
    two.receiver.accept().catch(() => {});
    const result = await two.send({ giveUpAfterMs: 1500 });
    assert(result instanceof SftpxError);
  });
});

/** What a receiver must not say: all of it is `protocol`. */
const BREACHES: Readonly<Record<string, (visit: RawVisit) => Promise<void>>> = {
  "an entry that was not announced is wanted": (visit) =>
    visit.status(verdict(99, want)),
  "an entry far away is wanted": (visit) =>
    visit.status(verdict(Number.MAX_SAFE_INTEGER, want)),
  "a folder is wanted": (visit) => visit.status(verdict(0, want)),
  "a version that never was is wanted": (visit) =>
    visit.status(verdict(1, want, 3)),
  "it is wanted twice": (visit) =>
    visit.status(verdict(1, want), verdict(1, want)),
  "more chunks are compared than there are": (visit) =>
    visit.status(verdict(1, { kind: "compare", chunks: 5 })),
  "a chunk that is not is corrupt": (visit) =>
    visit.status(verdict(1, want), {
      type: "corrupt",
      index: 1,
      gen: 0,
      first: 4,
      count: 1,
    }),
  "chunks without end are corrupt": (visit) =>
    visit.status(verdict(1, want), {
      type: "corrupt",
      index: 1,
      gen: 0,
      first: 0,
      count: Number.MAX_SAFE_INTEGER,
    }),
  "nobody wanted what is corrupt": (visit) =>
    visit.status({ type: "corrupt", index: 1, gen: 0, first: 0, count: 1 }),
  "candidates nobody asked for": (visit) =>
    visit.status(verdict(1, want), {
      type: "candidates",
      index: 1,
      gen: 0,
      first: 0,
      digests: new Uint8Array(32).fill(1),
    }),
  "candidates beyond the file": (visit) =>
    visit.status(verdict(1, { kind: "compare", chunks: 4 }), {
      type: "candidates",
      index: 1,
      gen: 0,
      first: 2 ** 40,
      digests: new Uint8Array(32).fill(1),
    }),
  "what was not sent is final": (visit) =>
    visit.status({ type: "retired", next: 5 }),
  "more is final than there is": (visit) =>
    visit.status({ type: "retired", next: Number.MAX_SAFE_INTEGER }),
  "a status frame is unknown": (visit) =>
    visit.status(encodeFrame(0x3f, new Uint8Array(1))),
  "a status frame is too large": (visit) =>
    visit.status(encodeFrame(0x40, new Uint8Array(2 ** 20 + 1))),
  "a receipt comes before the end": (visit) =>
    visit.control.say({
      type: "receipt",
      root: new Uint8Array(32),
      entries: 0,
      bytes: 0,
      written: 0,
      skipped: 0,
      refused: 0,
    }),
  "a receipt counts other entries": async (visit) => {
    await visit.said(({ type }) => type === "end");
    await visit.control.say({
      type: "receipt",
      root: new Uint8Array(32),
      entries: 1,
      bytes: 0,
      written: 0,
      skipped: 0,
      refused: 0,
    });
  },
  "an offer comes from the receiver": (visit) =>
    visit.control.say({
      type: "offer",
      checksum: false,
      b3sum: false,
      fresh: false,
      totalBytes: 0,
      label: "",
    }),
  "a receipt is acknowledged by the receiver": (visit) =>
    visit.control.say({ type: "receipt-ack", root: new Uint8Array(32) }),
};

Deno.test("S18 S19 a receiver that asks for what there is not gets nothing of it", async (t) => {
  for (const [what, breach] of Object.entries(BREACHES)) {
    await t.step(what, async () => {
      await using two = await meeting();
      const sending = two.send();
      const visit = await two.receiver.accept();
      await visit.enter();
      await visit.said((f) => f.type === "entry" && f.index === 1);
      await breach(visit);
      const result = await sending;
      assert(result instanceof SftpxError);
      assertEquals(result.code, "protocol");
    });
  }
});

Deno.test("S15 S30 a receipt for other content is not believed", async () => {
  await using two = await meeting();
  const sending = two.send();
  const visit = await two.receiver.accept();
  await visit.enter();
  const end = await visit.said(({ type }) => type === "end");
  assert(end.type === "end");
  for (const frame of visit.manifest) {
    if (frame.type !== "entry" || frame.entry.kind !== "file") continue;
    await visit.status(
      verdict(frame.index, { kind: "have", digest: new Uint8Array(32) }),
    );
  }
  await visit.status({ type: "retired", next: end.entries });
  await visit.control.say({
    type: "receipt",
    root: new Uint8Array(32).fill(9),
    entries: end.entries,
    bytes: 0,
    written: 0,
    skipped: 0,
    refused: 0,
  });
  const result = await sending;
  assert(result instanceof SftpxError);
  assertEquals(result.code, "integrity");
});

Deno.test("S19 only what was found is read: a file that became a link is not sent", async () => {
  await using two = await meeting();
  const path = `${two.dir}/offered/name-of-b`;
  const sending = two.send();
  const visit = await two.receiver.accept();
  await visit.enter();
  const end = await visit.said(({ type }) => type === "end");
  assert(end.type === "end");
  await Deno.remove(path);
  await Deno.symlink("../private", path);
  for (const frame of [...visit.manifest]) {
    if (frame.type !== "entry" || frame.entry.kind !== "file") continue;
    await visit.status(verdict(frame.index, want));
  }
  await visit.said((frame) => frame.type === "gone");
  await visit.brought(CHUNK * 4);
  assert(!visit.content().includes("never offered"));
  visit.conn.close("cancelled");
  assert(await sending instanceof SftpxError);
});

Deno.test("S21 a receiver's huge limits loosen nothing", async () => {
  await using two = await meeting();
  const sending = two.send({ lanes: 2, connections: 1 });
  const visit = await two.receiver.accept();
  const huge = Number.MAX_SAFE_INTEGER;
  await visit.enter({ window: huge, maxLanes: huge });
  await visit.said(({ type }) => type === "end");
  for (const frame of [...visit.manifest]) {
    if (frame.type !== "entry" || frame.entry.kind !== "file") continue;
    await visit.status(verdict(frame.index, want));
  }
  await visit.brought(CHUNK * 4);
  assert(visit.lanes() <= 2, `${visit.lanes()} lanes`);
  visit.conn.close("cancelled");
  const result = await sending;
  assert(result instanceof SftpxError);
  assertEquals(result.code, "cancelled");
});

Deno.test("S21 a receiver's small limits are kept, and none at all is a mistake", async () => {
  {
    await using two = await meeting();
    const sending = two.send();
    const visit = await two.receiver.accept();
    await visit.enter({ window: 2, maxLanes: 1 });
    await visit.said((f) => f.type === "entry" && f.index === 1);
    await systemClock.delay(200);
    assertEquals(visit.manifest.length, 2);
    visit.conn.close("cancelled");
    assert(await sending instanceof SftpxError);
  }
  await using two = await meeting();
  const sending = two.send();
  const visit = await two.receiver.accept();
  visit.enter({ window: 0, maxLanes: 0 }).catch(() => {});
  const result = await sending;
  assert(result instanceof SftpxError);
  assertEquals(result.code, "protocol");
  assertEquals(visit.bytes, { manifest: 0, lane: 0 });
});
