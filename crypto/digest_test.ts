import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { forAll } from "../tests/testutil/random.ts";
import vectors from "../tests/vectors/blake3.json" with { type: "json" };
import { contentDigest, type Digest, loadDigest } from "./digest.ts";

const ALL: readonly Digest[] = [
  await loadDigest("native"),
  await loadDigest("jit"),
  await loadDigest("wasm"),
];

/** 0, 1, 2, … 250, 0, 1, … as the official vectors have it. */
function cycle(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, at) => at % 251);
}

function noise(random: () => number, length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, () => random() * 256);
}

for (const digest of ALL) {
  Deno.test(`${digest.name}: gives the digests of the official vectors`, () => {
    assert(vectors.digests.length > 30);
    for (const { length, hex } of vectors.digests) {
      const bytes = cycle(length);
      assertEquals(digest.digest(bytes).toHex(), hex, `${length} bytes`);
      const hasher = digest.hasher();
      hasher.update(bytes);
      assertEquals(hasher.digest().toHex(), hex, `${length} bytes, in parts`);
    }
  });

  Deno.test(`${digest.name}: hashes a view, not the buffer that it is in`, () => {
    const room = new Uint8Array(3000).fill(7);
    for (const { length, hex } of vectors.digests) {
      if (length > 2100) continue;
      for (const offset of [1, 3, 8, 511]) {
        const view = room.subarray(offset, offset + length);
        view.set(cycle(length));
        assertEquals(digest.digest(view).toHex(), hex);
        const hasher = digest.hasher();
        hasher.update(view);
        assertEquals(hasher.digest().toHex(), hex);
      }
    }
  });

  Deno.test(`${digest.name}: a digest is a plain array that nothing later changes`, () => {
    const first = digest.digest(cycle(1025));
    const before = first.toHex();
    const other = digest.digest(cycle(1026));
    assertEquals(first.constructor, Uint8Array);
    assertEquals([first.length, first.byteOffset], [32, 0]);
    assertEquals(first.buffer.byteLength, 32);
    assertEquals(first.toHex(), before);
    assert(other.toHex() !== before);
    structuredClone(first, { transfer: [first.buffer] }); // not lent by native code
  });

  Deno.test(`${digest.name}: what was taken may change at once`, () => {
    const bytes = cycle(5000);
    const hasher = digest.hasher();
    hasher.update(bytes);
    bytes.fill(0);
    assertEquals(hasher.digest(), digest.digest(cycle(5000)));
  });

  Deno.test(`${digest.name}: hashers do not mix`, () => {
    const [one, two] = [digest.hasher(), digest.hasher()];
    one.update(cycle(700));
    two.update(cycle(90));
    digest.digest(cycle(3));
    one.update(cycle(2000));
    assertEquals(two.digest(), digest.digest(cycle(90)));
    const both = new Uint8Array([...cycle(700), ...cycle(2000)]);
    assertEquals(one.digest(), digest.digest(both));
  });

  Deno.test(`${digest.name}: one changed byte anywhere changes the digest`, () => {
    const bytes = cycle(2500);
    const right = digest.digest(bytes).toHex();
    for (let at = 0; at < bytes.length; at += 7) {
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      assert(digest.digest(bytes).toHex() !== right, `byte ${at}`);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
    }
  });
}

Deno.test("all implementations agree, in one go and in parts", () => {
  forAll((random) => {
    const size = Math.floor(2 ** (random() * 17));
    const bytes = noise(random, size + 5).subarray(random() * 5, size);
    const cuts = Array.from({ length: random() * 6 }, () => random())
      .map((part) => Math.floor(part * bytes.length)).sort((a, b) => a - b);
    return { bytes, cuts };
  }, ({ bytes, cuts }) => {
    const right = ALL[0]?.digest(bytes);
    for (const digest of ALL) {
      assertEquals(digest.digest(bytes), right);
      const hasher = digest.hasher();
      let at = 0;
      for (const cut of [...cuts, bytes.length]) {
        hasher.update(bytes.subarray(at, cut));
        at = cut;
      }
      assertEquals(hasher.digest(), right);
    }
  }, { runs: 100 });
});

Deno.test("loadDigest() takes the native one, which needs no Worker, where it loads", async () => {
  const digest = await loadDigest();
  assertEquals([digest.name, digest.inline], ["native", true]);
  assertEquals(ALL.map((each) => each.inline), [true, false, false]);
});

Deno.test("loadDigest() says so when the one asked for does not exist", async () => {
  const error = await assertRejects(
    () => loadDigest("md5" as "jit"),
    SftpxError,
    "Cannot load BLAKE3: md5 does not work here",
  );
  assertEquals(error.code, "internal");
});

Deno.test("contentDigest() of no chunk, one chunk and more", async () => {
  const digest = await loadDigest();
  const [one, two] = [digest.digest(cycle(10)), digest.digest(cycle(20))];
  const both = new Uint8Array([...one, ...two]);

  assertEquals(
    contentDigest(digest, new Uint8Array(0)).toHex(),
    "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
  );
  const alone = contentDigest(digest, both.subarray(32));
  assertEquals(alone, two);
  assert(alone.buffer === both.buffer, "it is not copied");
  assertEquals(contentDigest(digest, both), digest.digest(both));
});

Deno.test("contentDigest() refuses half a digest", () => {
  for (const length of [1, 31, 33, 63]) {
    assertThrows(
      () => contentDigest(ALL[0] as Digest, new Uint8Array(length)),
      RangeError,
      `must be a multiple of 32: current value is ${length}`,
    );
  }
});
