import { assertEquals, assertThrows } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { forAll, seeded } from "../tests/testutil/random.ts";
import { type RangeSet, rangeSet, type ReadonlyRangeSet } from "./ranges.ts";
import { rangesLength, readRanges, writeRanges } from "./ranges_codec.ts";
import { varintLength, writeVarint } from "./varint.ts";

const LIMITS = { maxRanges: 100 };

function encode(set: ReadonlyRangeSet): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(rangesLength(set));
  assertEquals(
    writeRanges(new DataView(bytes.buffer), 0, set),
    bytes.length,
  );
  return bytes;
}

function decode(
  bytes: Uint8Array<ArrayBuffer>,
  options = LIMITS,
): { value: RangeSet; end: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return readRanges(view, 0, options);
}

const varints = (...values: number[]): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(
    values.reduce((sum, value) => sum + varintLength(value), 0),
  );
  let at = 0;
  for (const value of values) {
    at = writeVarint(new DataView(bytes.buffer), at, value);
  }
  return bytes;
};

function randomSet(seed: number): RangeSet {
  const random = seeded(seed);
  const set = rangeSet();
  const width = 2 ** (random() * 50);
  for (let n = Math.floor(random() * 20); n > 0; n--) {
    const start = Math.floor(random() * width);
    set.add(start, start + 1 + Math.floor(random() * width / 10));
  }
  return set;
}

Deno.test("writeRanges() writes the vectors of the layout", () => {
  assertEquals(encode(rangeSet()).toHex(), "00");
  assertEquals(encode(rangeSet([{ start: 0, end: 64 }])).toHex(), "01004040");
  assertEquals(
    encode(rangeSet([{ start: 3, end: 5 }, { start: 6, end: 7 }])).toHex(),
    "0203020101",
  );
});

Deno.test("readRanges() reads back what writeRanges() wrote, and waits for the rest of it", () => {
  forAll((random) => Math.floor(random() * 2 ** 32), (seed) => {
    const set = randomSet(seed);
    const bytes = encode(set);
    const read = decode(bytes);
    assertEquals(read?.end, bytes.length);
    assertEquals(read?.value.equals(set), true);
    for (let cut = 0; cut < bytes.length; cut++) {
      assertEquals(decode(bytes.subarray(0, cut)), undefined);
    }
  }, { runs: 100 });
});

Deno.test("readRanges() refuses what has another form or is too large", () => {
  const refused: [number[], string][] = [
    [[101], "there are 101 ranges, at most 100 are allowed"],
    [[2 ** 53 - 1], "at most 100 are allowed"],
    [[1, 0, 0], "one of them is empty"],
    [[2, 0, 1, 0, 1], "two of them touch"],
    [[2, 2 ** 53 - 1, 1], "one of them ends after"],
    [[2, 5, 2 ** 53 - 2, 2 ** 53 - 1, 1], "one of them ends after"],
  ];
  for (const [values, reason] of refused) {
    const error = assertThrows(
      () => decode(varints(...values)),
      SftpxError,
      reason,
    );
    assertEquals(error.code, "protocol");
  }
  const at = (limit: number): unknown =>
    readRanges(new DataView(varints(1, 5, 5).buffer), 0, {
      maxRanges: 1,
      limit,
    })
      ?.value.count;
  assertEquals(at(10), 5);
  assertThrows(() => at(9), SftpxError, "one of them ends after 9");
});

Deno.test("readRanges() makes a set or a protocol error out of noise", () => {
  forAll((random) => {
    const bytes = new Uint8Array(Math.floor(random() * 40));
    for (let i = 0; i < bytes.length; i++) {
      bytes[i] = Math.floor(random() * 256) & (random() < 0.7 ? 0x3f : 0xff);
    }
    return bytes;
  }, (bytes) => {
    try {
      const read = decode(bytes);
      if (read === undefined) return;
      let last = -1;
      let count = 0;
      for (const { start, end } of read.value.ranges()) {
        assertEquals(start > last && end > start, true);
        last = end;
        count += end - start;
      }
      assertEquals(read.value.count, count);
    } catch (error) {
      assertEquals(error instanceof SftpxError && error.code, "protocol");
    }
  }, { runs: 3000 });
});
