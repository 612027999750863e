import { assertEquals } from "@std/assert";
import { encodeText, textBytes, writeAscii } from "./text.ts";

const TEXTS = ["", "a/b.txt", "\0\x7f", "\x80", "é", "日本", "a😀", "\ud800x"];

Deno.test("encodeText() and textBytes() say what TextEncoder says", () => {
  for (const text of TEXTS) {
    const expected = new TextEncoder().encode(text);
    assertEquals(encodeText(text), expected);
    assertEquals(textBytes(text), expected.length);
  }
});

Deno.test("writeAscii() writes where it should, and nothing but ASCII", () => {
  const to = new Uint8Array(6);
  assertEquals(writeAscii(to, 2, "ab"), true);
  assertEquals([...to], [0, 0, 97, 98, 0, 0]);
  for (const text of TEXTS) {
    const isAscii = [...text].every((char) => char <= "\x7f");
    assertEquals(writeAscii(new Uint8Array(8), 0, text), isAscii);
  }
});
