import { assertEquals } from "@std/assert";
import { parseCode } from "../rendezvous/code.ts";
import { WORDS, wordsWith } from "../rendezvous/words.ts";
import { createCodeLine } from "./code_line.ts";

/** Types `keys`, and gives what stands there. */
function type(keys: string): ReturnType<typeof createCodeLine> {
  const line = createCodeLine();
  for (const key of keys) line.key(key.charCodeAt(0));
  return line;
}

Deno.test("code line: the tabulator completes a word that is the only one to fit", () => {
  assertEquals(type("7-tige\t").text, "7-tiger-");
  assertEquals(type("7-tige\tlemo\t").text, "7-tiger-lemon");
  assertEquals(type("7 Tige\t").text, "7 tiger-");
  assertEquals(parseCode(type("7-tige\tlemo\t").text), {
    slot: 7,
    phrase: "tiger-lemon",
  });
});

Deno.test("code line: where several words fit it goes as far as they agree, and shows them", () => {
  const line = type("7-le\t");
  assertEquals(line.text, "7-le");
  assertEquals(line.choices, wordsWith("le").slice(0, 12));
  assertEquals(line.choices.length > 1, true);
  const one = type("7-lemo");
  assertEquals(one.choices, []);
});

Deno.test("code line: every word of the list is completed from its first four letters", () => {
  for (const word of WORDS) {
    assertEquals(type(`7-${word.slice(0, 4)}\t`).text, `7-${word}-`, word);
  }
});

Deno.test("code line: what was typed can be taken back, and broken off", () => {
  assertEquals(type("7-tigex\x7fr").text, "7-tiger");
  assertEquals(type("7-tiger\x158").text, "8");
  assertEquals(type("7\x1b\x01é").text, "7");
  const line = createCodeLine();
  assertEquals(line.key(0x37), "more");
  assertEquals(line.key(0x0d), "done");
  assertEquals(createCodeLine().key(0x03), "broken");
  assertEquals(createCodeLine().key(0x04), "broken");
  assertEquals(type("a".repeat(500)).text.length, 200);
});

Deno.test("code line: nothing fits, nothing changes", () => {
  for (const keys of ["7-zzz\t", "7-\t", "\t", "12\t"]) {
    assertEquals(type(keys).text, keys.slice(0, -1));
  }
});
