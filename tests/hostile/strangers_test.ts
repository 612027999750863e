/**
 * Who may come in, and that those who may not leave no trace.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { secret } from "../../core/secret.ts";
import { makeCertificate } from "../../crypto/certificate.ts";
import { receive } from "../../actors/receive.ts";
import type { Hello } from "../../protocol/control.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import type { RawSender, RawSenderOptions } from "../testutil/raw_peer.ts";
import { announce, type Sandbox, sandbox, textFile } from "./kit.ts";

/** Who is not let in: how it dials, what its hello says besides. */
const STRANGERS: Readonly<
  Record<string, [Partial<RawSenderOptions>, Partial<Hello>?, Partial<Hello>?]>
> = {
  "one without a token": [{ token: secret(new Uint8Array()) }],
  "one with another token": [{ token: secret(new Uint8Array(32).fill(6)) }],
  "a proof that was made for another receiver": [
    { provenFingerprint: new Uint8Array(32).fill(1) },
  ],
  "a proof of noise": [{}, {}, { proof: new Uint8Array(32).fill(7) }],
  "a proof for another attempt": [{}, {}, { attempt: 2 }],
  "a proof for another session": [{}, {}, { session: new Uint8Array(32) }],
  "a proof for another life": [{}, {}, { life: new Uint8Array(16) }],
  "a proof with another nonce": [{}, {}, { nonce: new Uint8Array(16) }],
  "a proof for the first connection, on a further one": [
    {},
    {},
    { extra: true, connection: 1 },
  ],
};

/** What else is turned away before anything is made, and with which word. */
const OTHERS: Readonly<
  Record<string, [(sender: RawSender) => Promise<void>, string]>
> = {
  "one that speaks another language": [
    (sender) => sender.control.raw(new Uint8Array([0x16, 3, 1, 2, 0])),
    "protocol",
  ],
  "one that does not say hello first": [
    (sender) => sender.control.say({ type: "ping", id: 1 }),
    "protocol",
  ],
  "one whose hello has no magic": [
    (sender) => sender.control.raw(encodeFrame(0, new Uint8Array(120))),
    "protocol",
  ],
  "one of another version": [
    async (sender) => sender.control.say(await sender.hello({ version: 2 })),
    "protocol",
  ],
  "a further connection of nothing": [
    async (sender) =>
      sender.control.say(await sender.hello({ extra: true, connection: 1 })),
    "peer-busy",
  ],
  "a further connection that says it is the first": [
    async (sender) =>
      sender.control.say(await sender.hello({ extra: true, connection: 0 })),
    "protocol",
  ],
};

/** All that is in the sandbox but what the receiver makes when it starts. */
async function traces(box: Sandbox): Promise<string[]> {
  return await box.list();
}

Deno.test("S15 S16 who is not let in leaves no file, journal, part or folder", async (t) => {
  await using box = await sandbox();
  const before = await traces(box);
  for (const [who, [options, fields, after]] of Object.entries(STRANGERS)) {
    await t.step(who, async () => {
      await using sender = await box.dial(options);
      // It sends all it has at once, as one would who does not wait.
      await sender.control.say(await sender.hello(fields, after), {
        type: "offer",
        checksum: false,
        b3sum: false,
        fresh: true,
        totalBytes: undefined,
        label: "x",
      });
      assertEquals((await sender.ended()).code, "unauthorized");
      assertEquals(
        await sender.control.hear().catch(() => undefined),
        undefined,
      );
      assertEquals(await traces(box), before);
    });
  }
  for (const [who, [act, code]] of Object.entries(OTHERS)) {
    await t.step(who, async () => {
      await using sender = await box.dial();
      await act(sender);
      assertEquals((await sender.ended()).code, code);
      assertEquals(await traces(box), before);
    });
  }
  await t.step("one that speaks another protocol", async () => {
    await assertRejects(() => box.dial({ alpn: "h3" }), SftpxError);
    assertEquals(await traces(box), before);
  });
  const told = box.events.filter(({ type }) => type === "warning");
  assertEquals(told.length, Object.keys(STRANGERS).length);
});

Deno.test("S15 who is one too many, or comes twice, leaves no trace", async () => {
  await using box = await sandbox({ maxSessions: 1 });
  const session = new Uint8Array(32).fill(3);
  await using first = await box.dial({ session });
  await first.enter();
  await first.manifest(announce(0, textFile("f", "x")));
  await first.status(({ type }) => type === "verdict");
  const before = await traces(box);
  {
    await using other = await box.dial();
    await other.control.say(await other.hello());
    const refusal = await other.control.hear();
    assert(refusal?.type === "refuse");
    assertEquals(refusal.code, "peer-busy");
  }
  {
    await using twin = await box.dial({ session });
    await twin.control.say(await twin.hello());
    // The first is asked whether it is still there, and it is.
    const ping = await first.control.hear();
    assert(ping?.type === "ping");
    await first.control.say({ type: "pong", id: ping.id });
    const refusal = await twin.control.hear();
    assert(refusal?.type === "refuse");
    assertEquals(refusal.code, "duplicate");
  }
  assertEquals(await traces(box), before);
});

Deno.test("S15 an offer for which there is no room leaves no trace", async () => {
  await using box = await sandbox({ keepFree: Number.MAX_SAFE_INTEGER });
  const before = await traces(box);
  await using sender = await box.dial();
  await sender.control.say(await sender.hello(), {
    type: "offer",
    checksum: false,
    b3sum: false,
    fresh: false,
    totalBytes: 1,
    label: "",
  });
  assertEquals((await sender.ended()).code, "local-io");
  await box.told(({ type }) => type === "failed");
  assertEquals(await traces(box), before);
});

Deno.test("S16 a receiver with an expired certificate does not start", async () => {
  const { cert, key } = await makeCertificate({
    now: new Date("2001-01-01"),
    days: 30,
  });
  await using box = await sandbox();
  const error = await assertRejects(
    () =>
      receive({
        bind: "127.0.0.1:0",
        certificate: { cert, key: secret(new TextEncoder().encode(key)) },
        token: "open",
        uploadDir: `${box.dir}/other`,
        resumeDir: `${box.dir}/other-resume`,
      }),
    SftpxError,
  );
  assertEquals(error.code, "config");
});
