import { assertEquals, assertThrows } from "@std/assert";
import {
  formatCount,
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  parseThreads,
} from "./units.ts";

Deno.test("parseSize() reads bytes and powers of 1024", () => {
  const sizes: readonly [string, number][] = [
    ["0", 0],
    ["1000", 1000],
    ["1K", 1024],
    ["1k", 1024],
    ["64M", 64 * 1024 ** 2],
    ["1.5G", 1.5 * 1024 ** 3],
    ["2GiB", 2 * 1024 ** 3],
    ["2GB", 2 * 1024 ** 3],
    ["3T", 3 * 1024 ** 4],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ];
  for (const [text, bytes] of sizes) {
    assertEquals(parseSize(text), bytes, text);
  }
});

Deno.test("parseSize() refuses what is no size", () => {
  const texts = ["", "K", "-1", "1X", "1.5", "1 0", "1e3", "0x10", "9999999T"];
  for (const text of [...texts, "9007199254740992", "NaN", "Infinity", "1iB"]) {
    assertThrows(() => parseSize(text), RangeError, "is no size");
  }
});

Deno.test("parseDuration() reads milliseconds to hours", () => {
  assertEquals(parseDuration("250ms"), 250);
  assertEquals(parseDuration("1.5s"), 1500);
  assertEquals(parseDuration("10m"), 600_000);
  assertEquals(parseDuration("2H"), 7_200_000);
  assertEquals(parseDuration("0s"), 0);
});

Deno.test("parseDuration() refuses what has no unit or is no time", () => {
  for (
    const text of ["", "10", "s", "-1s", "1d", "1 minute", "9".repeat(20) + "h"]
  ) {
    assertThrows(() => parseDuration(text), RangeError, "is no time");
  }
});

Deno.test("formatSize() never says 1024 of a unit", () => {
  assertEquals(formatSize(0), "0 B");
  assertEquals(formatSize(1023), "1023 B");
  assertEquals(formatSize(1024), "1.0 KiB");
  assertEquals(formatSize(1024 ** 2 - 1), "1.0 MiB");
  assertEquals(formatSize(1.5 * 1024 ** 3), "1.5 GiB");
  assertEquals(formatSize(1024 ** 6), "1024.0 PiB");
});

Deno.test("formatDuration() and formatCount() say what people say", () => {
  assertEquals(formatDuration(0), "0.0 s");
  assertEquals(formatDuration(9999), "10.0 s");
  assertEquals(formatDuration(59_400), "59 s");
  assertEquals(formatDuration(200_000), "3 min 20 s");
  assertEquals(formatDuration(7_500_000), "2 h 05 min");
  assertEquals(formatCount(200_000), "200,000");
});

Deno.test("parseThreads() reads a number up to 15, or auto", () => {
  assertEquals(["auto", "0", "15"].map(parseThreads), ["auto", 0, 15]);
  for (const wrong of ["", "16", "-1", "1.5", "Auto", "two", "007"]) {
    assertThrows(() => parseThreads(wrong), RangeError);
  }
});
