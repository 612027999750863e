import { assertEquals } from "@std/assert";
import { isNear, wordFor, WORDS, wordsNear, wordsWith } from "./words.ts";

Deno.test("there are 1024 words of 3 to 9 letters, each once, in order", () => {
  assertEquals(WORDS.length, 1024);
  assertEquals(WORDS.filter((word) => !/^[a-z]{3,9}$/.test(word)), []);
  assertEquals([...new Set(WORDS)].toSorted(), WORDS);
});

Deno.test("no two words begin with the same four letters", () => {
  const heads = WORDS.map((word) => word.slice(0, 4));
  assertEquals(new Set(heads).size, WORDS.length);
});

Deno.test("no slip of the finger makes a word of another", () => {
  const near = WORDS.flatMap((a, at) =>
    WORDS.slice(at + 1).filter((b) => isNear(a, b)).map((b) => `${a} ${b}`)
  );
  assertEquals(near, []);
});

Deno.test("isNear() sees a letter that is wrong, missing, too many or swapped", () => {
  for (const slip of ["tigir", "tigr", "tigger", "tgier", "tigre", "tiger"]) {
    assertEquals(isNear(slip, "tiger"), true, slip);
    assertEquals(isNear("tiger", slip), true, slip);
  }
  for (const other of ["tigrre", "tig", "regit", "itgre", ""]) {
    assertEquals(isNear(other, "tiger"), false, other);
  }
});

Deno.test("every slip in every word leads back to it", () => {
  for (const word of WORDS.filter((_, at) => at % 16 === 0)) {
    for (let at = 0; at < word.length; at++) {
      const slip = `${word.slice(0, at)}~${word.slice(at + 1)}`;
      assertEquals(wordsNear(slip).includes(word), true, slip);
    }
  }
});

Deno.test("four letters are enough for a word", () => {
  const [word = ""] = WORDS;
  assertEquals(wordFor(word), word);
  for (const each of WORDS.filter(({ length }) => length > 4)) {
    const head = each.slice(0, 4);
    // A word of four letters is itself, and none begins as it does.
    assertEquals(wordFor(head), each);
    assertEquals(wordsWith(head), [each]);
  }
  assertEquals(wordFor("q"), undefined);
  assertEquals(wordFor("xqz"), undefined);
});
