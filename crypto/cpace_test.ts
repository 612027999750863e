import { assertEquals, assertThrows } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import {
  beginCpace,
  type CpaceInput,
  type CpaceSide,
  cpaceWith,
  generator,
  generatorString,
  littleEndian,
  sampleScalar,
  scalarMultVfy,
} from "./cpace.ts";
import { systemRandomBytes } from "./random.ts";

const V = JSON.parse(
  await Deno.readTextFile(
    new URL("../tests/vectors/cpace.json", import.meta.url),
  ),
);
const hex = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.fromHex(text);
const INPUT: CpaceInput = { prs: hex(V.prs), ci: hex(V.ci), sid: hex(V.sid) };

/** A side that says `share`. */
function side(share: Uint8Array, ad = "AD"): CpaceSide {
  return { share, ad: new TextEncoder().encode(ad) };
}

/** Runs an exchange, and gives the key of each side. */
function run(
  { a = INPUT, b = INPUT, seenByA = "AD", seenByB = "AD" },
): [string, string] {
  const [first, second] = [a, b].map((input) =>
    beginCpace(input, systemRandomBytes)
  );
  if (first === undefined || second === undefined) throw new Error("two");
  const sides = (ad: string) => ({
    initiator: side(first.share, ad),
    responder: side(second.share),
  });
  return [
    first.finish(sides(seenByA), true).toHex(),
    second.finish(sides(seenByB), false).toHex(),
  ];
}

Deno.test("CPace: the generator is the draft's", () => {
  assertEquals(generatorString(INPUT).toHex(), V.generatorString);
  assertEquals(generator(INPUT).toHex(), V.generator);
});

Deno.test("CPace: shares and key are the draft's, on both sides", () => {
  const a = cpaceWith(INPUT, littleEndian(hex(V.ya)));
  const b = cpaceWith(INPUT, littleEndian(hex(V.yb)));
  assertEquals([a.share.toHex(), b.share.toHex()], [V.Ya, V.Yb]);
  assertEquals(
    scalarMultVfy(littleEndian(hex(V.ya)), b.share).toHex(),
    V.K,
  );
  const sides = {
    initiator: { share: a.share, ad: hex(V.ada) },
    responder: { share: b.share, ad: hex(V.adb) },
  };
  assertEquals(a.finish(sides, true).toHex(), V.isk);
  assertEquals(b.finish(sides, false).toHex(), V.isk);
});

Deno.test("CPace: multiplication is the draft's, and its invalid shares are refused", () => {
  const scalar = littleEndian(hex(V.scalarMult.s));
  assertEquals(
    scalarMultVfy(scalar, hex(V.scalarMult.X)).toHex(),
    V.scalarMult.result,
  );
  for (const share of V.invalid) {
    assertThrows(() => scalarMultVfy(scalar, hex(share)), SftpxError, "group");
  }
});

Deno.test("CPace: a share that is no canonical element is refused (RFC 9496 A.2)", () => {
  const bad = [
    // p, p+1: not reduced; negative; not square; too short and too long
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
    "00",
    "00".repeat(33),
  ];
  for (const share of bad) {
    assertThrows(() => scalarMultVfy(5n, hex(share)), SftpxError, "group");
  }
});

Deno.test("CPace: the same inputs give the same key, and each other input another", () => {
  const [a, b] = run({});
  assertEquals(a, b);
  for (const field of ["prs", "ci", "sid"] as const) {
    const [mine, theirs] = run({ b: { ...INPUT, [field]: hex("00") } });
    assertEquals(mine === theirs, false, field);
  }
  const [mine, theirs] = run({ seenByB: "another" });
  assertEquals(mine === theirs, false, "associated data");
});

Deno.test("CPace: who swaps roles does not come to the key", () => {
  const a = beginCpace(INPUT, systemRandomBytes);
  const b = beginCpace(INPUT, systemRandomBytes);
  const sides = { initiator: side(a.share), responder: side(b.share) };
  const swapped = { initiator: side(b.share), responder: side(a.share) };
  assertEquals(
    a.finish(sides, true).toHex() === b.finish(swapped, true).toHex(),
    false,
  );
});

Deno.test("CPace: an exchange gives one key", () => {
  const a = beginCpace(INPUT, systemRandomBytes);
  const sides = {
    initiator: side(a.share),
    responder: side(beginCpace(INPUT, systemRandomBytes).share),
  };
  a.finish(sides, true);
  assertThrows(() => a.finish(sides, true), TypeError, "used");
});

Deno.test("CPace: a scalar has 252 bits and is not zero", () => {
  let calls = 0;
  const scalar = sampleScalar(() =>
    new Uint8Array(32).fill(calls++ === 0 ? 0 : 0xff)
  );
  assertEquals(scalar, 2n ** 252n - 1n);
  assertEquals(calls, 2);
});
