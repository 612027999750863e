import { assertEquals } from "@std/assert";
import { forAll, seeded } from "../tests/testutil/random.ts";
import {
  decodeRecord,
  encodeRecord,
  type JournalRecord,
} from "./journal_codec.ts";

function randomRecord(seed: number): JournalRecord {
  const random = seeded(seed);
  const number = (): number => Math.floor(2 ** (random() * 53));
  const long = (): bigint => BigInt(Math.floor((random() - 0.5) * 2 ** 64));
  const bytes = (length: number): Uint8Array =>
    new Uint8Array(length).map(() => Math.floor(random() * 256));
  const path = ["a", "ü/🎈", "\ufeffbom", "x".repeat(4096), "a\u0000b"][
    Math.floor(random() * 5)
  ] ?? "";
  const slot = number();
  switch (Math.floor(random() * 5)) {
    case 0: {
      const [size, chunkSize, mtimeNs] = [number(), number(), long()];
      return { type: "begin", slot, path, size, chunkSize, mtimeNs };
    }
    case 1: {
      const digests = bytes(32 * (1 + Math.floor(random() * 500)));
      return { type: "have", slot, first: number(), digests };
    }
    case 2: {
      const [size, mtimeNs, digest] = [number(), long(), bytes(32)];
      const finalPath = random() < 0.5 ? path : "other";
      const ino = BigInt.asUintN(64, long());
      const local = { size: number(), mtimeNs: long(), ctimeNs: long(), ino };
      return { type: "done", path, size, mtimeNs, digest, finalPath, local };
    }
    case 3:
      return { type: "drop", slot };
    default:
      return { type: "floor", slot };
  }
}

Deno.test("decodeRecord() reads back what encodeRecord() wrote, and nothing shorter or longer", () => {
  forAll((random) => Math.floor(random() * 2 ** 32), (seed) => {
    const record = randomRecord(seed);
    const bytes = encodeRecord(record);
    assertEquals(decodeRecord(bytes), record);
    const step = Math.ceil(bytes.length / 100);
    for (let cut = 0; cut < bytes.length; cut += step) {
      const shorter = decodeRecord(bytes.subarray(0, cut));
      // Fewer digests are a have record too; its check is what tells.
      if (record.type !== "have") assertEquals(shorter, undefined);
    }
    assertEquals(decodeRecord(new Uint8Array([...bytes, 0])), undefined);
  }, { runs: 300 });
});

Deno.test("decodeRecord() makes a record or nothing out of noise", () => {
  forAll((random) => {
    const bytes = new Uint8Array(4 + Math.floor(random() * 120))
      .map(() => Math.floor(random() * 256));
    bytes[0] = Math.floor(random() * 7);
    return bytes;
  }, (bytes) => {
    const record = decodeRecord(bytes);
    if (record === undefined) return;
    assertEquals(decodeRecord(encodeRecord(record)), record);
  }, { runs: 3000 });
});

Deno.test("decodeRecord() refuses a body that means nothing", () => {
  const refused = [
    "00000000", // no such kind
    "06000000",
    "01000000", // begin without a slot
    "0100000d00000100000000000000000161", // of chunks of 0 bytes
    "0100000c000101000000000000000000", // of no path
    "0100000d000101000000000000000001ff", // of a path that is no UTF-8
    "020000020000", // have without digests
    "0200000300000000", // of half a one
    "040000020000", // drop with a byte more
  ];
  for (const hex of refused) {
    assertEquals(decodeRecord(Uint8Array.fromHex(hex)), undefined, hex);
  }
});
