import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertThrows,
} from "@std/assert";
import { SftpxError } from "../../core/errors.ts";
import { forAll } from "../testutil/random.ts";
import control from "../vectors/control.json" with { type: "json" };
import lane from "../vectors/lane.json" with { type: "json" };
import manifest from "../vectors/manifest.json" with { type: "json" };
import { KINDS, type Meaning } from "./plain.ts";
import root from "../vectors/root.json" with { type: "json" };
import status from "../vectors/status.json" with { type: "json" };
import varint from "../vectors/varint.json" with { type: "json" };

interface Vector {
  readonly name: string;
  readonly kind: string;
  readonly hex: string;
  readonly value?: unknown;
  readonly error?: string;
}

const FILES: Readonly<Record<string, readonly Vector[]>> = {
  varint,
  control,
  manifest,
  status,
  lane,
  root,
};
const GOOD = Object.values(FILES).flat().filter((one) =>
  one.error === undefined
);

function read(kind: string, bytes: Uint8Array): Meaning | undefined {
  assert(kind in KINDS, kind);
  return KINDS[kind as keyof typeof KINDS](bytes);
}

for (const [file, vectors] of Object.entries(FILES)) {
  Deno.test(`every vector of ${file}.json means what it says, and is written so`, () => {
    for (const { name, kind, hex, value, error } of vectors) {
      const bytes = Uint8Array.fromHex(hex);
      if (error !== undefined) {
        const thrown = assertThrows(() => read(kind, bytes), SftpxError);
        assertEquals(thrown.code, error, name);
        continue;
      }
      const meaning = read(kind, bytes);
      assertEquals(meaning?.value, value, name);
      assertEquals(meaning?.bytes.toHex(), hex, name);
    }
  });
}

Deno.test("a vector that is cut anywhere is not yet there, or an error", () => {
  for (const { name, kind, hex } of GOOD) {
    const bytes = Uint8Array.fromHex(hex);
    for (let cut = 0; cut < bytes.length; cut++) {
      if (kind === "root") continue; // it is never read
      const meaning = valueOrProtocol(kind, bytes.subarray(0, cut));
      assertEquals(meaning, undefined, `${name}, cut to ${cut} bytes`);
    }
  }
});

Deno.test("a frame whose body is cut, and says so, is an error", () => {
  for (const { name, kind, hex } of GOOD) {
    const bytes = Uint8Array.fromHex(hex);
    // One byte of type and one of length: the others are the same code.
    if (!["control", "manifest", "status"].includes(kind)) continue;
    const length = bytes[1] ?? 0;
    if (length > 63 || (bytes[0] ?? 0) > 0x3f) continue;
    for (let cut = 0; cut < length; cut++) {
      const shorter = bytes.slice(0, 2 + cut);
      shorter[1] = cut;
      const error = assertThrows(() => read(kind, shorter), SftpxError);
      assertEquals(error.code, "protocol", `${name}, cut to ${cut} bytes`);
    }
    const longer = Uint8Array.of(...bytes, 0);
    longer[1] = length + 1;
    if (length < 63) assertThrows(() => read(kind, longer), SftpxError);
  }
});

Deno.test("noise is a value that is written as it was read, or an error", () => {
  forAll(flipped, ({ kind, bytes }) => {
    const meaning = valueOrProtocol(kind, bytes);
    if (meaning === undefined) return;
    // A longer varint than needed is read too, so that only what is written again must agree.
    const again = read(kind, meaning.bytes);
    assertEquals(again?.value, meaning.value);
    assertEquals(again?.bytes, meaning.bytes);
  }, { runs: 20_000 });
});

/** Bytes of a vector with some of them changed, or nothing but noise. */
function flipped(random: () => number): { kind: string; bytes: Uint8Array } {
  const pick = (below: number): number => Math.floor(random() * below);
  const { kind, hex } = GOOD[pick(GOOD.length)] ?? { kind: "lane", hex: "" };
  const bytes = Uint8Array.fromHex(hex);
  const changes = random() < 0.2 ? bytes.length : 1 + pick(3);
  for (let n = 0; n < changes; n++) bytes[pick(bytes.length)] = pick(256);
  return { kind, bytes };
}

function valueOrProtocol(kind: string, bytes: Uint8Array): Meaning | undefined {
  try {
    return read(kind, bytes);
  } catch (error) {
    assertInstanceOf(error, SftpxError);
    assertEquals(error.code, "protocol");
    return undefined;
  }
}
