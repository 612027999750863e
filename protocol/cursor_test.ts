import { assertEquals, assertThrows } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { forAll } from "../tests/testutil/random.ts";
import { createReader, createWriter, type Reader } from "./cursor.ts";

const NUMBERS = ["u8", "u16", "u32", "u64", "varint"] as const;
const BITS = { u8: 8, u16: 16, u32: 32, u64: 53, varint: 53 } as const;

Deno.test("a reader reads any fields that a writer wrote, wherever its buffer grew", () => {
  forAll(fields, (fields) => {
    for (const before of [0, 1, 7, 8190]) {
      const to = createWriter("TEST").bytes(new Uint8Array(before));
      for (const { kind, value, time, text } of fields) {
        to[kind](value).i64(time).string(text, 40).bytes(new Uint8Array(3));
      }
      const from = createReader(to.finish(), "TEST");
      from.bytes(before);
      for (const { kind, value, time, text } of fields) {
        assertEquals([from[kind](), from.i64()], [value, time]);
        assertEquals(from.string(40), text);
        assertEquals(from.bytes(3), new Uint8Array(3));
      }
      from.end();
    }
  });
});

Deno.test("what a writer returned stays, whatever others write", () => {
  const [one, two] = [createWriter("ONE"), createWriter("TWO")];
  one.u8(1);
  two.u8(2).string("two é", 9);
  const [first, second] = [one.string("one", 3).finish(), two.finish()];
  createWriter("THREE").bytes(new Uint8Array(20)).finish();
  one.u8(9);
  assertEquals(first, Uint8Array.of(1, 3, 111, 110, 101));
  assertEquals([second[0], second[1], second.length], [2, 6, 8]);
});

Deno.test("a reader fails where its bytes end", () => {
  const reads: ((from: Reader) => unknown)[] = [
    (from) => from.u8(),
    (from) => from.u16(),
    (from) => from.u32(),
    (from) => from.u64(),
    (from) => from.i64(),
    (from) => from.varint(),
    (from) => from.bytes(1),
    (from) => from.bytes(2 ** 53 - 1),
    (from) => from.string(10),
  ];
  for (const read of reads) {
    const from = createReader(Uint8Array.of(7), "TEST");
    from.u8();
    assertEquals(assertThrows(() => read(from), SftpxError).code, "protocol");
    assertEquals(from.remaining, 0);
  }
  const more = createReader(Uint8Array.of(7), "TEST");
  assertEquals(assertThrows(() => more.end(), SftpxError).code, "protocol");
});

interface Field {
  readonly kind: (typeof NUMBERS)[number];
  readonly value: number;
  readonly time: bigint;
  readonly text: string;
}

function fields(random: () => number): Field[] {
  const pick = (below: number): number => Math.floor(random() * below);
  return Array.from({ length: pick(12) }, () => {
    const kind = NUMBERS[pick(NUMBERS.length)] ?? "u8";
    return {
      kind,
      value: pick(2 ** pick(BITS[kind] + 1)),
      time: BigInt.asIntN(64, BigInt(pick(2 ** 53)) * BigInt(pick(2 ** 30))),
      text: "é".repeat(pick(20)),
    };
  });
}
