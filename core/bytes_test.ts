import { assert, assertEquals } from "@std/assert";
import { forAll, randomBytes } from "../tests/testutil/random.ts";
import {
  concatBytes,
  equalBytes,
  fromBase64Url,
  fromHex,
  toBase64Url,
  toHex,
} from "./bytes.ts";

Deno.test("fromHex() and fromBase64Url() read back what was written, and nothing shorter", () => {
  forAll(
    (random) => randomBytes(random, Math.floor(random() * 50)),
    (bytes) => {
      assertEquals(fromHex(toHex(bytes)), bytes);
      assertEquals(fromBase64Url(toBase64Url(bytes)), bytes);
      assert(!/[+/=]/.test(toBase64Url(bytes)));
    },
  );
});

Deno.test("fromHex() takes either case and refuses all else", () => {
  assertEquals(fromHex("aAfF00"), new Uint8Array([0xaa, 0xff, 0]));
  for (const bad of ["a", "0x00", "gg", " 00", "00\n", "00 ", "é0"]) {
    assertEquals(fromHex(bad), undefined);
  }
});

Deno.test("fromBase64Url() takes one text for the same bytes", () => {
  assertEquals(fromBase64Url("_-8"), new Uint8Array([0xff, 0xef]));
  for (
    const bad of ["a", "_-8=", "_-9", "/+8", "_-8\n", "_ -8", "abcde", "é"]
  ) {
    assertEquals(fromBase64Url(bad), undefined, bad);
  }
});

Deno.test("concatBytes() joins, views of larger buffers included", () => {
  const part = new Uint8Array([9, 1, 2, 9]).subarray(1, 3);
  assertEquals(
    concatBytes(part, new Uint8Array(), new Uint8Array([3])),
    new Uint8Array([1, 2, 3]),
  );
  assertEquals(concatBytes(), new Uint8Array());
});

Deno.test("equalBytes() sees any difference", () => {
  forAll(
    (random) => randomBytes(random, 1 + Math.floor(random() * 40)),
    (bytes) => {
      assert(equalBytes(bytes, bytes.slice()));
      assert(!equalBytes(bytes, bytes.subarray(1)));
      for (let i = 0; i < bytes.length; i++) {
        const other = bytes.slice();
        other[i] = (other[i] ?? 0) ^ 0x10;
        assert(!equalBytes(bytes, other));
      }
    },
    { runs: 50 },
  );
});
