import { assertEquals, assertThrows } from "@std/assert";
import { SftpxError } from "../core/errors.ts";
import { systemRandomBytes } from "../crypto/random.ts";
import {
  type Code,
  formatCode,
  looksLikeCode,
  makePhrase,
  parseCode,
  parseOwnPhrase,
  strength,
} from "./code.ts";
import { WORDS } from "./words.ts";

Deno.test("a code reads the same however it is written", () => {
  const code: Code = { slot: 7, phrase: "tiger-lemon" };
  for (
    const text of [
      "7-tiger-lemon",
      "  7 Tiger  LEMON ",
      "7–tiger—lemon",
      "7_tiger_lemon",
      "7-tige-lemo",
      "07-tiger-lemon",
      "７-ｔｉｇｅｒ-lemon",
      "7, tiger, lemon.",
      "-7--tiger--lemon-",
    ]
  ) {
    assertEquals(parseCode(text), code, text);
  }
  assertEquals(formatCode(code), "7-tiger-lemon");
});

Deno.test("a slip of the finger is found before it burns the code", () => {
  const error = assertThrows(() => parseCode("7-tigre-lemon"), SftpxError);
  assertEquals(error.code, "usage");
  assertEquals(
    error.message,
    'Cannot read code: "tigre" looks mistyped: did you mean "tiger"',
  );
  assertEquals(error.message.includes("lemon"), false);
});

Deno.test("a word that is only begun is found, too", () => {
  assertThrows(
    () => parseCode("7-tiger-lem"),
    SftpxError,
    'did you mean "lemon" or "lemur"',
  );
});

Deno.test("what is no code is refused, and says nothing of its words", () => {
  for (
    const text of [
      "",
      "tiger-lemon",
      "7",
      "7-",
      "0-tiger-lemon",
      "1234567890-tiger-lemon",
      "7-tiger-\u202elemon",
      "7-tiger-le$mon",
      `7-${"tiger-".repeat(100)}`,
    ]
  ) {
    const error = assertThrows(() => parseCode(text), SftpxError, undefined);
    assertEquals(error.code, "usage", text);
    assertEquals(
      /tiger|lemon/.test(error.message.replace(/7-tiger-lemon$/, "")),
      false,
      error.message,
    );
  }
});

Deno.test("a code is told from an address, a path and a ticket", () => {
  for (const yes of ["7-tiger-lemon", "12 blue fish", "3-x1-y2"]) {
    assertEquals(looksLikeCode(yes), true, yes);
  }
  for (
    const no of ["10.0.0.1", "10.0.0.1:4443", "sftpx://h:1/#k", "a/b", "tiger"]
  ) {
    assertEquals(looksLikeCode(no), false, no);
  }
});

Deno.test("a phrase is made of words of the list, all of them alike", () => {
  const count = new Map<string, number>();
  for (let i = 0; i < 2000; i++) {
    const words = makePhrase(3, systemRandomBytes).split("-");
    assertEquals(words.length, 3);
    for (const word of words) count.set(word, (count.get(word) ?? 0) + 1);
  }
  assertEquals([...count.keys()].every((word) => WORDS.includes(word)), true);
  assertEquals(count.size > 1000, true);
  assertEquals(Math.max(...count.values()) < 30, true);
  assertThrows(() => makePhrase(1, systemRandomBytes), RangeError);
});

Deno.test("a phrase of one's own may have a number", () => {
  assertEquals(parseOwnPhrase("4711-Grandma's-".replace("'", "") + "Teacup"), {
    slot: 4711,
    phrase: "grandmas-teacup",
  });
  assertEquals(parseOwnPhrase("grandmas teacup"), {
    slot: undefined,
    phrase: "grandmas-teacup",
  });
});

Deno.test("a weak phrase is refused", () => {
  for (
    const weak of [
      "password",
      "my-cool-phrase",
      "my-cool-phrase-123",
      "1234-5678",
      "tiger",
      "tiger-tiger",
      "tiger-tiger-tiger",
      "aaaa-bbbb-cccc",
      "abc-def",
      "correct-horse-battery-staple",
      "hello-2024",
      "test-test-test",
      "a-b-c-d",
      "qwerty-asdf",
    ]
  ) {
    const error = assertThrows(() => parseOwnPhrase(weak), SftpxError, "weak");
    assertEquals(error.message.includes(weak), false);
  }
  for (const good of ["tiger-lemon", "grandmas-teacup", "zwölf-boxkämpfer"]) {
    assertEquals(strength(good) >= 20, true, good);
  }
});

Deno.test("a phrase of which a word would look mistyped is refused", () => {
  assertThrows(
    () => parseOwnPhrase("tigre-lemon"),
    SftpxError,
    'taken for a mistyped "tiger"',
  );
});

Deno.test("what one side may choose, the other reads to the same bytes", () => {
  for (const text of ["Zwölf Boxkämpfer", "tiger-lemon", "x9k2-p0q8-zz"]) {
    const { phrase } = parseOwnPhrase(text);
    assertEquals(parseCode(`12-${phrase}`), { slot: 12, phrase });
    assertEquals(parseCode(`12 ${text.toUpperCase()}`), { slot: 12, phrase });
  }
});
