import { assertEquals, assertThrows } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { forAll } from "../tests/testutil/random.ts";
import { formatFingerprint, parseFingerprint } from "./fingerprint.ts";

const BYTES = Uint8Array.from({ length: 32 }, (_, at) => at * 8 + 3);
const HEX = "030b131b232b333b434b535b636b737b838b939ba3abb3bbc3cbd3dbe3ebf3fb";

Deno.test("a fingerprint is written as hex and read from every form", () => {
  assertEquals(formatFingerprint(BYTES), HEX);
  const colons = HEX.replace(/..(?!$)/g, "$&:");
  const base64url = "AwsTGyMrMztDS1NbY2tze4OLk5ujq7O7w8vT2-Pr8_s";
  for (
    const text of [
      HEX,
      HEX.toUpperCase(),
      colons,
      colons.toUpperCase(),
      base64url,
      `  ${HEX}\n`,
    ]
  ) {
    assertEquals(parseFingerprint(text), BYTES, text);
  }
});

Deno.test("parseFingerprint() reads back what was written", () => {
  forAll(
    (random) => Uint8Array.from({ length: 32 }, () => random() * 256),
    (bytes) => {
      assertEquals(parseFingerprint(formatFingerprint(bytes)), bytes);
      const url = bytes.toBase64({ alphabet: "base64url", omitPadding: true });
      assertEquals(parseFingerprint(url), bytes);
    },
  );
});

Deno.test("parseFingerprint() refuses all else", () => {
  const colons = HEX.replace(/..(?!$)/g, "$&:");
  for (
    const text of [
      "",
      HEX.slice(1),
      `${HEX}0`,
      `g${HEX.slice(1)}`,
      colons.slice(3),
      colons.replace(":", ""),
      `:${colons}`,
      "AwsTGyMrMztDS1NbY2tze4OLk5ujq7O7w8vT2-Pr8_t", // not its own spelling
      "AwsTGyMrMztDS1NbY2tze4OLk5ujq7O7w8vT2+Pr8/s",
      "AwsTGyMrMztDS1NbY2tze4OLk5ujq7O7w8vT2-Pr8_s=",
      "AwsTGyMrMztDS1NbY2tze4OLk5ujq7O7w8vT2-Pr8 s",
    ]
  ) {
    const error = assertThrows(
      () => parseFingerprint(text),
      SftpxError,
      "Cannot read fingerprint: it must be 64 hex digits",
    );
    assertEquals(error.code, "config");
  }
});

Deno.test("formatFingerprint() refuses what is no fingerprint", () => {
  assertThrows(() => formatFingerprint(BYTES.subarray(1)), RangeError, "31");
});
