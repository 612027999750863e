/**
 * A sender that breaks the rules, against a real receiver over QUIC: its own
 * session ends, at once and with the right word, and nobody else's.
 */
import { assert, assertEquals } from "@std/assert";
import { encodeFrame } from "../../protocol/frame.ts";
import { encodePreamble } from "../../protocol/lane.ts";
import { encodeManifest } from "../../protocol/manifest.ts";
import { blake3, laneFrame, type RawSender } from "../testutil/raw_peer.ts";
import { file } from "./conversation.ts";
import {
  announce,
  folder,
  retired,
  type Sandbox,
  sandbox,
  textChunk,
  textFile,
  verdictOn,
} from "./kit.ts";

const TEXT = "hostile";

/** An honest sender is served, whatever else goes on. */
async function servesOthers(box: Sandbox, name = "honest"): Promise<void> {
  await Deno.writeTextFile(`${box.dir}/${name}`, "honest");
  await box.send(name);
  assertEquals(await Deno.readTextFile(`${box.uploads}/${name}`), "honest");
}

/** What a sender that was let in must not do; all of it is `protocol`. */
const BREACHES: Readonly<Record<string, (sender: RawSender) => Promise<void>>> =
  {
    "an entry comes twice": (sender) =>
      sender.manifest(
        announce(0, textFile("a", TEXT)),
        announce(0, textFile("b", TEXT)),
      ),
    "an entry is left out": (sender) =>
      sender.manifest(announce(1, textFile("a", TEXT))),
    "a chunk comes for a refused file": async (sender) => {
      await sender.manifest(
        announce(0, textFile("open", TEXT)), // until this ends, none is retired
        announce(1, textFile("../x", TEXT)),
      );
      await sender.status(verdictOn(1));
      const lane = await sender.open();
      await lane.write(textChunk(1, TEXT));
    },
    "a chunk comes for nothing": async (sender) => {
      const lane = await sender.open();
      await lane.write(textChunk(7, TEXT));
    },
    "a chunk comes for a folder": async (sender) => {
      await sender.manifest(
        announce(0, textFile("f", TEXT)),
        announce(1, folder("d")),
      );
      await sender.status(verdictOn(0));
      const lane = await sender.open();
      await lane.write(textChunk(1, TEXT));
    },
    "a chunk is longer than its file": async (sender) => {
      await sender.manifest(announce(0, textFile("f", TEXT)));
      await sender.status(verdictOn(0));
      const lane = await sender.open();
      await lane.write(textChunk(0, `${TEXT}!`));
    },
    "a chunk is the same as nothing": async (sender) => {
      await sender.manifest(announce(0, textFile("f", TEXT)));
      await sender.status(verdictOn(0));
      const lane = await sender.open();
      await lane.write(
        laneFrame({ index: 0, kind: "same", length: TEXT.length }),
      );
    },
    "accept comes from the sender": (sender) =>
      sender.control.say({ type: "accept" }),
    "hello comes twice": async (sender) =>
      sender.control.say(await sender.hello()),
    "the offer comes twice": (sender) =>
      sender.control.say({
        type: "offer",
        checksum: false,
        b3sum: false,
        fresh: false,
        totalBytes: undefined,
        label: "",
      }),
    "a receipt is acknowledged that was never given": (sender) =>
      sender.control.say({ type: "receipt-ack", root: new Uint8Array(32) }),
    "a pong answers no ping": (sender) =>
      sender.control.say({ type: "pong", id: 77 }),
    "a control frame is unknown": (sender) =>
      sender.control.raw(encodeFrame(0x3f, new Uint8Array(3))),
    "a control frame has bytes too many": (sender) =>
      sender.control.raw(encodeFrame(0x04, new Uint8Array(1))),
    "a control frame is larger than any": (sender) =>
      sender.control.raw(encodeFrame(0x40, new Uint8Array(16 * 1024 + 1))),
    "a control frame claims 2^53 - 1 bytes": (sender) =>
      sender.control.raw(
        new Uint8Array([0x40, 0x40, 0xc0, 0x1f, 255, 255, 255, 255, 255, 255]),
      ),
    "a control frame claims 2^62 - 1 bytes": (sender) =>
      sender.control.raw(new Uint8Array([0x05, ...Array(8).fill(255)])),
    "a manifest frame is larger than any": (sender) =>
      sender.manifest(encodeFrame(0x40, new Uint8Array(64 * 1024 + 1))),
    "a manifest frame is unknown": (sender) =>
      sender.manifest(encodeFrame(0x3f, new Uint8Array(40))),
    "a path has no bytes": (sender) =>
      sender.manifest(
        encodeFrame(
          0x10,
          new Uint8Array([0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ),
      ),
    "a path is not UTF-8": (sender) =>
      sender.manifest(
        encodeFrame(
          0x10,
          new Uint8Array([0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 255]),
        ),
      ),
    "a second manifest stream is opened": async (sender) => {
      await sender.manifest(announce(0, textFile("a", TEXT)));
      await sender.status(verdictOn(0));
      const other = await sender.open(encodePreamble("manifest", 0));
      await other.write(encodeManifest(announce(1, textFile("b", TEXT))));
    },
    "a status stream is opened": async (sender) => {
      await sender.open(encodePreamble("status", 0));
    },
    "a stream is of no kind": async (sender) => {
      await sender.open(new Uint8Array([9, 0]));
    },
    "a lane frame is empty": async (sender) => {
      const lane = await sender.open();
      await lane.write(new Uint8Array(8));
    },
    "a lane frame claims 4 GiB": async (sender) => {
      const lane = await sender.open();
      await lane.write(new Uint8Array([255, 255, 255, 255, 0, 1, 0, 0]));
    },
    "a lane frame is larger than any chunk": async (sender) => {
      await sender.manifest(announce(0, textFile("f", TEXT)));
      await sender.status(verdictOn(0));
      const lane = await sender.open();
      await lane.write(new Uint8Array([1, 0x10, 0, 0, 0, 1, 0, 0]));
    },
    "the end counts wrongly": (sender) =>
      sender.manifest({ type: "end", entries: 5, bytes: 0 }),
    "more entries are open than the window holds": async (sender) => {
      // The first stays open, and so do all that follow it.
      await sender.manifest(announce(0, textFile("first", TEXT)));
      const frames: Uint8Array[] = [];
      for (let n = 1; n < 8192 + 1; n++) {
        frames.push(encodeManifest(announce(n, folder(`d${n}`))));
      }
      await sender.manifest(
        new Uint8Array(await new Blob(frames as BlobPart[]).arrayBuffer()),
      );
    },
  };

Deno.test("S14 S18 who breaks a rule is out, at once, and nobody else", async (t) => {
  await using box = await sandbox();
  const before = await box.outside();
  for (const [what, breach] of Object.entries(BREACHES)) {
    await t.step(what, async () => {
      await using sender = await box.sender();
      // It may be out before it has said all.
      await breach(sender).catch((error) => {
        if (error.code !== "connection-lost") throw error;
      });
      assertEquals((await sender.ended()).code, "protocol");
    });
  }
  assertEquals(await box.outside(), before);
  const files = (await box.list("uploads")).filter((line) =>
    !/\/ \d+$/.test(line)
  );
  assertEquals(files, [], "no file was made");
  await servesOthers(box);
});

Deno.test("S14 what comes before the offer was accepted is not read, and makes nothing", async () => {
  await using box = await sandbox({}, {
    limits: { offerMs: 600, quietMs: 30_000 },
  });
  {
    await using stranger = await box.dial();
    await stranger.manifest(announce(0, textFile("early", TEXT)));
    assertEquals((await stranger.ended()).code, "protocol");
  }
  await using sender = await box.dial();
  await sender.control.say(await sender.hello());
  assertEquals((await sender.control.hear())?.type, "welcome");
  await sender.manifest(announce(0, textFile("early", TEXT)));
  const lane = await sender.open();
  await lane.write(textChunk(0, TEXT));
  assertEquals((await sender.ended()).code, "none");
  assertEquals(
    (await box.list("uploads")).filter((line) => line.includes("early")),
    [],
  );
  await servesOthers(box);
});

Deno.test("who is welcome by QUIC learns which certificate it would see over TCP", async () => {
  await using box = await sandbox();
  await using sender = await box.dial();
  await sender.control.say(await sender.hello());
  const welcome = await sender.control.hear();
  assert(welcome?.type === "welcome" && welcome.certificate);
  const hash = await crypto.subtle.digest(
    "SHA-256",
    new Uint8Array(welcome.certificate),
  );
  assertEquals(new Uint8Array(hash), box.receiver.fingerprint);
});

Deno.test("S17 an offer, files or bytes over the limits are turned away", async () => {
  await using box = await sandbox({ maxFiles: 3, maxSize: 100 });
  {
    await using sender = await box.sender();
    await sender.manifest(
      ...[0, 1, 2, 3].map((n) => announce(n, folder(`d${n}`))),
    );
    assertEquals((await sender.ended()).code, "unauthorized");
  }
  {
    await using sender = await box.sender();
    await sender.manifest(announce(0, file("big", 101)));
    assertEquals((await sender.ended()).code, "unauthorized");
  }
  {
    await using sender = await box.dial();
    await sender.control.say(await sender.hello(), {
      type: "offer",
      checksum: false,
      b3sum: false,
      fresh: false,
      totalBytes: Number.MAX_SAFE_INTEGER - 1,
      label: "",
    });
    assertEquals((await sender.ended()).code, "local-io");
  }
  await servesOthers(box);
});

Deno.test("S30 one changed bit anywhere in a chunk is noticed, and the chunk asked for again", async () => {
  await using box = await sandbox();
  await using sender = await box.sender();
  const text = "0123456789".repeat(20);
  const bytes = new TextEncoder().encode(text);
  await sender.manifest(announce(0, textFile("f", text)));
  await sender.status(verdictOn(0));
  const lane = await sender.open();
  for (const at of [0, 1, 99, bytes.length - 1]) {
    const wrong = bytes.slice();
    wrong[at] = (wrong[at] ?? 0) ^ 1;
    const seen = sender.statuses.length;
    await lane.write(
      laneFrame({ index: 0, bytes: wrong, digest: blake3(bytes) }),
    );
    await sender.status((frame) =>
      frame.type === "corrupt" && sender.statuses.indexOf(frame) >= seen
    );
  }
  const digest = blake3(bytes).slice();
  digest[31] = (digest[31] ?? 0) ^ 0x80;
  await lane.write(laneFrame({ index: 0, bytes, digest }));
  await lane.write(textChunk(0, text));
  await sender.status(retired(1));
  assertEquals(await Deno.readTextFile(`${box.uploads}/f`), text);
});
