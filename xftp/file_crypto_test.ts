import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { concatBytes } from "../core/bytes.ts";
import { SftpxError } from "../core/errors.ts";
import { forAll, intBetween, randomBytes } from "../tests/testutil/random.ts";
import { planChunks } from "./chunk_plan.ts";
import {
  type ContentSource,
  encodeFileHeader,
  encryptChunks,
  type FileHeader,
  openFileContent,
  payloadBytes,
} from "./file_crypto.ts";
import { secretbox } from "./secretbox.ts";

const SECRET = {
  key: new Uint8Array(32).fill(7),
  nonce: new Uint8Array(24).fill(9),
};

Deno.test("a stored file is its length, header, content, fill and tag", async () => {
  const header = encodeFileHeader({ name: "a.txt" });
  assertEquals(new TextDecoder().decode(header), "\x05a.txt0");
  const chunks = await encrypted(header, new TextEncoder().encode("hello"));
  assertEquals(chunks.map((chunk) => chunk.length), [65_536]);
  // The same by hand, with the cipher alone.
  const plain = concatBytes(
    Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 12),
    new TextEncoder().encode("\x05a.txt0hello"),
    new Uint8Array(65_536 - 16 - 8 - 12).fill(0x23),
  );
  const box = secretbox(SECRET.key, SECRET.nonce);
  const expected = concatBytes(box.encrypt(plain), box.finish());
  assertEquals(chunks[0]?.toHex(), expected.toHex());
});

Deno.test("what was encrypted opens again, however it is cut", async () => {
  const cases: { content: Uint8Array; header: FileHeader; step: number }[] = [];
  forAll(
    (random) => ({
      content: randomBytes(random, intBetween(random, 0, 300_000)),
      header: {
        name: "n".repeat(intBetween(random, 0, 255)),
        ...random() < 0.5 && { extra: "x".repeat(intBetween(random, 0, 255)) },
      },
      step: intBetween(random, 1024, 100_000),
    }),
    (value) => void cases.push(value),
    { runs: 12 },
  );
  for (const { content, header, step } of cases) {
    const chunks = await encrypted(encodeFileHeader(header), content);
    const whole = concatBytes(...chunks);
    const opener = openFileContent(SECRET, whole.length);
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < whole.length; at += step) {
      pieces.push(opener.update(whole.slice(at, at + step)));
    }
    opener.finish();
    assertEquals(opener.header, header);
    assertEquals(opener.contentBytes, content.length);
    assertEquals(concatBytes(...pieces).toHex(), content.toHex());
  }
});

Deno.test("content that just fits leaves no fill, one byte more takes another chunk", async () => {
  const header = encodeFileHeader({ name: "x" });
  const room = 65_536 - payloadBytes(header, 0);
  const full = await encrypted(header, new Uint8Array(room).fill(1));
  assertEquals(full.length, 1);
  const more = await encrypted(header, new Uint8Array(room + 1).fill(1));
  assertEquals(more.length, 2);
  const opener = openFileContent(SECRET, 65_536 * 2);
  const read = more.map((chunk) => opener.update(chunk).length);
  opener.finish();
  assertEquals(read, [room + 1, 0]); // the second holds fill and the tag
});

Deno.test("a stored file with one bit changed is refused", async () => {
  const chunks = await encrypted(
    encodeFileHeader({ name: "x" }),
    new Uint8Array(10),
  );
  const whole = concatBytes(...chunks);
  for (const at of [3, 8, 9, 30, 60_000, 65_519, 65_520, 65_535]) {
    const bad = whole.slice();
    bad[at] = (bad[at] ?? 0) ^ 1;
    assertThrows(
      () => {
        const opener = openFileContent(SECRET, bad.length);
        opener.update(bad);
        opener.finish();
      },
      SftpxError,
      "Cannot open the stored file",
    );
  }
});

Deno.test("a length in a stored file that cannot be is refused at once", () => {
  for (const length of [-1n, 1n, 65_536n, 1n << 62n]) {
    const plain = new Uint8Array(65_520).fill(0x23);
    new DataView(plain.buffer).setBigInt64(0, length);
    plain.set([1, 0x61, 0x30], 8);
    const box = secretbox(SECRET.key, SECRET.nonce);
    const whole = concatBytes(box.encrypt(plain), box.finish());
    const opener = openFileContent(SECRET, whole.length);
    assertThrows(() => opener.update(whole), SftpxError, "cannot be");
  }
});

Deno.test("a stored file that is shorter or longer is refused", async () => {
  const [chunk] = await encrypted(
    encodeFileHeader({ name: "x" }),
    new Uint8Array(1),
  );
  const whole = chunk ?? new Uint8Array();
  const short = openFileContent(SECRET, whole.length);
  short.update(whole.slice(0, -1));
  assertThrows(() => short.finish(), SftpxError, "shorter");
  const long = openFileContent(SECRET, whole.length - 1);
  assertThrows(() => long.update(whole.slice()), SftpxError, "longer");
});

Deno.test("a source with less than it promised fails the encryption", async () => {
  const content: ContentSource = {
    size: 5,
    fill: () =>
      Promise.reject(new SftpxError("local-io", "Cannot read: short")),
  };
  const chunks = encryptChunks(
    SECRET,
    encodeFileHeader({ name: "x" }),
    content,
    [
      65_536,
    ],
  );
  await assertRejects(() => chunks.next(), SftpxError, "short");
});

Deno.test("a name that is too long is refused", () => {
  assertThrows(
    () => encodeFileHeader({ name: "ä".repeat(128) }),
    SftpxError,
    "255",
  );
});

async function encrypted(
  header: Uint8Array,
  content: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>[]> {
  let at = 0;
  const source: ContentSource = {
    size: content.length,
    fill(into) {
      into.set(content.subarray(at, at + into.length));
      at += into.length;
      return Promise.resolve();
    },
  };
  const sizes = planChunks(payloadBytes(header, content.length));
  return await Array.fromAsync(encryptChunks(SECRET, header, source, sizes));
}
