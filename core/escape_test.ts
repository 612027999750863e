import { assert, assertEquals } from "@std/assert";
import { forAll, intBetween } from "../tests/testutil/random.ts";
import { printable, printableJson } from "./escape.ts";

const NASTY = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

Deno.test("printable() shows what would act on a terminal or fool a reader", () => {
  const vectors: [string, string][] = [
    ["plain ünïcode 漢字 🎉.txt", "plain ünïcode 漢字 🎉.txt"],
    ["\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07"],
    ["a\x9bb\x7f", "a\\x9bb\\x7f"],
    ["a\r\nb\tc\0", "a\\r\\nb\\tc\\x00"],
    ["exe.\u202egpj", "exe.\\u{202e}gpj"],
    [
      "\u2066\u2069\u200f\u200b\ufeff",
      "\\u{2066}\\u{2069}\\u{200f}\\u{200b}\\u{feff}",
    ],
    ["a\u2028b\u2029", "a\\u{2028}b\\u{2029}"],
    ["half \ud800 pair", "half \\u{d800} pair"],
    ["tag \u{e0041}", "tag \\u{e0041}"],
    ["C:\\x", "C:\\x"],
  ];
  for (const [text, shown] of vectors) assertEquals(printable(text), shown);
});

Deno.test("printable() and printableJson() leave nothing that acts, and JSON reads back", () => {
  forAll((random) =>
    String.fromCharCode(
      ...Array.from({ length: 20 }, () =>
        intBetween(random, 0, random() < 0.5 ? 0xff : 0xffff)),
    ), (text) => {
    assert(!NASTY.test(printable(text)));
    const json = printableJson({ name: text, list: [text] });
    assert(!NASTY.test(json));
    assertEquals(JSON.parse(json), { name: text, list: [text] });
  });
});

Deno.test("printableJson() always writes something", () => {
  assertEquals(printableJson(undefined), "null");
  assertEquals(printableJson({ tag: "\u{e0041}" }), '{"tag":"\\udb40\\udc41"}');
});
